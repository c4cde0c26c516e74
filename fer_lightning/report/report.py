"""The report of a tested network: index.html and the tables beside it."""

from collections.abc import Mapping
from pathlib import Path

import lightning as L
import pandas as pd
import torch
from torch import Tensor

from fer_lightning.classifier import EmotionClassifier
from fer_lightning.nets.grey import first_convolution
from fer_lightning.report import charts, sheets
from fer_lightning.report.curves import curves_figure
from fer_lightning.report.figures import Results
from fer_lightning.report.page import Face, Picture, Section, Table, face_address, made, write_page
from fer_lightning.report.predictions import Predictions

SHOWN = 6
"""Faces of each kind and class."""

SUSPECTS = 20
"""Faces that the list of suspected label errors has at most."""


def write_report(
    folder: Path,
    model: EmotionClassifier,
    trainer: L.Trainer,
    results: Results,
    facts: Mapping[str, object],
    run_dir: Path,
) -> Path:
    """folder/index.html and, beside it, metrics.json, predictions.csv, per_class.csv and confusion.csv.

    Args:
        folder: is made if need be.
        model: that `trainer` has just tested; its predictions are those of `results`.
        trainer: with its data module.
        results: of that test.
        facts: what else is known of it: "command", "machine", "minutes", …; they go into metrics.json too.
        run_dir: of the training, whose metrics.csv has the curves.
    """
    results.write(folder, **facts)
    predictions = results.predictions
    data = trainer.datamodule  # type: ignore[attr-defined]
    model.eval()
    parts = (
        ("Summary", lambda section: _summary(section, model, results, facts, str(data.source))),
        ("Curves", lambda section: _curves(section, run_dir, str(facts.get("monitor", "val/accuracy")))),
        ("Confusion", lambda section: _confusion(section, results)),
        ("Classes", lambda section: _classes(section, results)),
        ("Faces", lambda section: _faces(section, predictions)),
        ("What the network looks at", lambda section: _attention(section, model, trainer, predictions)),
        ("What it was fed", lambda section: section.pictures.append(sheets.fed_picture(data))),
    )
    sections = [made(title, make) for title, make in parts if title != "What it was fed" or data.augmentation]
    write_page(folder / "index.html", f"{type(model.net).__name__} on {results.faces_of}", sections)
    return folder / "index.html"


def _summary(
    section: Section, model: EmotionClassifier, results: Results, facts: Mapping[str, object], source: str
) -> None:
    m = results.metrics
    low, high = m["test/accuracy_low"], m["test/accuracy_high"]
    of_metrics = {
        "accuracy": f"{m['test/accuracy']:.2%} (95% interval {low:.1%} to {high:.1%})",
        "with flip averaging": f"{m['test/accuracy_flip']:.2%}" if "test/accuracy_flip" in m else "",
        "without copies of training faces": f"{m['test/accuracy_new']:.2%}" if results.copies else "",
        "macro precision, recall, F1": ", ".join(f"{m[f'test/{name}']:.1%}" for name in ("precision", "recall", "f1")),
        "true class among the likeliest two": f"{m['test/top2_accuracy']:.2%}",
        "calibration error": f"{m['test/calibration_error']:.1%}",
        "tested on": f"{results.faces_of}, {len(results.predictions):,} faces",
        "data": source,
        "network": f"{type(model.net).__name__}, {sum(p.numel() for p in model.net.parameters()):,} parameters",
    }
    told = {name: _told(name, value) for name, value in facts.items()}
    section.facts = [(name, value) for name, value in (of_metrics | told).items() if value]


def _curves(section: Section, run_dir: Path, monitor: str) -> None:
    metrics = pd.read_csv(run_dir / "metrics.csv")
    section.pictures.append(Picture.of(curves_figure(metrics, monitor), "loss, accuracy, learning rate and speed"))


