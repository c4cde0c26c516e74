"""The page about a network that comes with the package: how it was made, what it can do, and what it is not for."""

from collections.abc import Sequence

from fer_lightning.report.results_table import markdown_table
from fer_lightning.use.compact import SMALL
from fer_lightning.use.known_faces import TrainingFaces
from fer_lightning.use.measured import Measured

NOT_FOR = """\
- **An expression is not a feeling.** The network names the expression that people see in a picture of a face. What the
  person feels, means or is like cannot be read from it.
- **Decisions about people.** Do not use it to hire, grade, insure, police, diagnose or watch anybody. Emotion
  recognition at work and in schools is restricted by law in places: in the European Union it is prohibited there but
  for medical and safety reasons (Regulation (EU) 2024/1689, Article 5(1)(f)).
- **Faces unlike those it has learnt from.** {unlike}
"""

FER2013_FACES = """\
FER2013 is a research data set: faces that a search engine returned in 2013
  for words of emotions, in grey and 48×48 pixels, many of them posed, with labels that people often disagree about. It
  says nothing about how old its people are or where they are from, so nobody has measured how far accuracy differs
  between groups. Expect less than the table on faces that are turned, covered, blurred, or not photographs."""

OTHER_FACES = """\
It has learnt from {what}. How these were chosen and labelled,
  and who is on them, only their own description can say; nobody has measured here how far accuracy differs between
  groups of people. Expect less than the table on faces that are otherwise lit, turned, covered, blurred, or no
  photographs."""

ON_VAL = "A figure on val leans to the high side where the epoch was chosen on it."

EXPLAINED = """\
{sight}The calibration error is how far confidence and accuracy are apart, over
bins of confidence. All of these are faces that were cut as the training faces were, so accuracy on photographs is
another matter.
"""

IN_SIGHT = "Recipes were chosen with PublicTest in sight. "

STORED = {
    "float32": "as float32",
    "float16": "as float16",
    "int8": f"as int8, those of layers of up to {SMALL:,} as float16",
}
"""How the weights of kernels and matrices are, by the card's word for it."""


def model_card(
    parts: Sequence[Measured], size: int, seed: int | None = None, trained_on: TrainingFaces | None = None
) -> str:
    """Returns the page, in Markdown.

    Args:
        parts: the network's answers on the faces that it is measured on.
        size: of its file, in bytes.
        seed: of the run; None where it is not known.
        trained_on: what the run has learnt from; likewise.
    """
    card = parts[0].card
    is_fer2013 = trained_on is not None and trained_on.is_fer2013
    learnt_from = f"{trained_on.count:,} faces, {trained_on.what}" if trained_on else "faces that are not known"
    channels = "grey" if card.channels == 1 else "RGB"
    facts = {
        "classes": ", ".join(card.class_names),
        "takes": f"uint8 (N, {card.channels}, {card.size}, {card.size}): {channels} faces in a square of "
        f"{card.margin:g} times the width of the face's box",
        "file": f"{size:,} bytes, weights stored {STORED[card.weights]}",
        "trained by": f"`{card.command}`" if card.command else "not known",
        "seed": "not known" if seed is None else str(seed),
        "with": card.versions or "not known",
        "sha256 of its weights": f"`{card.sha256}`",
        "temperature": f"{card.temperature:.4g}",
        "licence": card.licence,
    }
    measured = [
        {
            "faces": one.faces.what,
            "count": f"{len(one.right):,}",
            "accuracy (95% interval)": one.accuracy_in_words(),
            "macro F1": f"{one.f1:.1%}",
            "calibration error": f"{one.calibration_error:.3f}",
            **_answered(one),
        }
        for one in parts
    ]
    by_class = [f"\n### {one.faces.what}, by class\n\n{markdown_table(one.rows())}" for one in parts]
    return "\n".join(
        [
            f"# The network `{card.name}`\n",
            "<!-- Written by python -m fer_lightning.use.pack -->\n",
            markdown_table([{"": f"**{key}**", " ": text} for key, text in facts.items()]),
            "\n## What it was measured to do\n",
            markdown_table(measured),
            f"\n{ON_VAL}\n" if any(one.faces.is_val for one in parts) else "",
            EXPLAINED.format(sight=IN_SIGHT if is_fer2013 else ""),
            *by_class,
            "\n## What it is not for\n",
            NOT_FOR.format(unlike=FER2013_FACES if is_fer2013 else OTHER_FACES.format(what=learnt_from)),
        ]
    )


def _answered(one: Measured) -> dict[str, str]:
    """Returns the column on faces that it calls unsure, if it calls any so."""
    if not one.card.unsure_below:
        return {}
    share, accuracy = one.answered()
    return {
        f"not unsure (confidence from {one.card.unsure_below:.2f} on)": f"{share:.0%}, of these right {accuracy:.1%}"
    }
