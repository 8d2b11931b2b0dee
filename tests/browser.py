"""Headless Chromium for tests, driven by its DevTools protocol through a pair of pipes: no port and no library.

with Browser() as browser, browser.open(path) as page:
    page.run("document.title")
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The browser's program, or None where there is none."""

_FLAGS = (
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",  # descriptors 3 and 4
)


class Browser:
    """A browser with a profile of its own, which is gone when the context ends."""

    def __init__(self, *, timeout_sec: float = 60) -> None:
        assert CHROMIUM is not None
        self.timeout_sec = timeout_sec
        self.events: list[dict[str, Any]] = []
        self._ids = itertools.count(1)
        self._left = b""
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{commands} 4>&{answers}',
                "-",
                CHROMIUM,
                *_FLAGS,
                f"--user-data-dir={self._profile}",
            ],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Ask for something and give its result; what the browser tells meanwhile is kept in `events`."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self._out, data) :]
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + self.timeout_sec
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            piece = os.read(self._in, 1 << 20)
            assert piece, "the browser has ended"
            self._left += piece
        line, self._left = self._left.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    @contextlib.contextmanager
    def open(
        self, path: Path | str, *, width: int = 1440, height: int = 900, dark: bool = False, before: str = ""
    ) -> Iterator[Page]:
        """A page, loaded; `path` is a file, or the address of one; `before` is run before the page's own scripts."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Network"):
            page.call(f"{domain}.enable")
        page.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        page.size(width, height)
        page.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        page.call("Emulation.setTimezoneOverride", timezoneId="UTC")
        page.go(path if isinstance(path, str) else path.resolve().as_uri())
        yield page
        self.call("Target.closeTarget", targetId=target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(Exception):
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        shutil.rmtree(self._profile, ignore_errors=True)


class Page:
    """One open page."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the DevTools protocol."""
        return self._browser.call(method, self._session, **params)

    def size(self, width: int, height: int) -> None:
        """Make the window so large, in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def go(self, address: str) -> None:
        """Load an address and wait until it is there and two frames are drawn."""
        self.call("Page.navigate", url=address)
        for _ in range(1000):
            if self.run("document.readyState") == "complete" and self.run("location.href") != "about:blank":
                break
            time.sleep(0.02)
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for is drawn, and until addresses and searches have followed."""
        self.run(
            "new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 200))"
        )

    def run(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)
        self.settle()

    def type(self, text: str) -> None:
        """Put text in where the focus is."""
        self.call("Input.insertText", text=text)
        self.settle()

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        x, y = self.run(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        self.drag(x, y, x, y)

    def drag(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Press the mouse here and let it go there."""
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=1)
        if (x, y) != (to_x, to_y):
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=to_x, y=to_y, button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=to_x, y=to_y, button="left", clickCount=1)
        self.settle()

    def picture(self, path: Path | str) -> None:
        """Save what the window shows as a PNG."""
        Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def pdf(self) -> bytes:
        """The page as it prints."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def frame(self) -> Page:
        """The one frame in the page, where it has a process of its own, as a sandboxed one has."""
        (told,) = self.events("Target.attachedToTarget")
        return Page(self._browser, told["sessionId"])

    def events(self, method: str) -> list[dict[str, Any]]:
        """What the browser has told of this page by this name."""
        told = [event for event in self._browser.events if event.get("sessionId") == self._session]
        return [event["params"] for event in told if event["method"] == method]
