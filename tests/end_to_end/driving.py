"""A page that is driven in a real browser: clicked, typed at, resized, and looked at, over the DevTools protocol."""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.browsing import found_browser

SLOW = 30
"""Seconds after which something that should have happened is given up."""


class Browser:
    """A headless Chromium. Each page is a tab of its own."""

    def __init__(self, folder: Path) -> None:
        websockets = pytest.importorskip("websockets.sync.client", reason="needs websockets, of the extra [studio]")
        self._connect = websockets.connect
        self._process = subprocess.Popen(
            [
                found_browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--remote-debugging-port=0",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder / 'profile'}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port_file = folder / "profile" / "DevToolsActivePort"
        port, path = until(lambda: port_file.exists() and port_file.read_text().split())
        self._open = ExitStack()
        devtools = self._connect(f"ws://127.0.0.1:{port}{path}", max_size=None, compression=None)
        self._devtools = self._open.enter_context(devtools)
        self._port = port
        self._last = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the browser."""
        self._last += 1
        self._devtools.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while (answer := json.loads(self._devtools.recv(SLOW))).get("id") != self._last:
            pass
        return answer["result"]

    @contextmanager
    def page(self, address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Iterator["Page"]:
        """Open a page, and close it at the end."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        with self._connect(
            f"ws://127.0.0.1:{self._port}/devtools/page/{target}", max_size=None, compression=None
        ) as tab:
            page = Page(tab)
            for domain in ("Page", "Runtime", "Network", "Log"):
                page.call(f"{domain}.enable")
            page.resize(width, height)
            theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            page.call("Emulation.setEmulatedMedia", features=[theme])
            page.call("Page.navigate", url=address)
            page.until("document.readyState === 'complete'")
            yield page
        self.call("Target.closeTarget", targetId=target)

    def close(self) -> None:
        """End the browser."""
        self._open.close()
        self._process.terminate()
        self._process.wait(SLOW)


class Page:
    """A page in the browser.

    Attributes:
        console: what it said: messages of the console, errors, and refusals of its policy.
        asked: the addresses that it asked for, but for data inside it.
    """

    def __init__(self, tab: Any) -> None:
        self._tab = tab
        self._last = 0
        self.console: list[str] = []
        self.asked: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the page, and take in what happened meanwhile."""
        self._last += 1
        self._tab.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while (answer := json.loads(self._tab.recv(SLOW))).get("id") != self._last:
            self._happened(answer.get("method"), answer.get("params", {}))
        assert "error" not in answer, answer
        return answer["result"]

    def _happened(self, event: str | None, facts: dict[str, Any]) -> None:
        if event == "Runtime.consoleAPICalled":
            self.console.append(str([one.get("value") or one.get("description") for one in facts["args"]]))
        elif event == "Runtime.exceptionThrown":
            self.console.append(str(facts["exceptionDetails"].get("exception", {}).get("description")))
        elif event == "Log.entryAdded":
            self.console.append(facts["entry"]["text"])
        elif event == "Network.requestWillBeSent" and not facts["request"]["url"].startswith("data:"):
            self.asked.append(facts["request"]["url"])

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page; a promise is awaited."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """Return the value of an expression once it is truthy; True for an element."""
        return until(lambda: self.run(f"((found) => (found instanceof Node ? true : found))({script})"), script)

    def press(self, key: str) -> None:
        """Press and release a key."""
        typed = {"text": "\r", "windowsVirtualKeyCode": 13} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, **typed)

    def move_to(self, x: float, y: float) -> None:
        """Move the pointer."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        x, y = self.run(f"""(() => {{
          const target = document.querySelector({json.dumps(selector)});
          target.scrollIntoView({{ block: "center" }});
          const box = target.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def resize(self, width: int, height: int) -> None:
        """Give the page a size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def settle(self) -> None:
        """Wait until two frames have been drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Write what the page looks like to a PNG file."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


def until(found: Callable[[], Any], what: str = "") -> Any:
    """Return what a function gives once it is truthy."""
    end = time.monotonic() + SLOW
    while not (value := found()):
        assert time.monotonic() < end, f"it did not happen: {what}"
        time.sleep(0.02)
    return value
