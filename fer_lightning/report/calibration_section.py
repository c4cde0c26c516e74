"""The section of a report on what probabilities are worth, before and after calibration."""

from fer_lightning.report import charts
from fer_lightning.report.page import Chart, Section, attempted
from fer_lightning.report.results import Results


def calibration_section(section: Section, results: Results) -> None:
    """Fills a section with the reliability diagrams and the risk–coverage curves."""
    calibrated, metrics = results.calibrated, results.metrics
    assert calibrated is not None
    section.texts = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in calibrated.sentences(metrics)]
    if val := calibrated.as_json().get("val"):
        section.texts.append(
            f"Fitted on {val['faces']:,} faces of val, whose calibration error it takes from "
            f"{val['calibration_error']:.1%} to {val['calibration_error_calibrated']:.1%}."
        )
    temperature = calibrated.calibration.temperature
    for when, predictions, error in (
        ("As the network gives them", results.predictions, metrics["test/calibration_error"]),
        (f"At the temperature {temperature:.2f}", calibrated.predictions, metrics["test/calibration_error_calibrated"]),
    ):
        with attempted("the reliability diagram", section):
            caption = f"{when}: calibration error {error:.1%}. With 95% intervals over faces: a bin of few says little."
            figure = charts.reliability_chart(predictions)
            section.charts.append(Chart.of(figure, f"accuracy over confidence, {when.lower()}", caption))
    with attempted("the risk–coverage curve", section):
        figure = charts.risk_coverage_chart(calibrated.curves, calibrated.calibration.unsure_below)
        caption = "The accuracy if only the faces are answered on which the network is surest."
        if calibrated.calibration.unsure_below:
            caption += " To the right of the points, val's labels are more often wrong than right: they are “unsure”."
        section.charts.append(Chart.of(figure, "accuracy over the share of faces answered", caption))
