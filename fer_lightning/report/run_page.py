"""The report of a tested network: index.html, and tables in the same folder."""

import math
from collections.abc import Mapping
from pathlib import Path

import lightning as L
import torch
from torch import Tensor

from fer_lightning.data.chart_names import chart_names, numbers_in_words
from fer_lightning.nets.first_layer import first_convolution
from fer_lightning.report import charts, face_charts
from fer_lightning.report.attention import grad_cam, transformed, transformer_of
from fer_lightning.report.calibrated import CALIBRATED
from fer_lightning.report.calibration_section import calibration_section
from fer_lightning.report.curves import curves_chart
from fer_lightning.report.page import Chart, Face, Section, Table, attempted, face_address, made, write_page
from fer_lightning.report.predictions import Predictions
from fer_lightning.report.results import Results
from fer_lightning.report.run_tables import curves_in
from fer_lightning.report.set_results import in_words, per_set
from fer_lightning.training.classifier import EmotionClassifier

FACES_OF_A_KIND = 6
"""Faces of each kind and class."""

SUSPECTS, SURE = 20, 0.9
"""Faces that the list of suspected label errors has at most, and the probability that they have at least."""

SETS = "Each set alone; the macro F1 is over the classes that it has or that its faces are taken for."


def write_report(
    folder: Path,
    model: EmotionClassifier,
    trainer: L.Trainer,
    results: Results,
    facts: Mapping[str, object],
    run_dir: Path | None,
    monitor: str,
) -> Path:
    """Writes folder/index.html and, next to it, metrics.json, predictions.csv, per_class.csv and confusion.csv.

    Args:
        folder: is made if need be.
        model: that `trainer` has just tested; its predictions are those of `results`.
        trainer: with its data module.
        results: of that test.
        facts: what else is known of it: "command", "machine", "minutes", …; they go into metrics.json too.
        run_dir: of the training, whose metrics.csv has the curves; None for an exported file.
        monitor: what picked its best checkpoint.
    """
    with attempted("its tables"):
        results.write_tables(folder)
    predictions, data = results.predictions, trainer.datamodule  # type: ignore[attr-defined]
    model.eval()
    parts = {
        "Summary": lambda section: _summary(section, model, results, facts, str(data.source)),
        "Curves": lambda section: _curves(section, run_dir, monitor),
        "Confusion": lambda section: _confusion(section, results),
        "Classes": lambda section: _classes(section, results),
        "Calibration": lambda section: calibration_section(section, results),
        "Faces": lambda section: _faces(section, predictions),
        "What the network looks at": lambda section: _attention(section, model, trainer, predictions),
    }
    if data.augmentation:
        parts["What it was fed"] = lambda section: section.charts.append(face_charts.augmentation_chart(data))
    with attempted("its page"):
        sections = [made(title, make) for title, make in parts.items()]
        write_page(folder / "index.html", f"{_name(model)} on {results.faces_of}", sections)
    results.write(folder, facts)  # the last: what has it is done
    return folder / "index.html"


def _summary(
    section: Section, model: EmotionClassifier, results: Results, facts: Mapping[str, object], source: str
) -> None:
    m, parameters = results.metrics, sum(p.numel() for p in model.net.parameters())
    metric_texts = {
        "accuracy": results.accuracy_in_words(),
        "with flip averaging": f"{m['test/accuracy_flip']:.2%}" if "test/accuracy_flip" in m else "",
        "without copies of training faces": f"{m['test/accuracy_new']:.2%}" if "test/accuracy_new" in m else "",
        "without near copies of them either": _without_near(results),
        "macro precision, recall, F1": ", ".join(f"{m[f'test/{name}']:.1%}" for name in ("precision", "recall", "f1")),
        "true class among the likeliest two": f"{m['test/top2_accuracy']:.2%}",
        "calibration error": f"{m['test/calibration_error']:.1%}",
        "calibrated": f"{m[CALIBRATED]:.1%}" if CALIBRATED in m else "",
        "tested on": f"{results.faces_of}, {len(results.predictions):,} faces",
        "data": source,
        "network": _name(model) + (f", {parameters:,} parameters" if parameters else ""),
    }
    fact_texts = {name: _as_text(name, value) for name, value in facts.items()}
    section.texts = [f"{note[0].upper()}{note[1:]}." for note in results.notes]
    section.facts = [(name, value) for name, value in (metric_texts | fact_texts).items() if value]
    if len(sets := per_set(results.predictions)):
        section.tables.append(Table.of(in_words(sets), {}, SETS))


