"""The page of a model in a real browser: its engine computes what the package computes, and it is used by keyboard."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.end_to_end.driving import Browser, Page

import backlight
from backlight.autograd.ops.softmax import shifted_log_softmax
from backlight.models.decoding import decode
from backlight.page import write_page
from backlight.sample import context_ids, score_items
from backlight.training.run import folded

NAMES = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail", "ann-lou"] * 3
SMALL: dict[str, dict[str, Any]] = {
    "bigram": {},
    "ngram": {"order": 4},
    "ngram of order 1": {"order": 1},
    "ngram with add-k": {"order": 3, "smoothing": "add-k", "k": 0.3},
    "mlp": {"hidden": (11, 7), "embedding": 5, "context": 3, "direct": True},
    "mlp with batch norm": {"hidden": (11,), "embedding": 5, "context": 3, "batch_norm": True},
    "wavenet": {"hidden": 9, "embedding": 5, "context": 4},
    "rnn": {"hidden": (9, 6), "embedding": 5, "context": 4},
    "gru": {"hidden": (9, 6), "embedding": 5, "context": 4},
    "lstm": {"hidden": (9, 6), "embedding": 5, "context": 4},
    "gpt": {"n_embd": 12, "n_head": 3, "n_layer": 2, "context": 5, "dropout": 0.2},
    "gpt with tied weights": {"n_embd": 12, "n_head": 2, "n_layer": 1, "context": 5, "tie_weights": True},
    "gpt+ngram": {"n_embd": 12, "n_head": 2, "n_layer": 1, "context": 5, "order": 3},
    "mlp+ngram": {"hidden": (7,), "embedding": 5, "context": 2, "order": 4},
}
ENGINE = """(async () => {
  const { unpacked } = await import("backlight/arrays.js");
  const { LanguageModel } = await import("backlight/language_model.js");
  const { Tokens } = await import("backlight/tokens.js");
  const facts = JSON.parse(document.querySelector("#facts").textContent);
  const model = new LanguageModel(facts, unpacked(facts.arrays, document.querySelector("#arrays").textContent));
  const tokens = new Tokens(facts.tokens);
  return await (%s);
})()"""
LETTERS = "[...document.querySelectorAll('.line button')].map((one) => one.textContent).join('')"
CHOSEN = "document.querySelector('.line button[aria-pressed=true]').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


def trained(name: str, **more: Any) -> backlight.Model:
    kind = name.split(maxsplit=1)[0]
    steps = {} if kind == "ngram" else {"steps": 12, "batch_size": 16, "eval_interval": 12}
    return backlight.train(NAMES, kind, progress=None, **steps, **SMALL[name], **more)


def logits_of(model: backlight.Model, ids: list[int]) -> np.ndarray[Any, Any]:
    """Return the logits of what follows each beginning of a text, as sampling computes them."""
    network = folded(model.run.model)
    texts = decode(network, context_ids(network, np.array(ids[:0], np.int64)))
    rows = [texts.logits[texts.which[0]]]
    for one in ids:
        texts.advance(np.array([one]))
        rows.append(texts.logits[texts.which[0]])
    return np.array(rows, np.float64)


@pytest.mark.parametrize("name", SMALL)
def test_the_page_computes_the_same_logits(browser: Browser, tmp_path: Path, name: str) -> None:
    model = trained(name)
    write_page(model, tmp_path / "page.html")
    text = "isabellaxophia-ava".replace("x", "l")  # longer than every context
    ids = model.vocabulary.encode(text).tolist()
    with browser.page((tmp_path / "page.html").as_uri()) as page:
        said = page.until("document.querySelector('#check').textContent")
        found = np.array(page.run(ENGINE % f"""(() => {{
          const reader = model.reader();
          return [0, ...{json.dumps(ids)}].map((id) => [...reader.push(id)]);
        }})()"""))  # fmt: skip
        scored = page.run(ENGINE % f"model.score({json.dumps(ids)}).map((one) => one.nats)")
        greedy = page.run(
            ENGINE % "model.sample({prefix: [], most: 9, temperature: 0}).then(({ids}) => tokens.decode(ids))"
        )
        assert page.console == []
    expected = logits_of(model, ids)
    if "+" in name:  # whose logits have an arbitrary constant
        found, expected = shifted_log_softmax(found), shifted_log_softmax(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))
    (score,) = score_items(folded(model.run.model), model.vocabulary, [text])
    np.testing.assert_allclose(scored, [nats for _, nats in score.per_character], rtol=1e-5, atol=1e-6)
    assert greedy == model.sample(1, temperature=0, max_length=9)[0]
    assert said.startswith("This page computes what Backlight computes")


def test_a_page_that_computes_something_else_says_so(browser: Browser, tmp_path: Path) -> None:
    write_page(trained("mlp"), tmp_path / "page.html")
    whole = (tmp_path / "page.html").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(whole.replace('"nats":[', '"nats":[9', 1), encoding="utf-8")
    with browser.page((tmp_path / "page.html").as_uri()) as page:
        page.until("document.querySelector('#check.alarm')")
        assert "something else than Backlight" in page.run("document.querySelector('#check').textContent")


def test_unknown_characters_and_scripts_are_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    model = backlight.train(["<script>alert(1)</script>", "</script><b>", "a<b>c"] * 9, "ngram", progress=None)
    write_page(model, tmp_path / "page.html")
    with browser.page((tmp_path / "page.html").as_uri()) as page:
        page.until("document.querySelectorAll('.samples li').length === 12")
        page.run("document.querySelector('.grow input').focus()")
        page.run("document.querySelector('.grow input').value = ''")
        page.call("Input.insertText", text="a<b>")
        assert page.run(LETTERS) == "a<b>."
        page.call("Input.insertText", text="Q")
        assert "no “Q” in its vocabulary" in page.run(
            "document.querySelector('[role=alert]:not([hidden])').textContent"
        )
        assert (page.console, page.asked) == ([], [(tmp_path / "page.html").as_uri()])


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_a_page_is_used_by_keyboard(browser: Browser, tmp_path: Path, width: int, *, dark: bool) -> None:
    write_page(trained("gpt"), tmp_path / "page.html")
    with browser.page((tmp_path / "page.html").as_uri(), width=width, dark=dark) as page:
        page.until("document.querySelectorAll('.samples li').length === 12")
        assert not page.run("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        page.run("document.querySelector('.grow input').select()")
        page.call("Input.insertText", text="amelia")
        assert page.run(LETTERS) == "amelia."
        page.run("document.querySelector('.line button').focus()")
        page.press("ArrowRight")
        assert page.run(CHOSEN) == "m"
        page.press("End")
        assert page.run(CHOSEN) == "."
        page.run("document.querySelectorAll('.head')[4].click()")
        # the context is 5, so the end is read in the second chunk, which begins with i
        assert "In layer 2, head 2, “a” (place 2) reads" in page.run("document.querySelector('.heads + p').textContent")
        page.run("document.querySelector('input[type=range]').focus()")
        page.press("Home")
        page.run("document.querySelector('form button').focus()")
        page.press("Enter")
        page.until("document.querySelectorAll('.samples li').length === 12")
        drawn = page.run("[...document.querySelectorAll('.samples li')].map((one) => one.textContent)")
        assert len(set(drawn)) == 1, "always the likeliest"
        assert page.console == []


def engine(page: Page, script: str) -> Any:
    return page.run(ENGINE % script)


def test_words_and_labels_and_running_text_are_read_as_in_the_package(browser: Browser, tmp_path: Path) -> None:
    page_file = tmp_path / "page.html"
    texts = ["the cat's mat, the cat's hat", "a hat \u2013 a cat\u3000the mat", "a mat, a hat"] * 9
    words = backlight.train(texts, "ngram", tokens="words", progress=None)
    write_page(words, page_file)
    with browser.page(page_file.as_uri()) as page:
        for text in ("the cat's hat, a mat", "tha\u3000\u2013 cat"):
            assert engine(page, f"tokens.encode({json.dumps(text)})") == words.vocabulary.encode(text).tolist()
    table = tmp_path / "places.csv"
    table.write_text("name,country\n" + "pisa,IT\nroma,IT\nlyon,FR\nnice,FR\n" * 9)
    labelled = backlight.train(table, "ngram", column="name", label="country", progress=None)
    write_page(labelled, page_file)
    with browser.page(page_file.as_uri()) as page:
        nats = engine(page, "model.score(tokens.encode(tokens.mark('FR') + 'nice')).map((one) => one.nats)")
        assert sum(nats) == pytest.approx(labelled.score(["nice"], label="FR")[0], rel=1e-5)
        drawn = page.until("document.querySelector('.samples li span').textContent")
        assert set(drawn) <= set("pisaromlynce")
    story = "once upon a time there was a cat, and it sat on a mat. " * 20
    stream = backlight.train([story], "ngram", mode="text", progress=None)
    write_page(stream, page_file)
    with browser.page(page_file.as_uri()) as page:
        nats = engine(page, "model.score(tokens.encode('a cat sat')).map((one) => one.nats)")
        assert sum(nats) == pytest.approx(stream.score(["a cat sat"])[0], rel=1e-5)
        assert len(nats) == 9
