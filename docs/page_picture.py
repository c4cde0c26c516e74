"""Photographs the page for README.md and docs/serve.md: python -m docs.page_picture FILE.onnx

The photograph on it is matplotlib's sample, of Grace Hopper, in the public domain.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.devtools import chromium
from tests.use.photograph import HOPPER
from tests.use.serving import served

SIZE = (1000, 640)
SHOWN = "docs/page.png"


def page_picture(model: Path) -> Image.Image:
    """Returns what the page shows of the photograph, in 256 colours, which is a third of the bytes."""
    with served(model) as server, chromium("--hide-scrollbars") as tab, tempfile.TemporaryDirectory() as folder:
        tab.show(*SIZE)
        tab.open(server.printed)
        tab.choose("#file", HOPPER)
        tab.wait_for("document.querySelectorAll('.face').length")
        tab.photograph(Path(folder) / "page.png")
        content = (Path(folder) / "page.png").read_bytes()
    return Image.open(io.BytesIO(content)).convert("RGB").crop((0, 0, *SIZE)).quantize(256)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    page_picture(Path(sys.argv[1])).save(SHOWN, optimize=True)
