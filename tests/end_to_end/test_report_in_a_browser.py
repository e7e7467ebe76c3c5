"""The health report in a real browser: nothing is asked of anybody, and the console stays silent."""

from pathlib import Path

import pytest
from tests.end_to_end.browsing import Visit, found_browser
from tests.unit.health import records as make
from tests.unit.health.records import well

from backlight.report import write_report


@pytest.fixture(scope="module")
def browser() -> str:
    return found_browser()


@pytest.mark.parametrize("kind", ["well", "sick"])
def test_a_report_opens_in_silence(browser: str, tmp_path: Path, kind: str) -> None:
    seen = well() if kind == "well" else make.with_layer(make.stuck(well()), "act1", saturated=0.9)
    page = tmp_path / "report.html"
    write_report(seen, page, title="my net")
    visit = Visit(browser, page, tmp_path)
    assert visit.console == []
    assert visit.asked == set()
    assert ("No findings" in visit.dom) == (kind == "well")
    assert visit.dom.count('<section class="panel') >= 8
    assert "<canvas" in visit.dom


def test_a_page_that_asks_and_complains_would_be_noticed(browser: str, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('help')</script>")
    visit = Visit(browser, page, tmp_path)
    assert any("help" in line for line in visit.console)
    assert visit.asked == {"http://127.0.0.1:9/x.png"}
