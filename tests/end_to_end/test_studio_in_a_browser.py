"""The viewer and the live page in a real browser: drawn, moved, and used to start, pause and change a training."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the extra [studio]")

from tests.end_to_end.driving import Browser, Page, until
from tests.unit.health import records as make
from tests.unit.health.records import well

import backlight
from backlight.report import write_report
from backlight.runs import RunDirectory
from backlight.studio.assets import VIEWER
from backlight.watch.records import AttentionRecord, EmbeddingRecord, PairsRecord, TextRecord, UnitSource, UnitsRecord
from backlight.watch.stream import write_stream

MOVE = """(() => { const slider = document.querySelector('.timeline input'); slider.focus(); return slider.max; })()"""
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"

NOTEBOOK = """<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>cell</title>
<style>h2 { display: none } p { color: red }</style><body><header><h1>A notebook</h1></header><main id="here"></main>
<script type="module">
const listeners = {};
const state = JSON.parse(%(state)s);
const bytes = (messages) => new DataView(new TextEncoder().encode(JSON.stringify(messages)).buffer);
state.recording = bytes(state.recording);
const model = {
  get: (name) => state[name],
  on: (event, act) => { (listeners[event] ??= []).push(act); },
  send: ({ ask, address }) => { window.asked = [...(window.asked ?? []), address]; window.last = ask; },
};
const happen = (event, ...more) => listeners[event].forEach((act) => act(...more));
window.part = (number, messages) => happen("msg:custom", { part: number }, [bytes(messages)]);
window.whole = (parts, messages) => {
  Object.assign(state, { parts, recording: bytes(messages) });
  happen("change:recording");
};
window.answer = (found) => happen("msg:custom", { answer: window.last, found }, []);
const { default: make } = await import("data:text/javascript;base64,%(module)s");
const { initialize, render } = make();
initialize({ model });
window.leave = render({ model, el: document.querySelector("#here") });
window.root = document.querySelector("#here > div").shadowRoot;
</script>"""


def write_cell(path: Path, messages: list[Any]) -> None:
    """Write a page with the widget of a notebook, and a stand-in for its model, which a script in the page moves."""
    sheets = "".join(VIEWER.content(name).decode() for name in ("viewer.css", "studio.css"))
    state = {"name": "net", "parts": 1, "sheets": sheets, "recording": messages}
    text = json.dumps(json.dumps(state)).replace("<", "\\u003c")
    module = base64.b64encode(VIEWER.one_module("notebook.js").encode()).decode()
    path.write_text(NOTEBOOK % {"state": text, "module": module}, encoding="utf-8")


def test_a_cell_takes_parts_in_order_and_a_whole_where_it_missed_one(browser: Browser, tmp_path: Path) -> None:
    """The page's side of a notebook, with a stand-in for the widget's model: its kernel answers when the test does."""
    hello = {"type": "hello", "version": 1, "title": "my net", "facts": [], "total_steps": 9, "live": True}

    def records(*steps: int) -> dict[str, Any]:
        return {"type": "records", "records": [{"type": "loss", "step": step, "loss": 1.0} for step in steps]}

    path = tmp_path / "cell.html"
    write_cell(path, [hello, records(0, 1)])
    now = "root.querySelector('.where-now').textContent"
    with browser.page(path.as_uri()) as page:
        page.until(f"window.root && {now} === 'step 2 of 9'")
        page.run(f"part(2, {json.dumps([records(2)])})")
        page.until(f"{now} === 'step 3 of 9'")
        page.run(f"part(4, {json.dumps([records(5)])}); whole(2, {json.dumps([hello, records(0)])})")
        page.settle()
        assert page.run(now) == "step 3 of 9", "neither a part too many, nor a whole that has less"
        page.run(f"whole(5, {json.dumps([hello, records(0, 6)])}); part(6, {json.dumps([records(7)])})")
        page.until(f"{now} === 'step 8 of 9'")
        hidden = "root.querySelector('.controls').parentElement.hidden"
        assert page.run(hidden), "the kernel has not answered"
        page.run(f"part(7, {json.dumps([{'type': 'state', 'state': 'training', 'step': 0}])})")
        page.run("answer({ asked: true, names: ['net'] })")
        page.until(f"!{hidden}")
        page.run("[...root.querySelectorAll('button')].find((one) => one.textContent === 'Pause').click()")
        page.until("!root.querySelector('.backlight-notebook > .about').hidden")
        page.run("answer({})")
        page.until("root.querySelector('.backlight-notebook > .about').hidden")
        assert page.run("asked") == ["./here", "./runs/net/control"]
        assert page.run("getComputedStyle(root.querySelector('h2')).display") != "none", "the page's styles stay out"
        page.run("document.body.dataset.jpThemeLight = 'false'")
        page.until("getComputedStyle(root.querySelector('.backlight-notebook')).backgroundColor === 'rgb(13, 17, 23)'")
        page.run("leave()")
        assert (page.console, [one for one in page.asked if not one.startswith("blob:")]) == ([], [path.as_uri()])


HUGE_DROP = """(() => {
  const file = new File(["x"], "huge.txt");
  Object.defineProperty(file, "size", { value: 1e9 });
  const drop = new Event("drop", { bubbles: true, cancelable: true });
  drop.dataTransfer = { files: [file], getData: () => "" };
  document.querySelector("form.start").dispatchEvent(drop);
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def report_of_a_sick_network(tmp_path_factory: pytest.TempPathFactory) -> str:
    seen = make.with_layer(make.stuck(well()), "act1", saturated=0.9)
    page = tmp_path_factory.mktemp("report") / "report.html"
    samples = [(0, ["xq"]), (100, ["<script>alert(1)</script>"])]
    write_report(seen, page, title="my net", samples=samples)
    return page.as_uri()


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False), (2560, True)])
def test_a_report_is_drawn_in_every_size_and_theme(
    browser: Browser, report_of_a_sick_network: str, width: int, *, dark: bool
) -> None:
    with browser.page(report_of_a_sick_network, width=width, dark=dark) as page:
        page.until("document.querySelectorAll('.panel:not([hidden]) canvas').length > 5")
        page.settle()
        assert not page.run(WIDER)
        inked = page.run("""[...document.querySelectorAll(
          '.panel:not([hidden]) .plot canvas:not(.overlay)'
        )].map((canvas) => {
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 3; at < data.length; at += 4) count += data[at] > 0;
          return count;
        })""")
        assert min(inked) > 500, "every plot is drawn"
        assert (page.console, page.asked) == ([], [report_of_a_sick_network])