def _curves(section: Section, run_dir: Path | None, monitor: str) -> None:
    if run_dir is None:
        section.texts.append("The curves of the training of an exported network are in the report of its run.")
        return
    if not (run_dir / "metrics.csv").is_file():
        section.texts.append("This run kept no metrics.csv: its CSV logger was off, or it was debug=one_batch.")
        return
    figure = curves_chart(curves_in(run_dir / "metrics.csv"), monitor)
    section.charts.append(Chart.of(figure, "loss, accuracy, learning rate and speed"))


def _confusion(section: Section, results: Results) -> None:
    section.texts = [*results.commonest_confusions(), *numbers_in_words(results.class_names)]
    for shares, alt in ((False, "counts"), (True, "shares of the true class")):
        figure = charts.confusion_chart(results.confusion, results.class_names, shares)
        section.charts.append(Chart.of(figure, f"confusion matrix, {alt}", alt))


def _classes(section: Section, results: Results) -> None:
    table = results.per_class()
    rows = []
    for name, values in table.iterrows():
        row: list[tuple[str, float | str]] = [(str(name), str(name))]
        for key in ("precision", "recall", "f1"):
            value, low, high = (float(values[f"{key}{end}"]) for end in ("", "_low", "_high"))
            row.append(("–" if math.isnan(value) else f"{value:.1%}", value))
            row.append(("–" if math.isnan(low) else f"{low:.0%} to {high:.0%}", low))
        rows.append([*row, (f"{values['faces']:,.0f}", float(values["faces"]))])
    columns = ["class", "precision", "95% interval", "recall", "95% interval", "F1", "95% interval", "faces"]
    section.tables.append(Table(columns, rows, "" if results.persons is None else f"Each is a {results.interval}."))
    predictions = results.predictions
    with attempted("the chart of the classes", section):
        alt = "precision, recall and F1 of each class"
        caption = f"With {results.interval.replace('interval', 'intervals')}."
        section.charts.append(Chart.of(charts.per_class_chart(table), alt, caption))
    with attempted("the precision–recall curves", section):
        caption = "Dotted: the share of the class, which guessing would give."
        figure = charts.precision_recall_chart(predictions)
        section.charts.append(Chart.of(figure, "precision over recall of each class", caption))


def _faces(section: Section, predictions: Predictions) -> None:
    right, confidence = predictions.right, predictions.confidence
    for label, name in enumerate(predictions.class_names):
        here = predictions.labels == label
        for title, chosen, score in (
            ("surest right", here & right, confidence),
            ("surest wrong", here & ~right, confidence),
            ("least sure", here, -confidence),
        ):
            rows = _highest(chosen, score, FACES_OF_A_KIND)
            if rows:
                section.faces.append((f"{name}: {title}", [_face(predictions, row) for row in rows]))
    suspects = _highest(~right & (confidence >= SURE), confidence, SUSPECTS)
    if not suspects:
        section.texts.append(f"No label is suspect: no wrong prediction has a probability of {SURE:.0%} or more.")
        return
    frame = predictions.table().iloc[suspects].filter(["set", "row", "split", "file", "label", "prediction"])
    frame["probability"] = confidence[suspects].tolist()
    caption = (
        f"Suspected label errors: the network is at least {SURE:.0%} sure, and the label says otherwise. What that is "
        f"worth depends on its calibration."
    )
    section.tables = [Table.of(frame, {"probability": ".1%"}, caption)]


