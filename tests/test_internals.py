"""What libraries have for themselves alone and we use all the same is still there: each in the file named."""

import asyncio
import inspect
from pathlib import Path

import h11
import lightning as L
import pytest
import uvicorn
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from omegaconf import OmegaConf
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from fer_lightning.config.hydra_internals import get_args_parser, root_of
from tests.conftest import trainer


@pytest.fixture
def idle(tmp_path: Path) -> L.Trainer:
    return trainer(tmp_path)


def test_the_fit_loop_has_what_callbacks_fit_loop_reaches_for(idle: L.Trainer) -> None:
    loop = idle.fit_loop
    assert (loop.restarting, loop.restarted_mid_epoch, loop.epoch_loop.restarting) == (False, False, False)
    assert (loop.epoch_progress.current.ready, loop.epoch_progress.current.completed) == (0, 0)
    assert loop.epoch_loop.batch_progress.current.ready == 0
    assert loop.epoch_loop._batches_that_stepped == 0


def test_the_loops_state_has_the_counts_of_a_checkpoint(idle: L.Trainer) -> None:
    state = idle.fit_loop.state_dict()
    counts = {"ready", "started", "processed", "completed"}
    assert set(state["epoch_progress"]) == {"total", "current"}
    for progress in ("epoch_progress", "epoch_loop.batch_progress"):
        for span in ("total", "current"):
            assert counts <= set(state[progress][span])
    assert state["epoch_loop.batch_progress"]["is_last_batch"] is False


def test_a_strategy_has_what_config_devices_asks_of_it(tmp_path: Path) -> None:
    strategy = DDPStrategy()
    assert (strategy._start_method, strategy._layer_sync) == ("popen", None)
    several = trainer(tmp_path, devices=2, strategy=strategy)
    assert isinstance(several.strategy.launcher, _SubprocessScriptLauncher)
    assert several.strategy.launcher.procs == []
    assert callable(several.strategy.launcher.kill)


def test_the_csv_writer_has_what_callbacks_metrics_csv_replaces(tmp_path: Path) -> None:
    assert CSVLogger(tmp_path)._experiment is None
    writer = ExperimentWriter(str(tmp_path / "new"))
    assert callable(writer._rewrite_with_new_header)
    assert callable(writer._check_log_dir_exists)
    assert writer.metrics_keys == []
    assert Path(writer.metrics_file_path).name == ExperimentWriter.NAME_METRICS_FILE


def test_hydra_has_what_hydra_internals_and_our_sweepers_use() -> None:
    assert {"sweep", "split_arguments", "_parse_config"} <= set(dir(BasicSweeper))
    assert "params" in BasicSweeperConf.__dataclass_fields__
    assert get_args_parser().parse_args(["-m", "seed=1"]).overrides == ["seed=1"]
    config = OmegaConf.create({"a": {"b": {"c": 1}}})
    assert root_of(config.a.b) is config


async def nothing(_: object, __: object, ___: object) -> None:
    """An application that answers nothing."""


def test_uvicorns_protocols_have_what_use_slow_clients_needs() -> None:
    config, state, loop = uvicorn.Config(nothing), ServerState(), asyncio.new_event_loop()
    http, socket = H11Protocol(config, state, {}, loop), WebSocketsSansIOProtocol(config, state, {}, loop)
    loop.close()
    assert http.loop is socket.loop is loop
    assert (len(http.connections), vars(http)["cycle"]) == (0, None)
    assert (http.conn.trailing_data, http.conn.our_state) == ((b"", False), h11.IDLE)
    for method in ("connection_made", "connection_lost", "pause_writing", "resume_writing"):
        assert callable(getattr(http, method))
        assert callable(getattr(socket, method))
    for method in ("handle_events", "on_response_complete"):
        assert not inspect.signature(getattr(http, method)).parameters
    assert [*inspect.signature(http.handle_websocket_upgrade).parameters] == ["event"]
    assert not inspect.signature(socket.keepalive_timeout).parameters
    assert inspect.iscoroutinefunction(socket.send)
    assert socket.close_timeout > 0
