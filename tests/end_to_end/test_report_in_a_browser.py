"""The health report in a real browser: nothing is asked of anybody, and the console stays silent."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.health import records as make
from tests.unit.health.records import well

from backlight.report import write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs Chromium, which is not part of Python: apt-get install chromium")
    return found


class Visit:
    """What came of opening a page."""

    def __init__(self, browser: str, page: Path, folder: Path) -> None:
        log = folder / "net.json"
        done = subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
                "--virtual-time-budget=5000", "--dump-dom", page.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        self.dom = done.stdout
        self.console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        events = json.loads(log.read_text())["events"]
        requests = [event["params"] for event in events if "initiator" in event.get("params", {})]
        # what the browser wants for itself has no page as its origin
        self.asked = {one["url"] for one in requests if one["initiator"] != "not an origin"} - {page.as_uri()}


@pytest.mark.parametrize("kind", ["well", "sick"])
def test_a_report_opens_in_silence(browser: str, tmp_path: Path, kind: str) -> None:
    seen = well() if kind == "well" else make.with_layer(make.stuck(well()), "act1", saturated=0.9)
    page = tmp_path / "report.html"
    write_report(seen, page, title="my net")
    visit = Visit(browser, page, tmp_path)
    assert visit.console == []
    assert visit.asked == set()
    assert ("No findings" in visit.dom) == (kind == "well")
    assert visit.dom.count("<figure") >= 3


def test_a_page_that_asks_and_complains_would_be_noticed(browser: str, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('help')</script>")
    visit = Visit(browser, page, tmp_path)
    assert any("help" in line for line in visit.console)
    assert visit.asked == {"http://127.0.0.1:9/x.png"}
