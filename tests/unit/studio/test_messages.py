"""The messages of the viewer, and which lines of a long recording are sent."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.health import records as make
from tests.unit.health.records import well

from backlight.figures.style import DARK, LIGHT
from backlight.health.diagnosis import diagnose
from backlight.health.findings import Evidence
from backlight.health.over_time import as_of, over_time
from backlight.studio import line_index, messages
from backlight.studio.assets import VIEWER
from backlight.studio.line_index import LineIndex, spaced, thinned


def test_what_is_not_finite_is_a_string_in_valid_json() -> None:
    found = diagnose(make.with_layer(make.stuck(well()), "act1", saturated=0.9))
    odd = replace(found.findings[0], evidence=(Evidence(what="loss", value=float("inf")),))
    text = messages.diagnosis(7, replace(found, findings=(odd,)))
    message = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert message["findings"][0]["evidence"] == [{"what": "loss", "value": "Infinity"}]
    assert (message["type"], message["step"]) == ("diagnosis", 7)


def test_lines_go_into_a_message_as_they_are() -> None:
    message = messages.records([b'{"type":"loss","step":1,"loss":"NaN"}\n', b'{"type":"end","step":2}'])
    assert json.loads(message)["records"] == [{"type": "loss", "step": 1, "loss": "NaN"}, {"type": "end", "step": 2}]
    assert json.loads(messages.joined([message, messages.samples(3, ["<b>"])]))[1]["samples"] == ["<b>"]


def test_a_growing_file_is_read_once_and_an_unfinished_line_later(tmp_path: Path) -> None:
    path = tmp_path / "stream.jsonl"
    index = LineIndex(path)
    assert index.grow(), "a file that is not there yet has no lines"
    path.write_bytes(b'{"type":"start"}\n{"type":"loss","st')
    assert index.grow()
    assert index.lines() == [b'{"type":"start"}']
    with path.open("ab") as file:
        file.write(b'ep":0}\n{"type":"loss","step":1}\n')
    assert index.grow()
    assert index.lines(since=1) == [b'{"type":"loss","step":0}', b'{"type":"loss","step":1}']
    assert index.count == 3


@pytest.mark.parametrize("how", ["cut", "replaced"])
def test_a_file_that_does_not_only_grow_is_noticed(tmp_path: Path, how: str) -> None:
    path = tmp_path / "stream.jsonl"
    path.write_bytes(b'{"type":"start"}\n' * 3)
    index = LineIndex(path)
    assert index.grow()
    if how == "cut":
        path.write_bytes(b'{"type":"start"}\n')
    else:
        (tmp_path / "new").write_bytes(b'{"type":"start"}\n' * 9)
        os.replace(tmp_path / "new", path)  # noqa: PTH105
    assert not index.grow()


def test_long_recordings_are_thinned_by_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_index, "MOST_BYTES", {"step": 1_000})
    steps = [b'{"type":"step","step":%d,"x":"%s"}' % (step, b"x" * 60) for step in range(98)]
    lines = [b'{"type":"start"}', *steps, b'{"type":"end","step":98}']
    path = tmp_path / "stream.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    index = LineIndex(path)
    index.grow()
    kept = index.lines()
    assert kept == thinned(lines)
    assert (kept[0], kept[-1], kept[-2]) == (lines[0], lines[-1], steps[-1])
    assert 800 < sum(map(len, kept[1:-1])) <= 1_200
    assert list(spaced([], 10)) == []


def test_findings_are_found_at_the_step_where_they_became_true() -> None:
    healthy = well()
    last = healthy.steps[-1]
    layers = tuple(replace(one, dead=1.0, dead_now=1.0, dead_over=10, units=8) for one in last.layers)
    half = len(healthy.steps) // 2
    seen = replace(healthy, steps=(*healthy.steps[:half], *(replace(s, layers=layers) for s in healthy.steps[half:])))
    history = over_time(seen, looks=4)
    at = [step for step, one in history if one.findings]
    assert at
    before = as_of(seen, at[0] - 1)
    assert [one.id for one in diagnose(before).findings] == []
    assert [one.id for one in diagnose(as_of(seen, at[0])).findings] == [
        one.id for one in dict(history)[at[0]].findings
    ]
    assert history[-1][1].findings == diagnose(seen).findings


def test_nothing_of_the_future_is_known_at_a_step() -> None:
    seen = well()
    step = seen.evaluations[1].step
    before = as_of(seen, step)
    assert (before.total_steps, before.evaluations) == (step, seen.evaluations[:2])
    assert before.losses == tuple(one for one in seen.losses if one.step < step) != seen.losses
    assert max(one.step for one in before.steps) < step


def test_the_viewer_is_small_and_asks_nobody() -> None:
    assert sum(len(VIEWER.content(name)) for name in VIEWER.names) < 500_000
    for name in VIEWER.names:
        text = VIEWER.content(name).decode()
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text, "texts of a run are shown as text"


def test_the_viewer_has_the_colours_of_the_figures() -> None:
    light, dark = VIEWER.content("viewer.css").decode().split("@media (prefers-color-scheme: dark)", 1)
    for css, palette in ((light, LIGHT), (dark, DARK)):
        for name in ("paper", "ink", "muted", "grid", "blue", "orange", "green", "purple", "alarm"):
            assert f"--{name}: {getattr(palette, name)};" in css