def test_the_slider_shows_an_earlier_step_by_keyboard(browser: Browser, report_of_a_sick_network: str) -> None:
    with browser.page(report_of_a_sick_network) as page:
        last = int(page.until(MOVE))
        sampled = "document.querySelector('.samples').textContent"
        assert page.until(sampled) == "<script>alert(1)</script>", "shown as text"
        page.press("Home")
        page.settle()
        assert page.run("document.querySelector('.timeline input').getAttribute('aria-valuetext')").startswith(
            "step 0 "
        )
        assert page.run(sampled) == "xq"
        page.press("ArrowRight")
        page.settle()
        assert 0 < int(page.run("document.querySelector('.timeline input').value")) < last
        page.press("End")
        page.settle()
        assert page.run("document.querySelector('.timeline button[aria-pressed=true]').textContent") == "Latest"
        box = page.run("""(() => {
          const plot = document.querySelector(".plot canvas");
          plot.scrollIntoView();
          return [plot.getBoundingClientRect().x, plot.getBoundingClientRect().y];
        })()""")
        page.move_to(box[0] + 300, box[1] + 60)
        page.settle()
        assert re.match(r"step [\d,]+", page.run("document.querySelector('.readout:not([hidden])').textContent"))
        assert page.console == []


VECTORS = {0: [[1, 1, 0], [-1, 0, 0], [0, -1, 0]], 100: [[0, 1, 0], [0, -1, 1], [1, 0, 0]]}


def coded(values: Any) -> bytes:
    """Return numbers between -1 and 1 as a record has them."""
    return (np.round(np.array(values) * 127) + 128).astype(np.uint8).tobytes()


