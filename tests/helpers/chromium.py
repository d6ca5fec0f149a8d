"""A real browser, controlled by the Chrome DevTools Protocol through a pipe: no driver program, no port, no network.

Messages are JSON, terminated by a zero byte, to the browser's file descriptor 3 and from its descriptor 4
(https://chromedevtools.github.io/devtools-protocol/, ``--remote-debugging-pipe``).
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next((found for name in NAMES if (found := shutil.which(name))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
PATIENCE = 120  # seconds for an answer: a busy machine draws thirty figures in half a minute


class BrowserError(RuntimeError):
    """The browser answered with an error or not at all, or an expression threw an exception."""


class Chromium:
    """One headless browser; ``open`` gives a tab."""

    def __init__(self, profile: Path) -> None:
        # above 9, so that neither end is overwritten when the child moves its own ends to 3 and 4
        to_child, self._to = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in os.pipe())
        self._from, from_child = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in os.pipe())
        self._process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3</dev/fd/{to_child} 4>/dev/fd/{from_child}', "sh", str(PROGRAM), *FLAGS,
             f"--user-data-dir={profile}"],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_child)
        os.close(from_child)
        self._last, self._unread = 0, b""
        self.events: dict[str, deque[tuple[str, dict[str, Any]]]] = {}

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method and return its result; events that arrive in the meantime are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._read(end)
            if answer is None:
                raise BrowserError(f"no answer to {method} within {PATIENCE} s")
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def listen(self, seconds: float) -> None:
        """Collect events for some seconds."""
        end = time.monotonic() + seconds
        while self._read(end) is not None:
            pass

    def _read(self, end: float) -> dict[str, Any] | None:
        while b"\0" not in self._unread:
            wait = end - time.monotonic()
            if wait <= 0 or not select.select([self._from], [], [], wait)[0]:
                return None
            chunk = os.read(self._from, 1 << 20)
            if not chunk:
                raise BrowserError(f"the browser ended (exit status {self._process.poll()})")
            self._unread += chunk
        line, self._unread = self._unread.split(b"\0", 1)
        message = json.loads(line)
        if "method" in message and "sessionId" in message:
            self.events.setdefault(message["sessionId"], deque()).append((message["method"], message["params"]))
        return message

    def open(
        self,
        address: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        touch: bool = False,
        before: str = "",
    ) -> Tab:
        """A new tab with the page loaded, with a viewport in CSS pixels; ``before`` is JavaScript to run first."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.send(f"{domain}.enable")
        tab.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )
        tab.send("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.send("Emulation.setEmulatedMedia", features=[scheme])
        if before:
            tab.send("Page.addScriptToEvaluateOnNewDocument", source=before)
        tab.send("Page.navigate", url=address)
        tab.wait_for("document.readyState === 'complete'")
        return tab

    def close(self) -> None:
        try:
            self.send("Browser.close")
            self._process.wait(10)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)


class Tab:
    """One page."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.send(method, self._session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression; promises are awaited."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(condition):
            if time.monotonic() > end:
                raise BrowserError(f"{condition} is still false after {PATIENCE} s")
            self._browser.listen(0.05)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key, by its name ('Tab', 'ArrowRight', 'End'), in the focused element."""
        codes = {"Tab": 9, "Enter": 13, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key],
                      modifiers=8 if shift else 0)  # fmt: skip

    def type(self, text: str) -> None:
        """Type text into the focused element."""
        self.send("Input.insertText", text=text)

    def fill(self, identity: str, text: str) -> None:
        """Replace a field's text like a person: select all of it and type."""
        self.evaluate(f"document.getElementById({json.dumps(identity)}).select()")
        self.type(text)

    @property
    def complaints(self) -> list[str]:
        """The console's messages: errors, warnings, logs, uncaught exceptions, violations of the policy."""
        self._browser.listen(0.05)
        said = []
        for method, event in self._browser.events.get(self._session, ()):
            if method == "Runtime.consoleAPICalled":
                said.append(f"{event['type']}: {[a.get('value', a.get('description')) for a in event['args']]}")
            elif method == "Runtime.exceptionThrown":
                said.append(json.dumps(event["exceptionDetails"]))
            elif method == "Log.entryAdded":
                said.append(f"{event['entry']['level']}: {event['entry']['text']}")
        return said

    @property
    def requests(self) -> list[str]:
        """The addresses that were requested, without those inside the page (data:, blob:)."""
        self._browser.listen(0.05)
        asked = [event["request"]["url"] for method, event in self._browser.events.get(self._session, ())
                 if method == "Network.requestWillBeSent"]  # fmt: skip
        return [address for address in asked if not address.startswith(("data:", "blob:"))]

    def screenshot(self, *, whole: bool = False) -> bytes:
        """A PNG of the viewport, or of the whole page."""
        answer = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def pdf(self) -> bytes:
        """The page as printed on A4."""
        answer = self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        self._browser.send("Target.closeTarget", targetId=self._target)


def open_page(browser: Chromium, html: Path, hash: str = "", **view: Any) -> Tab:
    """A tab with a report, once its figures are drawn."""
    tab = browser.open(html.as_uri() + hash, **view)
    tab.wait_for("document.documentElement.dataset.figures === 'drawn'")
    return tab