def _attention(section: Section, model: EmotionClassifier, trainer: L.Trainer, predictions: Predictions) -> None:
    if not list(model.net.parameters()):
        section.texts.append(
            "An exported file gives its answers and shows no layers: Grad-CAM and the first kernels are in the report "
            "of its run."
        )
        return
    data = trainer.datamodule  # type: ignore[attr-defined]
    rows = [  # of each class the surest right face, and the surest wrong one
        row
        for label in range(len(predictions.class_names))
        for right in (True, False)
        for row in _highest((predictions.labels == label) & (predictions.right == right), predictions.confidence, 1)
    ]
    images, _ = data.on_after_batch_transfer((predictions.images[rows], predictions.labels[rows]), 0)
    images = images.to(model.device, model.net_dtype)
    with attempted("Grad-CAM", section):
        maps, layer = grad_cam(model.net, images, predictions.predicted[rows].to(images.device))
        figure = face_charts.grad_cam_chart(predictions, rows, maps.float().cpu())
        caption = (
            f"Grad-CAM (captum) at layer {layer}: light where the evidence for the predicted class lies. "
            f"Of each class the surest right face, above, and the surest wrong one."
        )
        section.charts.append(Chart.of(figure, "Grad-CAM over a right and a wrong face of each class", caption))
    if transformer := transformer_of(model.net):
        with attempted("the spatial transformer's view", section):
            warped, boxes = transformed(transformer, images)
            names = chart_names(predictions.class_names)
            names = [names[label] for label in predictions.labels[rows].tolist()]
            caption = "Above: the face and the box that the spatial transformer reads. Below: what it hands on."
            figure = face_charts.transformer_chart(images, warped, boxes, names)
            section.charts.append(Chart.of(figure, "faces before and after the spatial transformer", caption))
    with attempted("the first kernels", section):
        name, first = first_convolution(model.net)
        figure = face_charts.kernels_chart(first.weight.detach().float().cpu())
        section.charts.append(Chart.of(figure, "kernels of the first layer", f"First kernels, of layer {name}."))


def _without_near(results: Results) -> str:
    if results.near_copies is None or "test/accuracy_without_near" not in results.metrics:
        return ""
    accuracy = results.metrics["test/accuracy_without_near"]
    return f"{accuracy:.2%} ({results.near_copies:,} faces are copies or near copies)"


def _name(model: EmotionClassifier) -> str:
    """Returns torchvision's name for its networks, the class for others."""
    arguments: dict[str, object] = model.hparams["arguments"]
    return str(arguments.get("arch", type(model.net).__name__))


def _as_text(name: str, value: object) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "not a number"
        if name.startswith(("val/", "train/")):
            return f"{value:.4f}" if name.endswith("loss") else f"{value:.2%}"
        return f"{value:.1f}"
    return str(value)


def _face(predictions: Predictions, row: int) -> Face:
    names, probabilities = predictions.class_names, predictions.probabilities[row]
    likeliest, label = probabilities.topk(min(3, len(names))).indices.tolist(), int(predictions.labels[row])
    shown = likeliest if label in likeliest else [*likeliest[:-1], label]
    return Face(
        address=face_address(predictions.images[row]),
        label=names[label],
        prediction=names[int(predictions.predicted[row])],
        where=predictions.where(row),
        file=predictions.files[row] if predictions.files else "",
        bars=[(names[place], float(probabilities[place])) for place in shown],
    )


def _highest(chosen: Tensor, score: Tensor, count: int) -> list[int]:
    """Returns the rows of the highest scores among those that are chosen, highest first."""
    rows = torch.nonzero(chosen).flatten()
    return rows[score[rows].argsort(descending=True, stable=True)[:count]].tolist()
