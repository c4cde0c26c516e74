"""predict.py, which is fer-predict where the package is installed: from what was typed to what lies in a folder."""

import io
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lightning.errors import ConfigError, DataError
from fer_lightning.files import printable
from fer_lightning.installation import code_version, shell_command
from fer_lightning.use.arguments import SCRIPT, Command, parsed
from fer_lightning.use.stopping import Stopped, StopRequests
from fer_lightning.use.streams import READER_GONE, open_closed_streams, print_nowhere

if TYPE_CHECKING:
    from fer_lightning.use.detector import Detector
    from fer_lightning.use.faces import Answer
    from fer_lightning.use.given_boxes import GivenBoxes
    from fer_lightning.use.network import Network
    from fer_lightning.use.output import Heading, Output
    from fer_lightning.use.sources import Source
    from fer_lightning.use.tables import FacesLines

WRONG_COMMAND = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Predicts as the command line says, and returns the exit status."""
    typed = [*sys.argv[1:]] if arguments is None else [*arguments]
    closed = open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files hold any letters, and terminals not all of them
            stream.reconfigure(errors="backslashreplace")
    try:
        command = parsed(typed)
        if command.as_json and "stdout" in closed:
            raise OSError("--json prints, and standard output is closed")
        return predict(command, printable(shlex.join([*shell_command(SCRIPT).split(), *typed])))
    except (ConfigError, DataError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return WRONG_COMMAND
    except KeyboardInterrupt:
        return 130
    except Stopped as stopped:
        return stopped.exit_status
    except BrokenPipeError:
        print_nowhere()
        return READER_GONE
    except OSError as error:  # those of reading are in the results
        print(f"error: the results cannot be written: {error}", file=sys.stderr)
        return 1


def predict(command: Command, typed: str) -> int:
    """Looks at everything that a command names, and writes what was found; returns the exit status.

    Raises:
        ConfigError, DataError: it names a network, a file of boxes or a folder that cannot be used.
        OSError: the results cannot be written.
    """
    from fer_lightning.use import line, summary
    from fer_lightning.use.endable_runs import RunEndedError, ended_by_signals
    from fer_lightning.use.given_boxes import GivenBoxes
    from fer_lightning.use.output import Output
    from fer_lightning.use.result_folder import result_folder
    from fer_lightning.use.sources import planned, webcam
    from fer_lightning.use.tracks import tracked

    with StopRequests() as stop, ended_by_signals():
        sources = planned(command.paths, command.recursive) if command.webcam is None else [webcam(command.webcam)]
        folder = result_folder(command)
        network, detector = _network(command), _detector(command)
        card = network.card
        unsure = card.unsure_below if command.unsure is None else command.unsure
        heading = _heading(command, network, detector, unsure, typed, sources)
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        output = Output(folder, command.parts, heading)
        printed = _json_lines(heading.made_with) if command.as_json else None
        frames = stop.before_stopped(frame for source in sources for frame in source.frames())
        # A camera's frames are answered one by one; of others, each thread searches one.
        batch, at_once = (1, 1) if command.webcam is not None else (64, _threads(command))
        answered = line.answers(frames, detector, network, batch, unsure, at_once=at_once)
        answers = tracked(answered, command.smooth, unsure)
        try:
            for answer in _with_progress(answers, sources):
                output.write(answer)
                if printed:
                    printed.write(answer)
        except RunEndedError:  # by the signal that asked to stop
            pass
        finally:
            stopped = stop.received is not None
            output.close(stopped)
        if not command.as_json and (table := summary.results_table(output.overview)):
            print(table, flush=True)
        output.write_page(stopped)
        # Of a command that was stopped, the others might still have come.
        boxes = detector if isinstance(detector, GivenBoxes) and not stopped else None
        _report(output, stopped, boxes)
        if stopped:
            return stop.exit_status
        failed = output.incomplete or output.overview.nothing_read or (boxes and boxes.all_unused)
        return 1 if failed else 0


def _network(command: Command) -> "Network":
    """Returns the network that an option names: a name is never taken for a path, nor a path for a name.

    Raises:
        ConfigError: there is no such network; says which option names it.
    """
    from fer_lightning.use.network import DEFAULT_NETWORK, exported_network, packaged_network, trained_network

    how = command.tta, command.threads, command.device
    if command.run:
        with _blamed("--run"):
            return trained_network(command.run, *how)
    if command.model:
        with _blamed("--model"):
            return exported_network(command.model, *how)
    with _blamed("--network"):
        return packaged_network(command.network or DEFAULT_NETWORK, *how)


@contextmanager
def _blamed(option: str) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from error


def _detector(command: Command) -> "Detector":
    from fer_lightning.use import detector

    if command.boxes:
        return detector.GivenBoxes(command.boxes)
    if command.detector == "none":
        return detector.WholePicture()
    score = {} if command.min_score is None else {"min_score": command.min_score}
    threads = _threads(command) if command.webcam is not None else 1
    return detector.YuNet(min_size=command.min_size, threads=threads, **score)


def _threads(command: Command) -> int:
    return command.threads or os.cpu_count() or 1


def _heading(
    command: Command,
    network: "Network",
    detector: "Detector",
    unsure: float,
    typed: str,
    sources: Sequence["Source"],
) -> "Heading":
    from fer_lightning.use.output import Heading

    card = network.card
    finder = "given boxes" if command.boxes else command.detector
    score, size = (getattr(detector, name, None) for name in ("min_score", "min_size"))  # YuNet has them
    version, tta = code_version(), "flip" if "flip" in (command.tta, card.tta) else "none"
    described: dict[str, object] = {
        "name": card.name,
        "sha256": card.sha256,
        "class_names": [*card.class_names],
        "tta": tta,
    }
    described |= {"size": card.size, "channels": card.channels, "margin": card.margin, "temperature": card.temperature}
    thresholds = {"min_score": score, "min_size": size, "unsure_below": unsure}
    made_with = {
        "network": described,
        "version": version,
        "command": typed,
        "detector": finder,
        "thresholds": thresholds,
        "smoothed_over_s": command.smooth,
    }
    facts = {
        "network": f"{card.name}{', with flip averaging' if tta == 'flip' else ''}",
        "its weights": f"sha256 {card.sha256}" if card.sha256 else "",
        "unsure below": f"{unsure:.0%}" if unsure else "",
        "detector": finder if score is None else f"{finder}, score at least {score:g}",
        "command": typed,
        "version": version,
    }
    # Whole paths: FFmpeg would take a file's name that begins with `http:` for an address.
    paths = {source.name: Path(source.path).absolute() for source in sources if source.kind in ("video", "animation")}
    return Heading(card.class_names, made_with, facts, paths, network if command.explain else None)  # type: ignore[arg-type]


def _with_progress(answers: Iterable["Answer"], sources: Sequence["Source"]) -> Iterable["Answer"]:
    """Returns the answers, with a bar on a terminal that shows how many come a second, and the time left."""
    if not sys.stderr.isatty():
        return answers
    from tqdm import tqdm

    counts = [1 if source.kind == "unreadable" else source.frame_count for source in sources]
    total = None if None in counts else sum(count or 0 for count in counts)
    return tqdm(answers, total=total, unit=" frames", leave=False, dynamic_ncols=True, file=sys.stderr)  # type: ignore[no-any-return]


def _report(output: "Output", stopped: bool, boxes: "GivenBoxes | None") -> None:
    """Says on standard error how much was looked at, what could not be read, and where the results lie.

    Args:
        boxes: all frames have asked it for theirs.
    """
    from fer_lightning.use import summary

    lines = [] if output.overview.nothing_read else [summary.counts_in_words(output.overview)]
    lines += summary.failure_lines(output.overview)
    if output.written:
        lines.append(summary.places(output.folder, output.written))
    if boxes:
        lines += summary.unused_lines(boxes)
    if output.incomplete:
        lines.append(f"error: the results are not complete: {', '.join(output.incomplete)} could not be written")
    if stopped:
        lines.insert(0, "stopped: this is what was found by then")
    print("\n".join(lines), file=sys.stderr)


def _json_lines(made_with: Mapping[str, object]) -> "FacesLines":
    """Returns what prints faces.jsonl's lines: JSON is in UTF-8, whatever the terminal takes."""
    from fer_lightning.use.tables import FacesLines

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    return FacesLines(sys.stdout, made_with)
