"""The page about a network that comes with the package: how it was made, what it can do, and what it is not for."""

from fer_lightning.report.results_table import markdown_table
from fer_lightning.use.measured import Measured

NOT_FOR = """\
- **An expression is not a feeling.** The network names the expression that people see in a picture of a face. What the
  person feels, means or is like cannot be read from it.
- **Decisions about people.** Do not use it to hire, grade, insure, police, diagnose or watch anybody. Emotion
  recognition at work and in schools is restricted by law in places: in the European Union it is prohibited there but
  for medical and safety reasons (Regulation (EU) 2024/1689, Article 5(1)(f)).
- **Faces unlike those it has learnt from.** FER2013 is a research data set: faces that a search engine returned in 2013
  for words of emotions, in grey and 48×48 pixels, many of them posed, with labels that people often disagree about. It
  says nothing about how old its people are or where they are from, so nobody has measured how far accuracy differs
  between groups. Expect less than the table on faces that are turned, covered, blurred, or not photographs.
"""


def model_card(val: Measured, test: Measured, size: int) -> str:
    """Returns the page, in Markdown.

    Args:
        val: the network's answers on the split that its epoch was chosen on.
        test: those on the split that nothing was chosen on.
        size: of its file, in bytes.
    """
    card = val.card
    facts = {
        "classes": ", ".join(card.class_names),
        "takes": f"uint8 (N, {card.channels}, {card.size}, {card.size}): {'grey' if card.channels == 1 else 'RGB'} "
        f"faces in a square of {card.margin:g} times the width of the face's box",
        "file": f"{size:,} bytes, weights stored as {card.weights}",
        "trained by": f"`{card.command}`" if card.command else "not known",
        "with": card.versions or "not known",
        "sha256 of its weights": f"`{card.sha256}`",
        "temperature": f"{card.temperature:.4g}",
        "licence": card.licence,
    }
    splits = [
        {
            "split": one.faces.what,
            "faces": f"{len(one.right):,}",
            "accuracy (95% interval)": one.accuracy_in_words(),
            "macro F1": f"{one.f1:.1%}",
            "calibration error": f"{one.calibration_error:.3f}",
        }
        for one in (val, test)
    ]
    return "\n".join(
        [
            f"# The network `{card.name}`\n",
            "<!-- Written by python -m fer_lightning.use.pack -->\n",
            markdown_table([{"": f"**{key}**", " ": text} for key, text in facts.items()]),
            "\n## What it was measured to do\n",
            markdown_table(splits),
            "\nThe epoch was chosen on the first of these, so the figure leans to the high side; nothing was chosen on "
            "the second. The calibration error is how far confidence and accuracy are apart, over bins of confidence.",
            _unsure(test),
            f"\n### By class, on {test.faces.what}\n",
            markdown_table(test.rows()),
            "\n## What it is not for\n",
            NOT_FOR,
        ]
    )


def _unsure(test: Measured) -> str:
    if not test.card.unsure_below:
        return ""
    share, accuracy = test.answered()
    return (
        f"Below a confidence of {test.card.unsure_below:.2f} it calls a face unsure: on the second it answers "
        f"{share:.0%} of the faces, and is right on {accuracy:.1%} of these."
    )
