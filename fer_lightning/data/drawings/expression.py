"""The facial muscles that an emotion moves: FACS action units, as EMFACS and the FACS manual assign them.

The table follows W. V. Friesen and P. Ekman, *EMFACS-7: Emotional Facial Action Coding System* (1983), and
the prototypes and variants in P. Ekman, W. V. Friesen and J. C. Hager, *FACS Investigator's Guide* (2002),
table 10-1. The units are those of P. Ekman and W. V. Friesen, *Facial Action Coding System* (1978).

| emotion  | prototype        | variants drawn here            |
|----------|------------------|--------------------------------|
| angry    | 4+5+7+23         | 4+5+7+17+24, 4+5+7+10+23+25    |
| disgust  | 9+15+16          | 9+15+17, 9+10+16+25            |
| fear     | 1+2+4+5+7+20+26  | 1+2+4+5+20+25                  |
| happy    | 6+12             | 6+12+25, 6+12+25+26            |
| sad      | 1+4+15           | 1+4+15+17                      |
| surprise | 1+2+5+26         | 1+2+5+25+26                    |
| neutral  | none             |                                |
"""

from numpy.random import Generator

ActionUnits = dict[int, float]
"""FACS number → how strongly it acts, from 0 (not at all) to 1 (FACS intensity E)."""

NAMES = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
}

EXPRESSIONS: dict[str, tuple[ActionUnits, ...]] = {
    "angry": (
        {4: 1.0, 5: 0.5, 7: 0.8, 23: 0.9},
        {4: 1.0, 5: 0.4, 7: 0.8, 17: 0.7, 24: 0.9},
        {4: 1.0, 5: 0.6, 7: 0.6, 10: 0.7, 23: 0.4, 25: 0.9},
    ),
    "disgust": (
        {9: 1.0, 15: 0.6, 16: 0.6, 4: 0.3},
        {9: 1.0, 15: 0.6, 17: 0.8, 4: 0.3},
        {9: 0.9, 10: 0.9, 16: 0.5, 25: 0.6, 4: 0.3},
    ),
    "fear": (
        {1: 0.9, 2: 0.6, 4: 0.6, 5: 0.9, 7: 0.3, 20: 0.9, 26: 0.4},
        {1: 0.9, 2: 0.6, 4: 0.6, 5: 0.9, 20: 0.9, 25: 0.8},
    ),
    "happy": ({6: 0.7, 12: 0.9}, {6: 0.8, 12: 1.0, 25: 0.9}, {6: 0.9, 12: 1.0, 25: 0.9, 26: 0.4}),
    "sad": ({1: 0.9, 4: 0.6, 15: 0.9}, {1: 0.9, 4: 0.6, 15: 0.8, 17: 0.7}),
    "surprise": ({1: 0.9, 2: 0.9, 5: 0.8, 26: 0.8}, {1: 1.0, 2: 1.0, 5: 0.8, 25: 0.5, 26: 1.0}),
    "neutral": ({},),
}
"""Emotion → its combinations at full strength. In disgust, 4 is what 9 lowers the brows by the way."""

WEAKEST, STRONGEST = 0.55, 1.2
MISSING = 0.06
"""Chance that a face leaves out a given action unit of its emotion."""
SPONTANEOUS = 0.2
"""Chance that a face shows one action unit that has nothing to do with its emotion."""


def action_units(emotion: str, rng: Generator) -> ActionUnits:
    """Returns one face's action units: every number of NAMES is there, most of them 0.

    Overall strength varies from barely visible to full, each unit jitters by itself, some stay away and a
    meaningless one may join, so that weak expressions are ambiguous in the way that real ones are.
    """
    variants = EXPRESSIONS[emotion]
    strength = WEAKEST + (STRONGEST - WEAKEST) * rng.beta(2.4, 1.6)
    units = dict.fromkeys(NAMES, 0.0)
    for number, full in variants[rng.integers(len(variants))].items():
        if rng.random() >= MISSING:
            units[number] = full * strength * rng.uniform(0.75, 1.2)
    if rng.random() < SPONTANEOUS:
        stray = tuple(NAMES)[rng.integers(len(NAMES))]
        units[stray] += rng.uniform(0.1, 0.5)
    return {number: min(value, 1.0) for number, value in units.items()}
