"""The metrics of each stage, and what those of an epoch that has begun have counted, for a checkpoint."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassPrecision, MulticlassRecall
from torchmetrics.utilities.distributed import gather_all_tensors

MetricStates = dict[str, dict[str, Tensor]]
"""By metric and the name of its state, a tensor whose first axis is the process."""


def stage_metrics(classes: int) -> tuple[MetricCollection, ...]:
    """Returns the metrics of train, val and test.

    They do not look through the values of each batch, which is to wait for the device.
    """
    metrics = MetricCollection(
        {
            "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
            "precision": MulticlassPrecision(classes, validate_args=False),
            "recall": MulticlassRecall(classes, validate_args=False),
            "f1": MulticlassF1Score(classes, validate_args=False),
        }
    )
    return tuple(metrics.clone(prefix=f"{stage}/") for stage in ("train", "val", "test"))


def metric_states(metrics: Mapping[str, Metric], processes: int) -> MetricStates:
    """Returns the states of all processes; each of them calls this.

    torchmetrics keeps them out of the state dict. Float sums depend on their order, so that each process needs its own.
    """
    return {
        name: {state: _gathered(value, processes) for state, value in metric.metric_state.items()}
        for name, metric in metrics.items()
    }


def restore_metric_states(metrics: Mapping[str, Metric], states: MetricStates, processes: int, rank: int) -> None:
    """Gives each process its own states back; where there were more processes, also those of others."""
    for name, metric in metrics.items():
        for state, values in states.get(name, {}).items():
            setattr(metric, state, values[rank::processes].sum(0).to(metric.device))


def _gathered(value: Any, processes: int) -> Tensor:
    assert isinstance(value, Tensor)
    return torch.stack(gather_all_tensors(value)) if processes > 1 else value[None]
