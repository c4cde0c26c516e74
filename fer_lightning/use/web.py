"""Writes the page as a folder that needs no server of ours: python -m fer_lightning.use.web OUT

Detector and network run in the visitor's browser, by onnxruntime-web, which npm fetches when the folder is made. Any
host of static files can show it; from a disk, `python -m http.server -d OUT` does, since browsers run no modules from
file:// addresses.
"""

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.use.arguments import score, share
from fer_lightning.use.streams import open_closed_streams

RUNTIME = "onnxruntime-web@1.30.0"

RUNTIME_INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""As npm has it: of the packed file."""

RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")

NPM_SECONDS = 600


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the folder that the command line names, and returns the exit status."""
    open_closed_streams()
    given = _parser().parse_args(arguments)
    try:
        write_page(given.out, given.model or given.network, given.runtime, given.min_score, given.unsure)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}/index.html is the page. To see it here: python -m http.server -d {given.out}")
    return 0


def write_page(
    out: Path,
    network: str | Path | None = None,
    runtime: Path | None = None,
    min_score: float = 0.8,
    unsure: float | None = None,
) -> None:
    """Writes the page with a network into a folder.

    Args:
        out: is new or empty.
        network: small, large or ferplus, which come with the package, or an exported .onnx file; None for small.
        runtime: the packed file of onnxruntime-web; None to have npm fetch it.
        min_score: of a face, above 0 and at most 1.
        unsure: the confidence below which the label is "unsure"; None for the network's own.

    Raises:
        ConfigError: the folder has something in it, there is no such network, or onnxruntime-web cannot be had.
    """
    from fer_lightning.use.detector import yunet_model
    from fer_lightning.use.network import BROWSER_NETWORK, NETWORKS
    from fer_lightning.use.network import network as chosen
    from fer_lightning.use.onnx_network import OnnxNetwork
    from fer_lightning.use.page import page_files

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty, and nothing is overwritten. Give a new or empty folder")
    name = str(network or BROWSER_NETWORK)
    loaded = chosen(name, threads=1)
    if not isinstance(loaded, OnnxNetwork):
        raise ConfigError(f"{name} is no .onnx file. Export it first: python -m fer_lightning.use.export {name}")
    inside = NETWORKS / f"{name}.onnx"
    card = asdict(loaded.card) | {"min_score": min_score}
    if unsure is not None:
        card["unsure_below"] = unsure
    files = {f"runtime/{file}": content for file, content in _runtime_files(runtime).items()}
    files |= page_files("browser")
    files |= {
        "network.onnx": (inside if inside.is_file() else Path(name)).read_bytes(),
        "yunet.onnx": yunet_model(),
        "card.json": json.dumps(card, ensure_ascii=False).encode(),
    }
    try:
        for path, content in files.items():
            with written_whole(out / path) as unfinished:
                unfinished.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error}") from error


def _runtime_files(packed: Path | None) -> dict[str, bytes]:
    """Returns what the page needs of onnxruntime-web, if the packed file is the one that is known."""
    content = _read(packed) if packed else _fetched()
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
    if integrity != RUNTIME_INTEGRITY:
        raise ConfigError(
            f"{packed or 'what npm fetched'} is not {RUNTIME}: its integrity is {integrity}, not {RUNTIME_INTEGRITY}"
        )
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        members = {file: archive.extractfile(f"package/dist/{file}") for file in RUNTIME_FILES}
        return {file: member.read() for file, member in members.items() if member}


def _read(packed: Path) -> bytes:
    try:
        return packed.read_bytes()
    except OSError as error:
        raise ConfigError(f"--runtime {packed} cannot be read: {error}") from error


def _fetched() -> bytes:
    """Returns the packed file of onnxruntime-web, as npm fetches it."""
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigError(
            f"{RUNTIME} is fetched by npm, which is not there. Install Node.js; or type `npm pack {RUNTIME}` where npm "
            f"is, and give its file here: --runtime FILE.tgz"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", RUNTIME, "--pack-destination", folder, "--loglevel", "error"]
        try:
            subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=NPM_SECONDS)
            return next(Path(folder).glob("*.tgz")).read_bytes()
        except (OSError, subprocess.SubprocessError, StopIteration) as error:
            said = getattr(error, "stderr", "") or str(error)
            raise ConfigError(f"npm could not fetch {RUNTIME}: {str(said).strip()[:500]}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fer_lightning.use.web",
        description="Writes a page that finds faces in pictures and from a camera in the visitor's own browser.",
        allow_abbrev=False,
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder, new or empty")
    add = parser.add_mutually_exclusive_group().add_argument
    add("--network", metavar="NAME", help="small (the default), large or ferplus, of the package")
    add("--model", metavar="FILE", help="an exported network, FILE.onnx")
    add = parser.add_argument
    add("--runtime", metavar="FILE", type=Path, help=f"of `npm pack {RUNTIME}`, where npm is not there")
    add("--min-score", metavar="X", type=score, default=0.8, help="score of a face at least, 0 to 1 (0.8)")
    add("--unsure", metavar="X", type=share, help="say unsure below this probability (the network's own; 0: never)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
