"""A page opened in a real browser: what it became, what it said on the console, and what it asked of anybody."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def found_browser() -> str:
    """Return the command of a browser; skip the test where there is none."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs Chromium, which is not part of Python: apt-get install chromium")
    return found


class Visit:
    """What came of opening a page."""

    def __init__(self, browser: str, page: Path, folder: Path, *options: str) -> None:
        log = folder / "net.json"
        done = subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
                "--virtual-time-budget=20000", *options, "--dump-dom", page.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        self.dom = done.stdout
        self.console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        events = json.loads(log.read_text())["events"]
        requests = [event["params"] for event in events if "initiator" in event.get("params", {})]
        # what the browser wants for itself has no page as its origin
        self.asked = {one["url"] for one in requests if one["initiator"] != "not an origin"} - {page.as_uri()}
