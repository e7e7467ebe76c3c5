"""The world of single numbers in a real browser: forward, backward, and guessed first."""

from pathlib import Path

from tests.end_to_end.driving import Browser, Page
from tests.end_to_end.worlds import OVERFLOW, choose, opened

ON = "document.querySelector('[aria-label=\"one step forward\"]')"
DATA = "[...document.querySelectorAll('.graph text[data-part^=\"data \"]')].map((one) => one.textContent)"
HEAD = "document.querySelector('.head').textContent"
ASKED = "document.querySelector('.asked').textContent"


def answer(page: Page, text: str) -> None:
    page.run("document.querySelector('.guess input').select()")
    page.call("Input.insertText", text=text)
    page.press("Enter")


def test_numbers_are_guessed_first_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "graph", width=390, dark=True) as page:
        assert sorted(page.run(DATA)) == ["-2", "-3", "10", "2", "?", "?", "?"]
        hidden = "document.querySelectorAll('.graph text.hidden').length"
        assert page.run(hidden) == 6
        page.run("document.querySelector('.guessing input').click()")
        page.run(f"{ON}.focus()")
        page.press("Enter")
        assert page.run(ASKED).startswith("e = a * b. What is e?")
        assert page.run("document.activeElement.type") == "text", "the answer can be typed at once"
        answer(page, "6")
        assert page.run("document.querySelector('.reply').textContent") == "6 is not it. a is 2, b is -3."
        answer(page, "six")
        assert "Write a number" in page.run("document.querySelector('.reply').textContent")
        assert page.run(DATA).count("?") == 3, "it is not shown yet"
        answer(page, "\u22126")
        assert page.run(ASKED) == "Right: it is -6."
        assert "-6" in page.run(DATA)
        assert page.run(hidden) == 4
        assert page.run(f"document.activeElement === {ON}"), "and on it goes"
        page.press("Enter")
        page.run("[...document.querySelectorAll('.guess button')][1].click()")
        assert page.run(ASKED) == "It is 4."
        page.run("document.querySelector('.guessing input').click()")
        page.run("document.querySelector('input[type=range]').focus()")
        page.press("End")
        assert "all gradients known" in page.run(HEAD)
        for _ in range(3):
            page.press("ArrowLeft")
        page.run("document.querySelector('.guessing input').click()")
        page.run("document.querySelector('input[type=range]').focus()")
        page.press("ArrowRight")
        assert page.run(ASKED).startswith("L passes its gradient back. What does d receive?")
        page.press("ArrowLeft")
        assert page.run(ASKED) != "", "an arrow key in the answer moves in the answer"
        answer(page, "-2")
        assert page.run(ASKED) == "Right: it is -2."
        assert not page.run(OVERFLOW)
        page.resize(1280, 900)
        page.settle()
        assert not page.run(OVERFLOW)


def test_another_graph_is_chosen(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, "graph") as page:
        choose(page, "graph", "a neuron with tanh")
        assert "A neuron with tanh" in page.run("document.querySelector('.graph').textContent")
        page.run("document.querySelector('input[type=range]').focus()")
        page.press("End")
        assert "-0.4621" in page.run(DATA)
