"""A PostgreSQL of one's own: a cluster in a temporary folder, by the binaries of the system, without its service."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PASSWORD = "s3cret_word"
"""Of the user `fer`."""


def binaries() -> Path | None:
    """Returns the folder of initdb and pg_ctl, which Debian keeps off the PATH; None where there is none."""
    if found := shutil.which("pg_ctl"):
        return Path(found).parent
    return next((tool.parent for tool in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)), None)


@contextmanager
def cluster(folder_of: Path) -> Iterator[str]:
    """Yields HOST:PORT/DATABASE of a server that ends with the context.

    folder_of: the binaries.
    """
    # PostgreSQL refuses to run as root. Its user could not look into pytest's folders, and a socket's path is short.
    as_user: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": ()}
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(tool: str, *arguments: str) -> None:
        # Without pipes: the server would inherit them, and hold them open.
        with (folder.parent / f"{folder.name}.log").open("ab") as log:
            command = [str(folder_of / tool), "-D", str(folder / "data"), *arguments]
            subprocess.run(command, cwd=folder, check=True, stdout=log, stderr=log, timeout=60, **as_user)

    word = folder / "word"
    word.write_text(PASSWORD)
    word.chmod(0o644)
    try:
        run("initdb", "-U", "fer", "-A", "scram-sha-256", f"--pwfile={word}", "-E", "UTF8", "--locale=C", "-N")
        run("pg_ctl", "-w", "-o", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off", "start")
        try:
            yield f"127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
        (folder.parent / f"{folder.name}.log").unlink()
