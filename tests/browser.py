"""What tests of pages share: a real browser, and what it finds on a page."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

PROBE = """
<script>
window.addEventListener("load", () => {
  const column = number => [...document.querySelector("tbody").rows].map(row => row.cells[number].textContent);
  const keys = number => [...document.querySelector("tbody").rows].map(row => Number(row.cells[number].dataset.key));
  const click = number => document.querySelectorAll("th button")[number].click();
  const found = {pictures: [...document.images].map(image => [image.complete, image.naturalWidth, image.clientWidth])};
  found.width = innerWidth;
  found.wide = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, figure")
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).length;
  found.cut = [...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth + 1).length;
  found.paper = getComputedStyle(document.body).backgroundColor;
  click(1); found.falling = column(0); found.keys = keys(1);
  click(1); found.rising = column(0);
  click(0); found.byName = column(0);
  found.tooWide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  parent.postMessage(JSON.stringify(found), "*");
});
</script>
"""

# A window is never narrower than 500 pixels; a frame is as narrow as a phone.
FRAME = """<body style="margin: 0">
<iframe src="probed.html" style="border: 0; width: {width}px; height: 900px"></iframe>
<script>addEventListener("message", event => document.body.dataset.found = event.data);</script></body>"""

needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")


def in_browser(file: Path, width: int, *options: str) -> tuple[dict[str, Any], str]:
    """What PROBE found on the page at this width, in CSS pixels, and what the browser printed to its console."""
    assert BROWSER
    probed = file.with_name("probed.html")
    probed.write_text(file.read_text("utf-8").replace("</body>", f"{PROBE}</body>"), "utf-8")
    frame = file.with_name("frame.html")
    frame.write_text(FRAME.format(width=width), "utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", *options]
    command += ["--window-size=1300,1000", "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-found="(.*?)"', result.stdout)
    assert found, result.stdout[-2000:] + result.stderr
    return json.loads(html.unescape(found[1])), result.stderr


def printed(file: Path) -> bytes:
    """The page as the browser prints it, a PDF."""
    assert BROWSER
    pdf = file.with_name("printed.pdf")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={pdf}", file.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    return pdf.read_bytes()
