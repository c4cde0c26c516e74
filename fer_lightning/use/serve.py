"""Serves a page that anyone can open, and answers to pictures: python -m fer_lightning.use.serve, or fer-serve."""

import argparse
import logging
import re
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from types import FrameType

from fer_lightning.errors import ConfigError
from fer_lightning.installation import package_version, script_name
from fer_lightning.use.arguments import score, share, whole
from fer_lightning.use.streams import open_closed_streams

NEEDED = ("starlette", "uvicorn", "websockets", "python_multipart")

NEW = "new"

SERVE_CLOSING = """
GET / is the page. POST /predict takes an image file, as the body or as a form's file, and returns JSON with its faces,
as a line of faces.jsonl. WS /stream takes image files, one binary message each, and answers each. GET /card says what
the network is, GET /health whether the server lives. Nothing that is sent is kept.

exit status: 0 after Ctrl-C or SIGTERM, once what is being answered has its answer; 2 for a wrong command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves as the command line says until a signal comes, and returns the exit status."""
    open_closed_streams()
    given = _parser().parse_args(arguments)
    try:
        return _serve(given)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _serve(given: argparse.Namespace) -> int:
    """Raises ConfigError for a network, an address or a token that cannot be used."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ConfigError(f"serving needs the packages {', '.join(missing)}: pip install 'fer_lightning[serve]'")
    import uvicorn

    from fer_lightning.use.access import LOCAL_HOSTS
    from fer_lightning.use.batched_line import BatchedLine
    from fer_lightning.use.detector import YuNet
    from fer_lightning.use.network import DEFAULT_NETWORK, network
    from fer_lightning.use.server import Limits, Server
    from fer_lightning.use.slow_clients import patient_protocols

    token = secrets.token_urlsafe(24) if given.token == NEW else given.token
    if not given.host:
        raise ConfigError("--host is empty: give an address of this machine, as 127.0.0.1, or 0.0.0.0 for all of them")
    is_local = given.host in LOCAL_HOSTS
    if not is_local and not token:
        raise ConfigError(f"--host {given.host} lets others in: give --token too, so that only those who know it ask")
    chosen = network(given.run or given.model or given.network or DEFAULT_NETWORK, "none", given.threads, given.device)
    limits = Limits(given.max_megabytes * 1_000_000, given.max_requests, given.max_streams, given.max_seconds)
    listening = listening_socket(given.host, given.port)
    line = BatchedLine(YuNet(given.min_score, threads=given.threads or 0), chosen, given.unsure)
    hosts = {*LOCAL_HOSTS, *map(str.lower, given.allow_host)} if is_local or given.allow_host else None
    http, websocket = patient_protocols(limits.seconds)
    config = uvicorn.Config(
        Server(line, limits).app(hosts, token),
        log_level="error",
        access_log=False,
        server_header=False,
        http=http,
        ws=websocket,
        ws_ping_interval=limits.seconds,
        ws_ping_timeout=limits.seconds,
        ws_max_size=limits.body,
        # A picture that has been compressed once does not shrink again.
        ws_per_message_deflate=False,
    )
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a client's mistakes are reported to the client
    # uvicorn passes the signal on when all is answered: it has done what it asks for by then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)
    host = f"[{given.host}]" if ":" in given.host else given.host
    place = f"http://{host}:{listening.getsockname()[1]}/{f'#token={token}' if token else ''}"
    print(f"{place}\nnetwork {chosen.card.name}; Ctrl-C ends it", flush=True)
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def listening_socket(host: str, port: int) -> socket.socket:
    """Returns a socket that listens, so that an address that is taken is seen before the page's is printed."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"the server cannot listen at {host}, port {port}: {str(error).rstrip('.')}. Give another --port, or 0 for "
            f"any that is free"
        ) from error
    # Connections inherit it. Without it, the second part of an answer waits for the acknowledgement of the first: 40 ms
    # on Linux. asyncio sets it only on sockets that name their protocol, which those of create_server do not.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _ignore(number: int, frame: FrameType | None) -> None: ...


def _parser() -> argparse.ArgumentParser:
    installed = script_name("serve.py")
    parser = argparse.ArgumentParser(
        prog=installed if installed.startswith("fer-") else "python -m fer_lightning.use.serve",
        description="Serves a page that finds faces in pictures and from a camera, and says what they show.",
        epilog=SERVE_CLOSING,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=100),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fer_lightning {package_version()}")

    add = parser.add_argument_group("who can ask").add_argument
    add("--port", metavar="N", type=whole(0), default=8000, help="0: any that is free (8000)")
    add("--host", metavar="NAME", default="127.0.0.1", help="0.0.0.0: other machines too, with --token (127.0.0.1)")
    add(
        "--token",
        metavar="WORD",
        type=_token,
        nargs="?",
        const=NEW,
        help="that those who ask must know; alone, one is made and printed",
    )
    add("--allow-host", metavar="NAME", action="append", default=[], help="another name of this server, as of a proxy")

    add = parser.add_argument_group("which network").add_mutually_exclusive_group().add_argument
    add("--network", metavar="NAME", help="small, large (the default) or ferplus, of the package")
    add("--run", metavar="FOLDER", help="of a training of yours, or a checkpoint in it")
    add("--model", metavar="FILE", help="an exported network, FILE.onnx")

    add = parser.add_argument_group("what is said").add_argument
    add("--min-score", metavar="X", type=score, default=0.8, help="score of a face at least, 0 to 1 (0.8)")
    add("--unsure", metavar="X", type=share, help="say unsure below this probability (the network's own; 0: never)")

    add = parser.add_argument_group("how much").add_argument
    add("--max-megabytes", metavar="N", type=whole(1), default=20, help="of one picture's file (20)")
    add("--max-requests", metavar="N", type=whole(1), default=64, help="that are answered at a time (64)")
    add("--max-streams", metavar="N", type=whole(1), default=16, help="cameras at a time (16)")
    add("--max-seconds", metavar="N", type=whole(1), default=30, help="that one picture may take (30)")
    add("--device", metavar="NAME", default="auto", help="for --run: cpu, cuda, mps (auto)")
    add("--threads", metavar="N", type=whole(1), help="of the processor (all)")
    return parser


def _token(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{8,200}", text) and text != NEW:
        raise argparse.ArgumentTypeError("a token is 8 to 200 letters, digits, - and _")
    return text


if __name__ == "__main__":
    sys.exit(main())