def units(value: float) -> tuple[UnitsRecord, ...]:
    """Return the units of two layers on three positions; the first one's has this value at the first."""
    of_first = [(4, 1.0), (0, -0.5), (5, 0.5), (1, 0.25), (2, -1.0), (3, 0.0)]  # two inputs of three units
    of_second = [(2, -1.0), (0, 0.5)] * 2
    inputs = (b"".join(at.to_bytes(3, "big") + coded(one) for at, one in of) for of in (of_first, of_second))
    return (
        UnitsRecord(
            layer="act1", units=3, of=3, scale=1.0, values=coded([[value, -1, 0], [0, 1, 0], [0, 0, -1]]).hex(),
            strongest=2, inputs=next(inputs).hex(), input_scale=2.0, weights_of="fc1",
            sources=(UnitSource(layer="embedding", count=6, places=2),),
        ),
        UnitsRecord(
            layer="act2", units=2, of=9, scale=1.0, values=coded([[0, 1], [0, 0], [1, 0]]).hex(), strongest=2,
            inputs=next(inputs).hex(), input_scale=1.0, weights_of="fc2", sources=(UnitSource(layer="act1", count=3),),
        ),
    )  # fmt: skip


LEARNED = np.log([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25], [0.125, 0.125, 0.75]])
COUNTED = np.array([[1, 2, 1], [1, 1, 0], [0, 0, 4]])


def pairs(learned: Any) -> PairsRecord:
    """Return the weights of a bigram network beside those counts."""
    shares = COUNTED / COUNTED.sum(1, keepdims=True)
    tables = [learned, np.where(shares > 0, np.log(np.maximum(shares, 1e-9)), -np.inf)]
    codes = [np.where(np.isfinite(one), np.round(one / -4.0 * 65_534), 65_535).astype(">u2") for one in tables]
    return PairsRecord(
        tokens=("a", "<b>", "c"), counts=(4, 2, 4), lowest=-4.0, learned=codes[0].tobytes().hex(),
        counted=codes[1].tobytes().hex(),
    )  # fmt: skip


def texts() -> tuple[TextRecord, ...]:
    """Return what a network makes of a line at two steps."""
    triangle = np.array([255, 0, 255, 51, 102, 102])
    return tuple(
        TextRecord(
            step=step, read=(".", "<b>", "a"), targets=("<b>", "a", "."), nats=(step / 100, 2.0, 3.0),
            attention=(AttentionRecord(heads=1, weights=triangle.astype(np.uint8).tobytes().hex()),),
            units=units(step / 100), pairs=pairs(LEARNED if step else np.full((3, 3), -np.log(3))),
            embedding=EmbeddingRecord(
                tokens=("a", "<b>", "c"), width=3, scale=0.5,
                values=(np.array(vector) * 127 + 128).astype(np.uint8).tobytes().hex(),
            ),
        )
        for step, vector in VECTORS.items()
    )  # fmt: skip


def test_what_the_network_makes_of_a_line_moves_with_the_slider(browser: Browser, tmp_path: Path) -> None:
    write_report(replace(well(), texts=texts()), tmp_path / "report.html", title="my net")
    with browser.page((tmp_path / "report.html").as_uri()) as page:
        page.until("document.querySelector('.line button')")
        chosen = "document.querySelector('.line button[aria-pressed=true]').getAttribute('aria-label')"
        assert page.run(chosen) == "<b>: 1.00 nats"
        page.run("document.querySelectorAll('.line button')[2].click()")
        page.settle()
        assert "“a” (place 3) reads “<b>” (place 2) 40 %, “a” (place 3) 40 %, “.” (place 1) 20 %" in page.run(
            "document.querySelector('.heads + p').textContent"
        )
        page.run("document.querySelectorAll('.line button')[0].click()")
        beside = "document.querySelector('.embeddings').getAttribute('aria-label')"
        assert "at step 100: a is nearest to c" in page.run(beside)
        page.until(MOVE)
        page.press("Home")
        page.settle()
        assert page.run(chosen) == "<b>: 0 nats"
        assert "at step 0: a is nearest to c" not in page.run(beside)
        places = """(async () => {
          const { principal, vectorsOf } = await import("backlight/embeddings.js");
          const text = JSON.parse(document.querySelector("#recording").textContent).flatMap((one) => one.records ?? [])
            .filter((one) => one.type === "text").at(-1);
          const vectors = vectorsOf(text.embedding);
          const { axes, share } = principal(vectors);
          return [vectors.map((one) => [...one]), axes.map((one) => [...one]), share];
        })()"""
        found, axes, share = page.run(places)
        expected = np.array(VECTORS[100]) * 0.5
        np.testing.assert_allclose(found, expected, atol=1e-12)
        _, sizes, right = np.linalg.svd(expected - expected.mean(0))
        np.testing.assert_allclose(np.abs(np.sum(np.array(axes) * right[:2], 1)), 1, atol=1e-6)
        assert share == pytest.approx(np.sum(sizes[:2] ** 2) / np.sum(sizes**2))
        assert page.console == []


