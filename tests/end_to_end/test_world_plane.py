"""The world of points in a real browser: trained, pulled at, given files and points, and used by keyboard."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.end_to_end.driving import Browser, Page
from tests.end_to_end.worlds import ALARM, OVERFLOW, STATUS, button, choose, in_the_world, opened

from backlight.autograd import Tensor, cross_entropy
from backlight.core import Array
from backlight.nn import BatchNorm1d, Linear

SELECTED = "document.querySelector('.net').getAttribute('aria-label')"
VALUE = "Number(document.querySelector('.net').getAttribute('aria-valuenow'))"
PICTURE = "document.querySelector('.plane canvas').toDataURL()"


def drop(page: Page, text: str) -> None:
    page.run(f"""(() => {{
      const data = new DataTransfer();
      data.items.add(new File([{json.dumps(text)}], "points.csv"));
      const event = new DragEvent("drop", {{ bubbles: true, cancelable: true, dataTransfer: data }});
      document.querySelector(".plane").dispatchEvent(event);
    }})()""")


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_two_moons_are_learnt_by_keyboard(browser: Browser, tmp_path: Path, width: int, *, dark: bool) -> None:
    with opened(browser, tmp_path, "plane", width=width, dark=dark) as page:
        assert page.run(STATUS).startswith("Step 0: loss 0.")
        button(page, "Play")
        page.until(f"Number(/loss ([\\d.]+)/.exec({STATUS})[1]) < 0.1")
        button(page, "Pause")
        stopped = page.run(STATUS)
        assert "held out" in stopped
        assert int(stopped.split("right")[0].split("%")[0].split()[-1]) >= 95
        assert page.run("document.querySelector('.panel .legend').textContent").startswith("training 0.0")
        page.run("document.querySelector('.net').focus()")
        assert page.run(SELECTED) == "weight from x to unit 1 of layer 1"
        before, picture = page.run(VALUE), page.run(PICTURE)
        for _ in range(3):
            page.press("ArrowUp")
        assert page.run(VALUE) == pytest.approx(before + 0.3, abs=1e-3)
        assert page.run(PICTURE) != picture, "the boundary follows"
        page.press("ArrowRight")
        assert page.run(SELECTED) == "weight from y to unit 1 of layer 1"
        page.press("ArrowRight")
        assert page.run(SELECTED) == "bias of unit 1 of layer 1"
        page.press("End")
        page.press("0")
        assert (page.run(SELECTED), page.run(VALUE)) == ("bias of the score of class 2", 0)
        assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus can be seen"
        assert not page.run(OVERFLOW)
        page.resize(2560, 900)
        page.settle()
        assert not page.run(OVERFLOW)


def test_a_weight_is_dragged_and_steps_go_back(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "plane") as page:
        x, y = page.run("""(() => {
          const line = document.querySelector(".net .hit[data-place='4']");
          line.scrollIntoView({ block: "center" });
          const { left, top } = document.querySelector(".net").getBoundingClientRect();
          const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((name) => Number(line.getAttribute(name)));
          const along = Array.from({ length: 50 }, (_, at) => at / 50);
          const places = along.map((share) => [left + x1 + share * (x2 - x1), top + y1 + share * (y2 - y1)]);
          return places.find((place) => document.elementFromPoint(...place) === line); // where no other line covers it
        })()""")
        press = {"button": "left", "clickCount": 1, "x": x}
        page.call("Input.dispatchMouseEvent", type="mousePressed", y=y, **press)
        assert page.run(SELECTED) == "weight from y to unit 2 of layer 1"
        before, loss = page.run(VALUE), page.run(STATUS)
        page.call("Input.dispatchMouseEvent", type="mouseMoved", y=y - 50, **press)
        page.call("Input.dispatchMouseEvent", type="mouseReleased", y=y - 50, **press)
        assert page.run(VALUE) == pytest.approx(before + 1, abs=2e-3)
        assert page.run(STATUS) != loss
        page.call("Input.dispatchMouseEvent", type="mouseMoved", y=y + 90, x=x)
        assert page.run(VALUE) == pytest.approx(before + 1, abs=2e-3), "it is let go"
        seen = [page.run(f"[{STATUS}, {VALUE}]")]
        for _ in range(3):
            button(page, "One step")
            seen.append(page.run(f"[{STATUS}, {VALUE}]"))
        button(page, "Back")
        button(page, "Back")
        now = page.run(f"[{STATUS}, {VALUE}]")
        assert now == [seen[1][0].replace("Step 1", "Step 1 of 3"), seen[1][1]]
        button(page, "One step")
        assert page.run(f"[{STATUS}, {VALUE}]") == seen[2], "from there it goes on as before"


def test_the_network_learns_as_ours_does(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "plane", "#lesson-4") as page:
        found = in_the_world(page, "plane", """(world) => {
          world.inputs.norm.checked = true;
          world.reset();
          const { parameters } = world.network;
          const first = parameters.map((one) => ({ shape: [one.rows, one.columns], data: [...one.data] }));
          const losses = [world.loss];
          for (let step = 0; step < 5; step += 1) { world.step(); losses.push(world.loss); }
          return { first, losses, held: world.heldOut.loss, points: world.points };
        }""")  # fmt: skip
    weights = [np.reshape(one["data"], one["shape"]) for one in found["first"]]
    points = {held: [one for one in found["points"] if one["held"] == held] for held in (False, True)}
    x, labels = ({held: make(list_) for held, list_ in points.items()} for make in (coordinates, classes))
    layers: list[Any] = []
    for at in range(0, 9, 3):
        weight, gain, bias = weights[at : at + 3]
        linear, norm = Linear(*weight.shape, bias=False, rng=np.random.default_rng(0)), BatchNorm1d(weight.shape[1])
        linear.to("float64"), norm.to("float64")
        for parameter, value in ((linear.weight, weight), (norm.weight, gain[0]), (norm.bias, bias[0])):
            parameter.data = value
        norm.momentum = 1.0
        layers += [(linear, norm)]
    last = Linear(*weights[9].shape, rng=np.random.default_rng(0)).to("float64")
    last.weight.data, last.bias.data = weights[9], weights[10][0]  # type: ignore[union-attr]
    parameters = [one for pair in layers for module in pair for one in module.parameters()] + list(last.parameters())

    def loss_of(inputs: Array, targets: Array) -> Tensor:
        read = Tensor(inputs)
        for linear, norm in layers:
            read = norm(linear(read)).tanh()
        return cross_entropy(last(read), targets)

    losses = []
    for step in range(6):
        loss = loss_of(x[False], labels[False])
        losses.append(float(loss.array))
        for one in parameters:
            one.grad = None
        loss.backward()
        for one in parameters:
            if step < 5:
                one.data = one.array - 0.3 * one.grad.array
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-9)
    count = len(points[False])
    for _, norm in layers:  # ours keeps the unbiased variance, the page's the one that it normalises with
        norm.running_var.array[:] *= (count - 1) / count
        norm.eval()
    assert found["held"] == pytest.approx(float(loss_of(x[True], labels[True]).array), rel=1e-6)


def coordinates(points: list[dict[str, float]]) -> Array:
    return np.array([[one["x"], one["y"]] for one in points])


def classes(points: list[dict[str, float]]) -> Array:
    return np.array([one["label"] for one in points])


def test_batch_norm_repairs_weights_that_are_too_large(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "plane", "#lesson-4") as page:
        assert "Saturated" in page.run("document.querySelector('.panel p.alarm:not([hidden])').textContent")
        assert page.run("document.querySelectorAll('.unit.alarm').length") > 0
        steps = "(world) => { for (let n = 0; n < 120; n += 1) world.step(); return world.loss; }"
        without = in_the_world(page, "plane", steps)
        choose(page, "batch norm", True)
        switched = f"(world) => {{ world.inputs.norm.checked = true; world.reset(); return ({steps})(world); }}"
        assert in_the_world(page, "plane", switched) < 0.4
        assert without > 0.5
        page.run("document.querySelector('.net').focus()")
        page.press("Home")
        page.press("ArrowRight")
        page.press("ArrowRight")
        assert page.run(SELECTED) == "gain of the batch norm of unit 1 of layer 1"


def test_dead_units_are_named(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "plane") as page:
        choose(page, "activation", "relu")
        page.run("document.querySelector('.net').focus()")
        for _ in range(2):
            page.press("ArrowRight")
        for _ in range(9):
            page.press("PageDown")  # its bias, to -9
        said = page.run("[...document.querySelectorAll('p.alarm:not([hidden])')].map((one) => one.textContent).join()")
        assert said.startswith("Dead: 0 on all points, so no gradient passes: unit 1 of layer 1.")


def test_a_training_that_diverges_stops_and_says_so(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "plane") as page:
        choose(page, "activation", "relu")
        choose(page, "units", 16)
        choose(page, "first weights", 8)
        choose(page, "rate", 100)
        button(page, "Play")
        said = page.until(ALARM)
        assert re.match(r"The loss is (NaN|∞|[\d,.e]+) at step \d+, so training has diverged and stopped", said), said
        assert "Choose a lower rate" in said
        assert page.run("document.querySelector('.controls button').textContent") == "Play"
        button(page, "Reset")
        assert page.run(ALARM) == ""


CSV = "width;height;kind\n" + "".join(f"{10 + n};{200 - 3 * n};red\n{30 + n};{90 + n};blue\n" for n in range(25))


def test_a_csv_file_is_dropped(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "plane") as page:
        drop(page, CSV)
        page.until("document.body.textContent.includes('adds blue')")
        assert page.until(f"{STATUS}.includes('held out') && {STATUS}").startswith("Step 0")
        found = in_the_world(page, "plane", f"""async (world) => {{
          await world.read(new File([{json.dumps(CSV)}], "a.csv"));
          return {{ points: world.points, words: world.words, set: world.set.value, train: world.train.labels.length }};
        }}""")  # fmt: skip
        assert found["words"] == {
            "labels": ["blue", "red"],
            "names": ["width", "height"],
            "ranges": [[10, 54], [90, 200]],
        }
        first, second = found["points"][:2]
        assert (first["label"], second["label"], first["y"]) == (1, 0, pytest.approx(0.85 * 1.5))
        assert first["x"] == pytest.approx(-0.85 * 1.5)
        assert (found["set"], len(found["points"]), found["train"]) == ("own", 50, 38)


BAD = {
    "": "this one is empty. Nothing was changed.",
    "1,2,a\n3,x,b\n": "line 2 is “3,x,b”. Nothing was changed.",
    "1,2\n3,4\n": "Each row must have two numbers and a label, as in 0.5,1.2,red; line 1 is “1,2”.",
    "1,2,a\n3,,b\n": "line 2 is “3,,b”",
    "1,2,a\n3,4,a\n": "The last column must have 2 to 4 different labels; it has 1.",
    "1,2,a\n1e999,2,b\n": "line 2 is “1e999,2,b”",
    "1,2,a\n" * 2001: "A file of points may have 2,000 rows; this one has 2,001.",
}


def test_a_bad_csv_file_is_one_line(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "plane") as page:
        before = page.run(STATUS)
        for text, says in BAD.items():
            drop(page, text)
            page.until(f"({ALARM}).includes({json.dumps(says)})")
            assert page.run(STATUS) == before
        button(page, "Reset")
        assert page.run(ALARM) == ""


def test_own_points_by_keyboard_and_by_click(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "plane") as page:
        choose(page, "points", "own")
        assert "Training needs points of two classes" in page.run(ALARM)
        page.run("document.querySelector('.plane').focus()")
        page.press("ArrowRight")
        page.press("ArrowUp")
        assert "Cross at 0.1, 0.1. The network says class" in page.run(
            "document.querySelector('.plane + p').textContent"
        )
        page.press("Enter")
        assert "Added class 1 at 0.1, 0.1. 1 point." in page.run("document.querySelector('.plane + p').textContent")
        choose(page, "a click", 1)
        page.click(".plane")  # its middle
        assert page.run(ALARM) == ""
        assert page.run(STATUS).startswith("Step 0: loss ")
        button(page, "One step")
        assert page.run(STATUS).startswith("Step 1: loss ")
        choose(page, "a click", -1)
        page.click(".plane")
        assert "Removed a point" in page.run("document.querySelector('.plane + p').textContent")
        assert "Training needs points of two classes" in page.run(ALARM)
