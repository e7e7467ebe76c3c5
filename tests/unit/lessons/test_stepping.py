"""Stepping through a walk: what the slider shows at each step, and what is shown where there is no slider."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from backlight import Tensor, Value, explain
from backlight.core import GraphError
from backlight.explanation.numbers import short
from backlight.lessons.stepping import Walk, stepping
from backlight.nn.scalar import MLP
from backlight.studio import displayed

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def end() -> Value:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    c = a * b
    d = (c + a).tanh() * c
    c.label, d.label = "c", "<d>"
    return d


def test_the_steps_lead_from_nothing_to_the_gradients(end):
    steps = stepping(end).steps
    end.backward()
    assert set(steps[0]["grads"]) == {"?"}
    assert steps[-1]["grads"] == [short(node.grad) for node in end.ancestry()]
    assert all(steps[-1]["known"])
    assert steps[-1]["head"].endswith("all gradients known")


def test_what_a_step_says(end):
    step = next(step for step in stepping(end).steps if step["head"].startswith("v1 = c + a"))
    by_name = {row[0]: row for row in step["rows"]}
    slope = short(explain(end)["v1"].grad)
    assert by_name["a"][1:4] == ["1", slope, slope]
    assert by_name["a"][4] == slope + "…", "it waits for what comes through c"
    assert not by_name["c"][4].endswith("…"), "both of its paths have arrived"
    assert "A sum passes the gradient on unchanged: its derivative is 1." in step["words"]
    assert "a waits for one more path." in step["words"]
    assert [explain(end).steps[place].name for place in step["to"]] == ["c", "a"]
    assert step["grads"][step["to"][1]] == slope + "…", "the box says so too"


def test_the_forward_pass_comes_first_if_asked_for(end):
    backward = Walk(explain(end)).steps
    steps = Walk(explain(end), forward=True).steps
    made = [step for step in explain(end).steps if step.inputs]
    assert len(steps) == 1 + len(made) + len(backward)
    names = [step.name for step in explain(end).steps]
    assert dict(zip(names, steps[0]["values"], strict=True)) == {**dict.fromkeys(names, "?"), "a": "2", "b": "-3"}
    assert len(steps[0]["hidden"]) == sum(len(step.inputs) for step in made)
    seen = [sum(text == "?" for text in step["values"]) for step in steps]
    assert seen == [*range(len(made), -1, -1), *[0] * len(backward)], "one more at each step, then all"
    for step in steps[1 : 1 + len(made)]:
        place = step["node"]
        assert step["values"][place] == short(explain(end).steps[place].data)
        assert all(
            steps[0]["values"][at] != "?" or step["values"][at] != "?" for at in explain(end).steps[place].inputs
        )
        assert step["guess"]["answer"] == explain(end).steps[place].data
        assert set(step["grads"]) == {"?"}
    assert steps[len(made)]["hidden"] == []
    assert [{**one, "values": 0, "hidden": 0} for one in backward] == [
        {**one, "values": 0, "hidden": 0} for one in steps[1 + len(made) :]
    ]


def test_a_step_back_is_asked_about(end):
    steps = Walk(explain(end)).steps
    assert steps[0]["guess"] is None
    assert (steps[1]["guess"]["ask"], steps[1]["guess"]["answer"]) == ("What is the gradient of <d>, the end?", 1.0)
    for step in steps[2:]:
        to, _, _, product, _ = step["rows"][0]
        assert step["guess"]["ask"].endswith(f"What does {to} receive?")
        assert step["guess"]["shown"] == product == short(step["guess"]["answer"])
    infinite = Walk(explain(Value(1e308, label="a") * 1e308), forward=True).steps
    assert infinite[1]["guess"] is None, "nobody guesses infinity"


def test_an_explanation_brings_its_names():
    net = MLP(2, [2, 1], activation="tanh", rng=np.random.default_rng(0))
    loss = (net([0.5, 1.0]) - 1.0) ** 2
    explained = explain(loss, names={"weight": net.parameters()[0]})
    assert any(row[0] == "weight" for step in stepping(explained).steps for row in step["rows"])


def test_the_slider_stays_within_the_walk(end):
    widget = stepping(end)
    assert widget.step == 0
    widget.step = 99
    assert widget.step == len(widget.steps) - 1
    widget.step = -1
    assert widget.step == 0


def test_the_drawing_has_room_for_every_step(end):
    widget = stepping(end)
    for place in range(len(widget.steps[0]["grads"])):
        for part in ("card", "grad"):
            assert widget.drawing.count(f'data-part="{part} {place}"') == 1
    for place, texts in enumerate(zip(*(step["grads"] for step in widget.steps), strict=True)):
        (drawn,) = re.findall(rf'data-part="grad {place}"[^>]*>([^<]*)</text>', widget.drawing)
        assert len(drawn) == max(map(len, texts)), "cards are as wide as their widest text"
    for step in widget.steps:
        for arrow in step["arrows"]:
            assert f'<path data-part="arrow {arrow}"' in widget.drawing
    assert "<d>" not in widget.drawing


def test_it_shows_the_still_picture_too(end):
    data, _ = stepping(end)._repr_mimebundle_()
    assert VIEW in data
    assert data["text/html"] == stepping(end)._repr_html_() == Walk(explain(end))._repr_html_()
    end.backward()
    for node in end.ancestry():
        assert f">{short(node.grad)}</text>" in data["text/html"]
    assert "displayed in a notebook" in data["text/plain"] == repr(stepping(end))
    assert "<script" not in data["text/html"]


def test_without_anywidget_there_is_the_still_picture(end, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "backlight.lessons.stepping.live", raising=False)
    shown = stepping(end, title="A walk")
    assert isinstance(shown, Walk)
    assert not hasattr(shown, "_repr_mimebundle_")
    assert "A walk" in shown._repr_html_()
    assert repr(shown) == "<5 steps back through 6 boxes; displayed in a notebook>"


@pytest.mark.parametrize(("asks", "kind"), [(True, "Stepping"), (False, "Walk"), (None, "Stepping")])
def test_where_not_interactive_there_is_the_still_picture(end, monkeypatch, asks, kind):
    kernel = SimpleNamespace() if asks is None else SimpleNamespace(_allow_stdin=asks)
    shell = SimpleNamespace(kernel=kernel)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        allowed = displayed._kernel_allows_input()
    monkeypatch.setattr(displayed, "_kernel_allows_input", lambda: allowed)
    assert type(stepping(end)).__name__ == kind


def test_a_page_gets_every_step(end, monkeypatch):
    assert "<script" not in Walk(explain(end))._repr_html_()
    monkeypatch.setenv("BACKLIGHT_FOR_PAGES", "1")
    shown = stepping(end)
    assert isinstance(shown, Walk)
    still, data = shown._repr_html_().split('<script type="application/json" class="walk">')
    assert still == shown.still
    assert data.count("</") == 1, "nothing in it ends the script"
    assert json.loads(data.removesuffix("</script>")) == {"drawing": shown.drawing, "steps": shown.steps}


def test_the_lessons_do_not_import_it():
    code = (
        "import sys, backlight.lessons, backlight.lessons.display, backlight.lessons.stepping; "
        "sys.exit(bool({'anywidget', 'ipywidgets', 'IPython', 'traitlets'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_cannot_be_stepped_through():
    node = Value(1.0)
    for _ in range(70):
        node = node + 1
    with pytest.raises(GraphError, match="at most 60 nodes"):
        stepping(node)
    with pytest.raises(GraphError, match="needs a Value, or the explanation of one; got Tensor"):
        stepping(Tensor(1.0))
    with pytest.raises(GraphError, match="got TensorExplanation"):
        stepping(explain(Tensor(1.0, requires_grad=True) * 2.0))