def test_weights_stand_beside_the_counts_that_they_become(browser: Browser, tmp_path: Path) -> None:
    write_report(replace(well(), texts=texts()), tmp_path / "report.html", title="my net")
    with browser.page((tmp_path / "report.html").as_uri(), width=390, dark=True) as page:
        page.until("document.querySelector('.pairs-list tbody tr')")
        listed = (
            "[...document.querySelectorAll('.pairs-list tbody tr')]"
            ".map((row) => row.innerText.replaceAll('\u2212', '-'))"
        )
        assert page.run(listed) == [
            "“<b>”\t-0.693 (50 %)\t-0.693 (50 %)\t0", "“a”\t-1.39 (25 %)\t-1.39 (25 %)\t0",
            "“c”\t-1.39 (25 %)\t-1.39 (25 %)\t0",
        ]  # fmt: skip
        page.run("""((rows) => {
          rows.value = "2";
          rows.dispatchEvent(new Event("change"));
        })(document.querySelector("[aria-label='character before']"))""")
        assert page.run(listed)[0] == "“c”\t-0.288 (75 %)\t0 (100 %)\t-0.29"
        assert page.run(listed)[1] == "“a”\t-2.08 (12 %)\tnever\t"
        occurs = COUNTED > 0
        apart = LEARNED[occurs] - np.log((COUNTED / COUNTED.sum(1, keepdims=True))[occurs])
        mean, above = np.average(np.abs(apart), weights=COUNTED[occurs]), np.average(-apart, weights=COUNTED[occurs])
        said = page.run("document.querySelector('.pairs').previousSibling.textContent")
        assert [float(one) for one in re.findall(r"\d+\.\d+", said)] == pytest.approx([mean, above], rel=0.01)
        colour = """((canvas) => [...canvas.getContext('2d').getImageData(
          canvas.width - 8, canvas.height - 8, 1, 1).data])(document.querySelectorAll('.pairs canvas')[%d])"""
        likely = page.run(colour % 1)
        assert likely[:3] == [86, 180, 233], "a pair of all is drawn in the full colour"
        page.until(MOVE)
        page.press("Home")
        page.settle()
        assert page.run(listed)[0] == "“c”\t-1.10 (33 %)\t0 (100 %)\t-1.1"
        assert page.run(colour % 2)[:3] == [240, 168, 48], "too low by more than a nat"
        page.click(".pairs canvas")
        page.settle()
        assert page.run("document.querySelector(\"[aria-label='character before']\").value") == "1"
        assert not page.run(WIDER)
        assert page.console == []


def test_a_unit_shows_its_values_its_inputs_and_its_place(browser: Browser, tmp_path: Path) -> None:
    """By keyboard and by clicks: another unit, the unit of the layer before that it reads, and another step."""
    seen = well()
    coded = tuple(replace(one, code="backlight/nn/activations.py" if "act" in one.name else "") for one in seen.layers)
    write_report(replace(seen, texts=texts(), layers=coded), tmp_path / "report.html", title="my net")
    with browser.page((tmp_path / "report.html").as_uri(), width=390, dark=True) as page:
        page.until("document.querySelector('.units')")

        def shown(place: int) -> list[list[str]]:
            rows = f"document.querySelectorAll('.unit-rows')[{place}].children"
            of_row = "(one) => [one.children[0].textContent, one.children[2].textContent.replace('\\u2212', '-')]"
            return [list(one) for one in page.run(f"[...{rows}].map({of_row})")]

        assert shown(0) == [["“.”", "1.0"], ["“<b>”", "0"], ["“a”", "0"]]
        assert shown(1) == [["“<b>”, read last", "2.0"], ["“a”, 2 back", "-1.0"]]
        place = text(page, ".units ~ p")
        assert "Layer 2 of 5 in order of execution. It reads fc1 (Linear)." in place
        assert "class Tanh in backlight/nn/activations.py" in place
        page.run("document.querySelector('.units').focus()")
        page.press("ArrowRight")
        page.settle()
        assert text(page, ".units ~ h3") == "unit 1 of act1 (Tanh)"
        assert page.run("document.querySelector('.units').getAttribute('aria-valuetext')").startswith(
            "unit 1: “.” \u22121.0"
        )
        page.click(".units")  # the middle one of three
        assert text(page, ".units ~ h3") == "unit 1 of act1 (Tanh)"
        page.run("""(() => {
          const layer = document.querySelector('[aria-label="layer whose units are shown"]');
          layer.value = "act2";
          layer.dispatchEvent(new Event("change"));
        })()""")
        assert shown(1) == [["unit 2 of act1", "-1.0"], ["unit 0 of act1", "0.50"]]
        page.run("document.querySelector('.unit-rows button').focus()")
        page.press("Enter")
        assert text(page, ".units ~ h3") == "unit 2 of act1 (Tanh)"
        page.press("Home")
        assert text(page, ".units ~ h3") == "unit 0 of act1 (Tanh)"
        page.until(MOVE)
        page.press("Home")
        page.settle()
        assert shown(0)[0] == ["“.”", "0"], "at step 0"
        assert not page.run(WIDER)
        assert page.console == []


