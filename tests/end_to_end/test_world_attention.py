"""The world of attention in a real browser: its numbers are those of Backlight, and it is used by keyboard."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end.driving import Browser, Page
from tests.end_to_end.worlds import ALARM, OVERFLOW, STATUS, button, in_the_world, opened

from backlight.autograd import Tensor, apply, ops
from backlight.sample.filters import probabilities

MINUS = "\N{MINUS SIGN}"
STEP = "document.querySelector('.step-name').textContent"
WORDS = "document.querySelector('.step-words').textContent"
CELLS = (
    "[...document.querySelectorAll('.positions tbody tr')].map((row) => [...row.cells].map((one) => one.textContent))"
)
BARS = "[...document.querySelectorAll('.chances li')].map((one) => one.textContent)"

NAMES = ["Vectors", "Query", "Keys", "Scores", "Scaling", "Mask", "Softmax", "Values", "Weighted sum", "Next character"]


def write(page: Page, selector: str, text: str) -> None:
    page.run(f"document.querySelector({json.dumps(selector)}).focus()")
    page.run("document.activeElement.select()")
    page.call("Input.insertText", text=text)


def trained(page: Page) -> None:
    page.until(f"{STATUS}.startsWith('Trained 200 steps')")


def test_the_numbers_are_those_of_backlight(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "attention") as page:
        found = in_the_world(page, "attention", """(world) => {
          world.loop.stop();
          for (let step = 0; step < 60; step += 1) world.model.step(0.5);
          world.steps.go(8);
          world.draw();
          world.line.choose(4);
          const arrays = Object.entries(world.model.arrays);
          const { ids, logits, weights } = world.reading;
          return {
            arrays: Object.fromEntries(arrays.map(([name, one]) => [name, [[one.rows, one.columns], [...one.data]]])),
            ids, logits: [...logits.data], weights: weights.map((one) => [...one]),
          };
        }""")  # fmt: skip
        cells, reads = page.run(CELLS), 4
        bars = page.run(BARS)
        row = np.array(found["logits"]).reshape(len(found["ids"]), -1)[reads]
        row[4] = row[2]
        for temperature, k in ((1, len(row)), (0.5, len(row)), (2.5, 3), (0.05, 2), (0, len(row))):
            script = f"chances(Float64Array.from({json.dumps(row.tolist())}), {temperature}, {k})"
            shares = page.run(f"import('backlight/next_bars.js').then(({{ chances }}) => [...{script}])")
            chances = probabilities(row[None], temperature=temperature, top_k=k)[0]
            np.testing.assert_allclose(shares, chances, rtol=1e-12, atol=1e-15)
    a = {name: np.reshape(data, shape) for name, (shape, data) in found["arrays"].items()}
    T = len(found["ids"])
    x = a["token"][found["ids"]] + a["position"][:T]
    q, k, v = x @ a["query"], x @ a["key"], x @ a["value"]
    mixed = apply(ops.CausalAttention, Tensor(np.concatenate([q, k, v], axis=1)[None]), heads=1).array[0]
    logits = (x + mixed @ a["out"]) @ a["weight"] + a["bias"]
    np.testing.assert_allclose(found["logits"], logits.ravel(), rtol=1e-9, atol=1e-12)
    scores = q[reads] @ k.T / 2
    weights = np.exp(scores[: reads + 1]) / np.exp(scores[: reads + 1]).sum()
    np.testing.assert_allclose(found["weights"][reads], weights, rtol=1e-9)
    assert len(cells) == T
    assert cells[reads][1].endswith("reads")
    for at, (_, _, key, score, scaled, masked, weight, value, share) in enumerate(cells):
        known = at <= reads
        expected = weights[at] if known else 0.0
        assert numbers(key) == pytest.approx(k[at], abs=0.00501)
        assert numbers(value) == pytest.approx(v[at], abs=0.00501)
        assert numbers(score) == pytest.approx([2 * scores[at]], abs=0.00501)
        assert numbers(scaled) == pytest.approx([scores[at]], abs=0.00501)
        assert (masked == scaled) if known else (masked == f"{MINUS}∞")
        assert numbers(weight) == pytest.approx([expected], abs=0.00501)
        assert numbers(share) == pytest.approx(expected * v[at], abs=0.00501)
    likeliest = np.exp(logits[reads] - logits[reads].max())
    assert float(bars[0].split()[0][1:]) == pytest.approx(100 * (likeliest / likeliest.sum()).max(), abs=0.6)


def numbers(text: str) -> list[float]:
    return [float(one) for one in text.strip("()").replace(MINUS, "-").split(",")]


def test_attention_is_walked_through_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "attention", width=390, dark=True) as page:
        trained(page)
        assert float(page.run(STATUS).split(": ")[1].split()[0]) < 1.2
        write(page, "input[aria-label='your own line']", "the cat ran")
        assert len(page.run(CELLS)) == 12
        page.run("document.querySelector('.line button[aria-pressed=true]').focus()")
        page.press("End")
        assert page.run(f"{CELLS}[11][1]") == "n ◂ reads"
        page.run("document.querySelector('input[aria-label^=step]').focus()")
        names = [page.run(STEP)]
        for _ in range(9):
            page.press("ArrowRight")
            names.append(page.run(STEP))
        assert [one.split(": ")[1] for one in names] == NAMES
        page.run("document.querySelector('input[aria-label^=step]').focus()")
        for _ in range(6):
            page.press("ArrowLeft")
        before = page.run(WORDS)
        page.run("document.querySelectorAll('.positions button')[5].focus()")
        page.press("Enter")
        assert page.run(WORDS) != before
        assert page.run(WORDS).startswith("A score is the dot product of query and key. For “c”: q · k = ")
        assert page.run("document.activeElement.ariaPressed") == "true", "the focus stays"
        page.run("document.querySelector('input[aria-label=temperature]').focus()")
        page.press("Home")
        assert [one[1:] for one in page.run(BARS)][:2] == ["100 %", "0 %"]
        button(page, "Draw one")  # it is always the same now
        assert page.run("document.querySelector('input[aria-label=temperature]').ariaValueText").endswith("likeliest")
        assert not page.run(OVERFLOW)
        page.resize(1280, 900)
        page.settle()
        assert not page.run(OVERFLOW)


def test_what_cannot_be_read_is_said(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "attention") as page:
        button(page, "Random weights")
        line = "input[aria-label='your own line']"
        write(page, line, "the Zoo")
        assert page.run(ALARM) == "The model has no “Z”: it is not in the text that it learns."
        write(page, line, "the cat")
        assert page.run(ALARM) == ""
        write(page, "textarea", "abc")
        button(page, "Learn this text")
        assert page.run(ALARM) == "A text to learn must have 20 to 5,000 characters; this one has 4."
        write(page, "textarea", "".join(map(chr, range(0x400, 0x450))))
        button(page, "Learn this text")
        assert page.run(ALARM) == "A text to learn may have 64 different characters; this one has 81."
        write(page, "textarea", "<b>otto</b>\n<b>anna</b>\n<b>hannah</b>")
        button(page, "Random weights")
        assert page.run(STATUS).startswith("Random weights, not trained")
        assert "no “e”" in page.run(ALARM)
        write(page, line, "<b>anna")
        assert page.run(ALARM) == ""
        button(page, "Train on")
        page.until(f"{STATUS}.startsWith('Trained ')")
        button(page, "Pause")
        page.run("document.querySelector('.line button[aria-pressed=true]').focus()")
        page.press("End")
        for _ in range(20):
            button(page, "Draw one")
        written = page.run(f"document.querySelector({json.dumps(line)}).value")
        assert written.startswith("<b>anna")
        assert 7 < len(written) <= 23