def _confusion(section: Section, results: Results) -> None:
    section.texts = results.commonest_confusions()
    for shares, alt in ((False, "counts"), (True, "shares of the true class")):
        figure = charts.confusion_figure(results.confusion, results.class_names, shares)
        section.pictures.append(Picture.of(figure, f"confusion matrix, {alt}", alt))


def _classes(section: Section, results: Results) -> None:
    table = results.per_class()
    shown = pd.DataFrame({"class": table.index})
    for name in ("precision", "recall", "f1"):
        shown[name] = table[name].to_numpy()
        ends = zip(table[f"{name}_low"], table[f"{name}_high"], strict=True)
        shown[f"{name}, 95%"] = [f"{low:.0%} to {high:.0%}" if low == low else "–" for low, high in ends]
    shown["faces"] = table["faces"].tolist()
    section.tables = [Table.of(shown, {"precision": ".1%", "recall": ".1%", "f1": ".1%", "faces": ","})]
    section.pictures = [
        Picture.of(charts.per_class_figure(table), "precision, recall and F1 of each class", "with 95% intervals"),
        Picture.of(
            charts.precision_recall_figure(results.predictions),
            "precision over recall of each class",
            "dotted: the share of the class, which guessing would give",
        ),
        Picture.of(charts.reliability_figure(results.predictions), "accuracy over confidence"),
    ]


def _faces(section: Section, predictions: Predictions) -> None:
    right, confidence = predictions.right, predictions.confidence
    for label, name in enumerate(predictions.class_names):
        here = predictions.labels == label
        for title, chosen, score in (
            ("surest right", here & right, confidence),
            ("surest wrong", here & ~right, confidence),
            ("least sure", here, -confidence),
        ):
            rows = _highest(chosen, score, SHOWN)
            if rows:
                section.faces.append((f"{name}: {title}", [_face(predictions, row) for row in rows]))
    suspects = _highest(~right, confidence, SUSPECTS)
    frame = predictions.table().iloc[suspects][["row", "split", "label", "prediction"]]
    frame["probability"] = confidence[suspects].tolist()
    caption = "Suspected label errors: the network is sure and the label says otherwise."
    section.tables = [Table.of(frame, {"probability": ".1%"}, caption)]


def _attention(section: Section, model: EmotionClassifier, trainer: L.Trainer, predictions: Predictions) -> None:
    data = trainer.datamodule  # type: ignore[attr-defined]
    rows = [
        row
        for label in range(len(predictions.class_names))
        for right in (True, False)
        for row in _highest((predictions.labels == label) & (predictions.right == right), predictions.confidence, 1)
    ]
    images, _ = data.on_after_batch_transfer((predictions.images[rows], predictions.labels[rows]), 0)
    images = images.to(model.device, model.net_dtype)
    section.pictures = sheets.attention_pictures(model, images, predictions, rows)
    kernels = first_convolution(model.net)[1].weight.detach().float().cpu()
    section.pictures.append(Picture.of(sheets.kernels_figure(kernels), "kernels of the first layer", "First layer."))


def _told(name: str, value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2%}" if name.startswith(("val/", "train/")) and not name.endswith("loss") else f"{value:.1f}"
    return str(value)


def _face(predictions: Predictions, row: int) -> Face:
    names, probabilities = predictions.class_names, predictions.probabilities[row]
    return Face(
        address=face_address(predictions.images[row]),
        label=names[int(predictions.labels[row])],
        prediction=names[int(predictions.predicted[row])],
        where=f"{predictions.parts[row]}, row {int(predictions.numbers[row]):,}",
        bars=[(names[place], float(probabilities[place])) for place in probabilities.topk(3).indices.tolist()],
    )


def _highest(chosen: Tensor, score: Tensor, count: int) -> list[int]:
    """The rows of the highest scores among those that are chosen, highest first."""
    rows = torch.nonzero(chosen).flatten()
    return rows[score[rows].argsort(descending=True, stable=True)[:count]].tolist()