# -- the live page -----------------------------------------------------------------------------------------------------


class Server:
    """`backlight studio` in a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backlight", "studio", *words], cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        said = ""
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)/\S+/", said)):
            line = self._process.stdout.readline()
            assert line, said
            said += line
        self.address, self.port = found[0], found[1]

    def end(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def text(page: Page, selector: str) -> str:
    return str(page.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''"))


def press_button(page: Page, name: str) -> None:
    find = (
        f"[...document.querySelectorAll('button')].find((one) => one.textContent === {json.dumps(name)} && !one.hidden"
    )
    page.until(f"Boolean({find} && one.offsetParent))")
    page.run(f"{find}).click()")


def step_of(state: str) -> int:
    return int(re.search(r"step ([\d,]+)", state)[1].replace(",", ""))  # type: ignore[index]


def test_a_training_from_the_page_and_back(browser: Browser, folder: Path) -> None:
    """Start on pasted text, pause, one step, another rate, run to a step, stop, resume: all from the page."""
    server = Server(folder)
    try:
        with browser.page(server.address, width=390) as page:
            page.until("document.querySelector('form.start:not([hidden])')")
            page.run(HUGE_DROP)
            said = page.until("document.querySelector('.start .said').textContent")
            assert "huge.txt has 1,000 MB; a page takes at most 20 MB" in said
            page.run(
                "document.querySelector('textarea').value = 'emma\\nolivia\\n<script>alert(1)</script>\\n'.repeat(40)"
            )
            page.run("""(() => {
              const set = (label, value) => {
                const field = document.querySelector(`[aria-label="${label}"]`);
                field.value = value;
                field.dispatchEvent(new Event("change"));
              };
              set("model", "bigram"); set("steps", "1000000");
            })()""")
            press_button(page, "Train")
            page.until("document.querySelector('.state').dataset.state === 'training'")
            page.until("document.querySelector('.samples').children.length > 0")
            press_button(page, "Pause")
            page.until("document.querySelector('.state').dataset.state === 'paused'")
            page.settle()
            before = step_of(text(page, ".state"))
            press_button(page, "One step")
            page.until(f"/step {before + 1:,} /.test(document.querySelector('.state').textContent)")
            page.run("document.querySelector('[aria-label=\"new peak learning rate\"]').value = '0.25'")
            press_button(page, "Set learning rate")
            changes = folder / "runs" / "pasted-bigram-1" / "changes.jsonl"
            until(changes.exists)
            assert json.loads(changes.read_text()) == {"step": before + 1, "lr": 0.25}
            page.run("document.querySelector('[aria-label=\"step to run to\"]').value = '0.5'")
            press_button(page, "Run to step")
            assert "number of steps" in page.until("document.querySelector('.controls .said').textContent")
            page.run(f"document.querySelector('[aria-label=\"step to run to\"]').value = '{before + 50}'")
            press_button(page, "Run to step")
            page.until(f"/step {before + 50:,} /.test(document.querySelector('.state').textContent)")
            press_button(page, "Stop")
            page.until("document.querySelector('.state').dataset.state === 'stopped'")
            press_button(page, "Resume")
            page.until("document.querySelector('.state').dataset.state === 'training'")
            assert not page.run(WIDER)
            assert page.console == [] or all("400" in line for line in page.console), page.console
            assert {address.split("/")[2] for address in page.asked} == {f"127.0.0.1:{server.port}"}
        with browser.page(server.address, dark=True) as page:  # the page was closed, and the training went on
            page.until("document.querySelector('.state').dataset.state === 'training'")
            assert page.until("document.querySelectorAll('.panel:not([hidden]) canvas').length") > 3
            press_button(page, "Stop")
            page.until("document.querySelector('.state').dataset.state === 'stopped'")
            press_button(page, "Begin with best weights")
            page.until("document.querySelector('.bar select').value === 'pasted-bigram-1-bigram-1'")
            page.until("document.querySelector('.state').dataset.state === 'training'")
            press_button(page, "Stop")
            page.until("document.querySelector('.state').dataset.state === 'stopped'")
            assert json.loads((folder / "runs" / "pasted-bigram-1-bigram-1" / "config.json").read_text())["start"]
            assert page.console == []
    finally:
        server.end()


def test_back_to_a_checkpoint_and_on_as_a_branch(browser: Browser, folder: Path) -> None:
    """By keyboard alone: to a step by the slider, and on from the checkpoint before it."""
    names = ["emma", "olivia", "ava", "mia", "noah", "liam"] * 6
    parent = backlight.train(
        names, model="bigram", steps=40, eval_interval=10, keep_checkpoints=4, watch_every=5,
        run=folder / "runs" / "parent", progress=False,
    )  # fmt: skip
    server = Server(folder)
    try:
        with browser.page(server.address, width=390, dark=True) as page:
            page.until("document.querySelectorAll('.kept i').length === 5")
            offered = page.run("[...document.querySelectorAll('.controls option')].map((one) => Number(one.value))")
            assert offered == [0, 10, 20, 30, 40]
            assert re.fullmatch(r"0\.\d MB kept", text(page, ".kept-size"))
            page.until(MOVE)
            page.press("Home")
            for _ in range(40):
                page.press("ArrowRight")
                page.settle()
                if int(page.run("document.querySelector('.timeline input').value")) > 21:
                    break
            branch = "[...document.querySelectorAll('.controls button')].find((one) => /^Branch/.test(one.textContent))"
            assert page.run(f"{branch}.textContent") == "Branch from step 20"
            assert not page.run(WIDER)
            page.run(f"{branch}.focus()")
            page.press("Enter")
            page.until("document.querySelector('.bar select').value === 'parent-at-20-1'")
            page.until("/branch ofparent at step 20/.test(document.querySelector('.facts').textContent)")
            page.until("document.querySelector('.state').dataset.state === 'finished'")
            weights, _ = RunDirectory.open(folder / "runs" / "parent-at-20-1").load_weights()
            for name, array in parent.run.store.load_weights()[0].items():
                np.testing.assert_array_equal(weights[name], array)
            page.run("document.querySelector('.beside summary').focus()")
            page.press("Enter")
            page.until("document.querySelector('.beside input')")
            assert text(page, ".beside label") == "parent (parent)"
            page.run("document.querySelector('.beside input').focus()")
            page.press(" ")
            page.until("document.querySelectorAll('.legend')[0].children.length === 5")
            legend = dict(re.findall(r"([a-z, ]*held out) ([\d.]+)", text(page, ".legend")))
            assert legend["parent, held out"] == legend["held out"], "it has computed the same losses"
            page.press(" ")
            page.until("document.querySelectorAll('.legend')[0].children.length === 3")
            assert not page.run(WIDER)
            assert page.console == []
    finally:
        server.end()


def test_a_page_follows_any_record_and_comes_back_with_the_server(browser: Browser, folder: Path) -> None:
    record = folder / "other.jsonl"
    write_stream(well(), record)
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:60]))
    server = Server(folder, "other.jsonl")
    try:
        with browser.page(server.address) as page:
            page.until("document.querySelectorAll('.panel:not([hidden]) canvas').length > 3")
            before = step_of(text(page, ".state"))
            with record.open("ab") as file:
                file.write(b"".join(lines[60:90]) + b'{"type":"loss","step":150,"loss":"NaN"}\n')
            page.until(f"!/step {before:,}$/.test(document.querySelector('.state').textContent)")
            page.until("document.querySelector('.legend .alarm')")
            server.end()
            page.until("!document.querySelector('.lost').hidden")
            with record.open("ab") as file:
                file.write(b'{"type":"loss","step":777,"loss":1}\n')
            again, server = server.address, Server(folder, "other.jsonl")
            assert server.address == again
            page.until("document.querySelector('.lost').hidden")
            page.until("/step 778$/.test(document.querySelector('.state').textContent)")
    finally:
        server.end()
