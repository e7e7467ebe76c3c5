"""The slider of lesson 1 in a real browser: its module, a stand-in for anywidget's model, and a hand that moves it."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.browsing import Visit, found_browser

from backlight import Value
from backlight.lessons.stepping import stepping
from backlight.lessons.stepping.live import Stepping

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>%(css)s</style><div id="here"></div>
<script type="module">
const listeners = {};
const state = %(state)s;
const saved = [];
const model = {
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; },
  on: (event, act) => { (listeners[event] ??= []).push(act); },
  off: (event, act) => { listeners[event] = listeners[event].filter((one) => one !== act); },
  save_changes: () => { saved.push(state.step); },
};
const { default: widget } = await import("data:text/javascript;base64,%(module)s");
const here = document.querySelector("#here");
const leave = widget.render({ model, el: here });
const $ = (selector) => here.querySelector(selector);
const slider = $("input");
const told = [];
const tell = (did) => told.push({
  did,
  step: state.step,
  slider: Number(slider.value),
  grads: state.steps[0].grads.map((_, place) => $(`[data-part="grad ${place}"]`).textContent),
  flows: here.querySelectorAll("path.flow").length,
  hands: [...here.querySelectorAll("rect.hands")].map((one) => one.dataset.part),
  gets: [...here.querySelectorAll("rect.gets")].map((one) => one.dataset.part),
  dark: here.querySelectorAll("rect.out").length,
  rows: [...here.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)),
  said: $(".below").textContent,
  play: $(".play").textContent,
});
const press = (key) => slider.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
%(script)s
const out = document.createElement("pre");
out.id = "told";
out.textContent = btoa(unescape(encodeURIComponent(JSON.stringify({ told, saved }))));
document.body.append(out);
</script>
"""


def page_of(widget: Stepping, script: str) -> str:
    """Return a page that shows the widget and then runs a script."""
    state = json.dumps({name: getattr(widget, name) for name in ("drawing", "steps", "step")}).replace("<", "\\u003c")
    module = base64.b64encode(str(widget._esm).encode()).decode()
    return PAGE % {"css": str(widget._css), "state": state, "module": module, "script": script}


@pytest.fixture
def widget() -> Any:
    x = Value(3.0, label="x")
    u, v = x * 2, x * x
    end = u + v
    x.label, u.label, v.label, end.label = "x", "u", "v", "<b>end"
    return stepping(end, title="Where paths meet")


def visit(folder: Path, page: str) -> tuple[Visit, list[dict[str, Any]], list[int]]:
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    seen = Visit(found_browser(), path, folder)
    assert seen.console == []
    assert {one for one in seen.asked if not one.startswith("data:")} == set()
    told = re.search(r'<pre id="told">(.*?)</pre>', seen.dom)
    assert told is not None, seen.dom[-2000:]
    found = json.loads(base64.b64decode(told[1]))
    return seen, found["told"], found["saved"]


MOVES = """
tell("there");
slider.value = 3; slider.dispatchEvent(new Event("input", { bubbles: true })); tell("slid to 3");
press("ArrowRight"); tell("right"); press("ArrowRight"); tell("right at the end");
press("Home"); tell("home"); press("ArrowLeft"); tell("left at the start"); press("ArrowUp"); tell("up"); press("End");
press("ArrowDown"); tell("end, down");
here.querySelector('[aria-label="one step back"]').click(); tell("back");
state.step = 1; for (const act of listeners["change:step"]) act(); tell("python set 1");
press("End"); $(".play").click(); tell("play at the end"); await wait(1700); tell("a moment later");
$(".play").click(); await wait(3000); tell("paused");
leave(); tell(String(listeners["change:step"].length));
"""


def test_the_slider_moves_the_walk(widget: Any, tmp_path: Path) -> None:
    seen, told, saved = visit(tmp_path, page_of(widget, MOVES))
    by = {one["did"]: one for one in told}
    for one in told:
        step = widget.steps[one["step"]]
        assert one["slider"] == one["step"]
        assert one["grads"] == step["grads"]
        assert one["flows"] == len(step["arrows"])
        assert one["hands"] == ([] if step["node"] is None else [f"card {step['node']}"])
        assert sorted(one["gets"]) == [f"card {place}" for place in step["to"]]
        assert one["rows"] == step["rows"]
        assert all(line in one["said"] for line in [step["head"], *step["words"]])
    assert [one["step"] for one in told] == [0, 3, 4, 4, 0, 0, 1, 3, 2, 1, 0, 1, 1, 1]
    assert by["there"]["grads"] == ["?"] * 5
    assert by["slid to 3"]["rows"] == [["x", "x = 3", "1", "3", "3…"], ["x", "x = 3", "1", "3", "6…"]]
    assert (by["there"]["dark"], by["right"]["dark"]) == (5, 0)
    assert [by[did]["play"] for did in ("there", "play at the end", "paused")] == ["Play", "Pause", "Play"]
    assert saved[:4] == [3, 4, 4, 0], "the kernel is told"
    assert told[-1]["did"] == "0", "nobody listens any more"
    controls = re.findall(r"<(?:input|button)[^>]*>", seen.dom)
    assert len(controls) == 5
    assert all("data-lm-suppress-shortcuts" in one for one in controls), "Jupyter leaves the keys to them"
    assert "<b>end" not in seen.dom.split("</script>")[-1]


def test_a_graph_of_one_box(tmp_path: Path) -> None:
    _, told, _ = visit(tmp_path, page_of(stepping(Value(2.0, label="a")), 'tell("there"); press("End"); tell("end");'))
    assert [one["grads"] for one in told] == [["?"], ["1"]]


def test_a_module_that_fails_would_be_noticed(widget: Any, tmp_path: Path) -> None:
    page = page_of(widget, 'console.error("help"); await fetch("http://127.0.0.1:9/x").catch(() => 0);')
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    seen = Visit(found_browser(), path, tmp_path)
    assert any("help" in line for line in seen.console)
    assert "http://127.0.0.1:9/x" in seen.asked
