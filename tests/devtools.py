"""Drives a page in Chromium by its DevTools protocol: clicks, files, sizes, what it logs, and pictures of it."""

import base64
import itertools
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.browser import BROWSER

SECONDS = 30
"""What takes longer has failed."""


class Tab:
    """A page that is open, with what it has complained of in `complaints`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._numbers = connection, itertools.count(1)
        self._session: str | None = None
        self.complaints: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self._ask(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Opens a page and waits until it can be used."""
        self._ask("Page.navigate", url=address)
        if address == "about:blank":
            return
        self.wait_for(
            "document.documentElement?.dataset.ready !== undefined || !!document.querySelector('#error')?.textContent"
        )

    def value(self, expression: str, gesture: bool = False) -> Any:
        """Returns what an expression, or its promise, comes to."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": gesture}
        found = self._ask("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = SECONDS) -> None:
        until = time.monotonic() + seconds
        while not self.value(f"!!({expression})"):
            assert time.monotonic() < until, (
                f"{expression} does not come true; {self.complaints}\n{self.text('body')[:2000]}"
            )
            time.sleep(0.03)

    def text(self, selector: str) -> str:
        return str(self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).click()", gesture=True)

    def choose(self, selector: str, file: Path) -> None:
        """Chooses a file, as a person does in the browser's window."""
        root = self._ask("DOM.getDocument")["root"]["nodeId"]
        node = self._ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._ask("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def give(self, kind: str, file: Path) -> None:
        """Pastes or drops a file."""
        content, name = base64.b64encode(file.read_bytes()).decode(), json.dumps(file.name)
        event = (
            "new ClipboardEvent('paste', {clipboardData: data})"
            if kind == "paste"
            else "new DragEvent('drop', {dataTransfer: data})"
        )
        self.value(
            f"""(() => {{
              const data = new DataTransfer();
              data.items.add(new File([Uint8Array.from(atob("{content}"), one => one.charCodeAt(0))], {name}));
              window.dispatchEvent({event});
            }})()"""
        )

    def press(self, key: str) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode={"Tab": 9}[key])

    def show(self, width: int, height: int, dark: bool = False, still: bool = False) -> None:
        """Sets the size in CSS pixels, and what the visitor's system prefers."""
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if still else "",
        }
        self._ask(
            "Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in features.items()]
        )

    def photograph(self, file: Path) -> None:
        """Saves what the whole page looks like, as a PNG."""
        content = self._ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(content))

    def download_into(self, folder: Path) -> None:
        self._ask("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def _ask(self, method: str, **values: Any) -> dict[str, Any]:
        number = next(self._numbers)
        asked: dict[str, Any] = {"id": number, "method": method, "params": values}
        if self._session:
            asked["sessionId"] = self._session
        self._connection.send(json.dumps(asked))
        while True:
            message = json.loads(self._connection.recv(timeout=SECONDS))
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        values = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(values["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if values["type"] in ("error", "warning", "assert"):
                self.complaints.append(" ".join(str(one.get("value", one)) for one in values["args"]))
            case "Log.entryAdded" if values["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")


@contextmanager
def chromium(*options: str) -> Iterator[Tab]:
    """Yields an empty page in a browser of its own."""
    assert BROWSER
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        command += [
            f"--user-data-dir={profile}",
            "--no-first-run",
            "--disable-background-networking",
            *options,
            "about:blank",
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as browser:
            try:
                assert browser.stderr
                address = next(
                    found[1] for line in browser.stderr if (found := re.search(r"listening on (ws://\S+)", line))
                )
                with connect(address, max_size=None, proxy=None) as connection:
                    yield Tab(connection)
            finally:
                browser.terminate()
                assert browser.stderr
                browser.stderr.read()
