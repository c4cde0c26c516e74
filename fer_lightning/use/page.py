"""The page that anyone can open: its files, as a server sends them or a folder holds them. Imports nothing slow."""

from pathlib import Path
from typing import Literal

PAGE = Path(__file__).parent / "page_files"

Backend = Literal["server", "browser"]
"""Where pictures are looked at: by the server that the page comes from, or in the visitor's own browser."""

MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

ONLY_BROWSER = ("browser",)
"""Folders of the page's files that the page of a server needs not."""

POLICIES = {
    "server": "script-src 'self'; connect-src 'self'; worker-src 'none'",
    "browser": "script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'",
}

COMMON_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; base-uri 'none'; "
    "form-action 'none'"
)
"""Nothing from elsewhere, and no script or style within the page."""


def page_files(backend: Backend) -> dict[str, bytes]:
    """Returns the content of each file of the page by its path, with index.html as the first."""
    files = {"index.html": _index(backend)}
    for file in sorted(PAGE.rglob("*")):
        path = file.relative_to(PAGE)
        is_needed = backend == "browser" or path.parts[0] not in ONLY_BROWSER
        if is_needed and file.suffix in MEDIA_TYPES and file.name != "index.html":
            files[path.as_posix()] = file.read_bytes()
    return files


def _index(backend: Backend) -> bytes:
    text = (PAGE / "index.html").read_text("utf-8")
    policy = f"{COMMON_POLICY}; {POLICIES[backend]}"
    return text.replace("{backend}", backend).replace("{policy}", policy).encode()
