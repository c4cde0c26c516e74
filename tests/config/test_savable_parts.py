"""Parts whose state no checkpoint would give back are refused before the first step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import OmegaConf

from fer_lightning.config.trial import tried_optimizer
from fer_lightning.errors import ConfigError
from fer_lightning.training.savable import unsavable
from tests.conftest import Compose
from tests.stopped_runs import BASE, fitted, run_folder


class Kept(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        self.param_groups[0]["seen"] = self.seen()
        return loss

    def seen(self) -> Any:
        return np.float64(0.5)


class Failing(Kept):
    def seen(self) -> Any:
        raise KeyError("seen")


class Rateless(torch.optim.SGD):
    def __init__(self, params: Any) -> None:
        super().__init__(params)
        for group in self.param_groups:
            group["lr"] = None


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Kept, r"^Kept could not be resumed: its state\.param_groups\.0\.seen is a numpy\.float64"),
        (Failing, "^a step of Failing fails: KeyError"),
        (Rateless, "^Rateless has no lr"),
        (torch.optim.LBFGS, "per-parameter options"),
        (torch.optim.SparseAdam, "^a step of SparseAdam fails: .*dense gradients"),
    ],
)
def test_an_optimizer_that_fails_late_is_refused_at_once(kind: type[Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tried_optimizer(kind, torch.device("cpu"))


def test_what_a_checkpoint_would_not_give_back_is_named() -> None:
    fine = {"a": [1, (2.5, None)], "b": {"c": torch.ones(3), 4: "x"}, "d": torch.float32, "e": {1, 2}}
    assert unsavable(fine) is None
    for value, kind in [
        (np.float64(1), "numpy.float64"),
        (OmegaConf.create([1]), "omegaconf.listconfig.ListConfig"),
        (Path("x"), "pathlib"),
        (lambda: 1, "builtins.function"),
    ]:
        problem = unsavable({**fine, "f": [0, {"g": value}]}, "state")
        assert problem is not None
        assert problem.startswith(f"state.f.1.g is a {kind}")


class Counting(Callback):
    """Its state is plain, until it is not."""

    def __init__(self, plain_saves: int) -> None:
        self.plain_saves, self.steps = plain_saves, 0

    def on_train_batch_end(self, *_: Any) -> None:
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        self.plain_saves -= 1
        return {"best": None if self.plain_saves >= 0 else np.float64(0.5)}


@pytest.mark.parametrize(("plain_saves", "epochs"), [(0, 0), (1, 1)])
def test_a_checkpoint_that_could_not_be_read_is_not_written(
    plain_saves: int, epochs: int, composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    counting = Counting(plain_saves)
    cfg = run_folder(composed, tmp_path, "run", *BASE, f"data.path={few_faces}")
    with pytest.raises(ConfigError, match=r"is not written: checkpoint\.callbacks\.Counting\.best is a numpy\.float64"):
        fitted(cfg, counting)
    assert (counting.steps > 0) == (epochs > 0)  # at once, if it can be seen at once
    left = list((tmp_path / "run" / "checkpoints").glob("*.ckpt"))
    assert [torch.load(path, weights_only=True)["epoch"] for path in left] == [0] * epochs
