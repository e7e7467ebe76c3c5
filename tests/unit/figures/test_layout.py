"""Every picture, light and dark, with usual and with awkward data: nothing is cut off, and no text covers another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from backlight.figures import (
    DARK_STYLE,
    STYLE,
    LossCurves,
    Ridge,
    draw_activation_gradients,
    draw_activations,
    draw_preactivations,
    draw_weight_gradients,
    pages,
)
from backlight.figures.pages import Page
from backlight.watch.records import BINS, Histogram

LETTERS = list(".abcdefghijklmnopqrstuvwxyz")
ODD = ["<boundary>", "$", "_", "^", "\\", "{", "%", "␣", "↵", "U+0301", "亜", "あ", "🎉", "ﷺ", "ß", "W", "&", "#"]


@dataclass
class World:
    """Data for every picture, of one size."""

    labels: list[str]
    layers: int = 3
    text: list[str] = field(default_factory=lambda: list("emma"))
    steps: int = 300

    def __post_init__(self):
        self.rng = np.random.default_rng(3)
        self.V = len(self.labels)
        self.names = [f"hidden.{2 * place + 1}" for place in range(self.layers)]
        self.p = self.rng.dirichlet(np.full(self.V, 0.3), self.V)

    def histogram(self, scale: float, reach: float) -> Histogram:
        counts, _ = np.histogram(np.clip(self.rng.normal(0, scale, 500), -reach, reach), BINS, (-reach, reach))
        return Histogram(low=-reach, high=reach, counts=tuple(counts.tolist()))

    def rows(self, reach: float, note: str) -> list[Ridge]:
        return [
            Ridge(name=name, histogram=self.histogram(0.4 * reach / (1 + place), reach), note=note)
            for place, name in enumerate(self.names)
        ]

    def attention(self) -> Page:
        T = min(len(self.text), 16)
        weights = np.tril(self.rng.random((4, T, T)) + 0.01)
        layers = {f"blocks.{place}": weights / weights.sum(-1, keepdims=True) for place in range(min(self.layers, 4))}
        return pages.attention(layers, self.text[:T])

    def loss(self) -> Page:
        steps = np.arange(self.steps)
        smoothed = 2 + 1.3 * np.exp(-steps / 50)
        losses = smoothed + self.rng.normal(0, 0.1, len(steps))
        dev = slice(None, None, max(1, self.steps // 10))
        curves = LossCurves(
            steps=steps, losses=losses, smoothed=smoothed, dev_steps=steps[dev], dev=smoothed[dev],
            know_nothing=float(np.log(self.V)),
        )  # fmt: skip
        return pages.loss(curves)

    def sweep(self) -> Page:
        rates = np.geomspace(1e-5, 1, self.steps)
        smoothed = 3.3 - 1.2 / (1 + 3e-3 / rates) + (rates / 0.2) ** 2
        return pages.rate_sweep(rates, smoothed, smoothed, 3e-3)

    def updates(self) -> Page:
        steps = np.arange(0, 10 * self.steps, 10)
        return pages.update_to_data(steps, {name: np.exp(self.rng.normal(-7, 0.1, len(steps))) for name in self.names})

    def receptive(self) -> Page:
        levels = ["embedding, 24 numbers", *(f"128 units see {2**k}" for k in range(1, min(self.layers, 4) + 1))]
        letters = [self.labels[k % self.V] for k in range(2 ** (len(levels) - 1))]
        return pages.receptive_field(letters, levels, outcome=self.labels[-1], influence=self.rng.random(len(letters)))

    def league(self) -> Page:
        rows = [
            {"model": f"{name} {k}", "parameters": 10 ** (2 + k / 3), "context": k, "dev_nats": 2 + 1 / (1 + k + odd),
             "seconds": 0.001 * 3**k}
            for k in range(1, self.layers + 4) for odd, name in enumerate(("add-k", "Kneser-Ney"))
        ]  # fmt: skip
        return pages.league([*rows, {**rows[0], "model": "unsmoothed", "dev_nats": float("inf")}])

    def pages(self) -> Iterator[tuple[str, Callable[[], Page]]]:
        V, labels, rng = self.V, self.labels, self.rng
        with np.errstate(divide="ignore"):
            counted = np.log(np.where(self.p < 1e-3, 0, self.p))
        yield "bigram_counts", lambda: pages.bigram_counts((self.p * 90_000).astype(int), labels)
        yield "bigram_probabilities", lambda: pages.bigram_probabilities(self.p, labels)
        yield "weights", lambda: pages.weights_beside_log_counts(np.log(self.p + 1e-9), counted, labels)
        yield "weight_gradient", lambda: pages.weight_gradient(rng.normal(0, 1, (V, V)) ** 3, labels)
        yield "firing_rates", lambda: pages.firing_rates(self.p[0], labels)
        yield (
            "next_characters",
            lambda: pages.next_characters(self.p[0], labels, after="".join(labels[1:]), truth=V - 1),
        )
        yield "loss", self.loss
        yield "sweep", self.sweep
        yield "embedding", lambda: pages.embedding(rng.normal(0, 1, (V, 2)), labels, marked={1}, marked_are="vowels")
        yield "activations", lambda: pages.ridges(draw_activations, self.rows(1, "std 0.65, 3.1% saturated"))
        yield "preactivations", lambda: pages.ridges(draw_preactivations, self.rows(4, "mean -0.01, std 1.02"))
        yield "activation_gradients", lambda: pages.ridges(draw_activation_gradients, self.rows(2**-9, "std 1.2e-04"))
        yield "weight_gradients", lambda: pages.ridges(draw_weight_gradients, self.rows(2**-9, "std 1.2e-04"))
        yield "saturation", lambda: pages.saturation({name: rng.random((20, 30)) > 0.8 for name in self.names})
        yield "dead_units", lambda: pages.dead_units(self.names, [rng.random(40).round(1) for _ in self.names])
        yield "gradient_to_data", lambda: pages.gradient_to_data(self.names, np.exp(rng.normal(-7, 2, self.layers)))
        yield "update_to_data", self.updates
        yield "dlogits", lambda: pages.dlogits(rng.normal(0, 1e-3, (32, V)), labels)
        yield "attention", self.attention
        yield "receptive_field", self.receptive
        yield "surprise", lambda: pages.surprise(self.text, rng.exponential(2, len(self.text)), know_nothing=np.log(V))
        yield "league", self.league


LAYERED = {
    "activations", "activation_gradients", "saturation", "dead_units", "gradient_to_data", "update_to_data",
    "attention", "receptive_field", "league",
}  # fmt: skip
LETTERED = {
    "bigram_counts", "bigram_probabilities", "weights", "weight_gradient", "firing_rates", "next_characters",
    "embedding", "dlogits", "attention", "receptive_field", "surprise",
}  # fmt: skip
EVERY = LAYERED | LETTERED | {"preactivations", "weight_gradients", "loss", "sweep"}
MANY = [".", *map(chr, range(0x21, 0x7F)), *map(chr, range(0xC0, 0x129))]

WORLDS = {
    "usual": (World(LETTERS), STYLE, EVERY),
    "dark": (World(LETTERS[:9]), DARK_STYLE, EVERY),
    "one character": (World([".", "a"], layers=1, text=["a"], steps=2), STYLE, EVERY),
    "200 characters": (World(MANY), STYLE, LETTERED),
    "12 layers": (World(LETTERS[:5], layers=12, text=list("a long line of text, " * 8)), STYLE, LAYERED | {"surprise"}),
    "odd characters": (World(ODD, text=ODD * 3), DARK_STYLE, LETTERED),
}
CASES = [
    pytest.param(make, style, name, id=f"{name}-{world}")
    for world, (data, style, wanted) in WORLDS.items()
    for name, make in data.pages()
    if name in wanted
]


def test_every_picture_is_looked_at():
    assert {name for name, _ in WORLDS["usual"][0].pages()} == EVERY


@pytest.mark.parametrize(("make", "style", "name"), CASES)
def test_no_text_is_cut_off_or_covers_another(make, style, name, monkeypatch):
    page = make()
    with mpl.rc_context(style):
        figure = Figure(figsize=(page.width, page.height), layout="constrained")
        page.draw(figure)
        texts = drawn(figure, monkeypatch)
        assert texts
        assert cut_off(figure, texts) == []
        if name != "embedding":  # two characters may well have the same vector
            assert overlaps(texts) == []


def drawn(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """Return every text that is really drawn: axes keep labels of ticks beyond their limits, which are not."""
    texts: list[Text] = []
    draw = Text.draw

    def record(text, renderer):
        if text.get_visible() and text.get_text().strip():
            texts.append(text)
        draw(text, renderer)

    figure.get_layout_engine().execute(figure)  # once before the drawing and once with it, as when saving
    monkeypatch.setattr(Text, "draw", record)
    figure.draw_without_rendering()
    return texts


def cut_off(figure: Figure, texts: list[Text]) -> list[str]:
    """Return the texts that are not whole on the figure."""
    page = figure.bbox.padded(1)
    boxes = ((text.get_text(), Text.get_window_extent(text)) for text in texts)
    return [text for text, box in boxes if not (page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1))]


def overlaps(texts: list[Text]) -> list[tuple[str, str]]:
    """Return the pairs of texts that share more than a pixel's breadth."""
    boxes = np.array([Text.get_window_extent(text).padded(-1).extents for text in texts])
    low, high = boxes[:, :2], boxes[:, 2:]
    shared = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    first, second = np.nonzero(np.triu((shared > 0).all(axis=-1), 1))
    return [(texts[a].get_text(), texts[b].get_text()) for a, b in zip(first, second, strict=True)]


def test_the_check_sees_what_is_cut_off_and_what_overlaps(monkeypatch):
    figure = Figure(layout="constrained")
    figure.subplots().set_axis_off()
    figure.text(0.5, 0.5, "over")
    figure.text(0.51, 0.5, "under")
    figure.text(0.99, 0.1, "beyond")
    texts = drawn(figure, monkeypatch)
    assert overlaps(texts) == [("over", "under")]
    assert cut_off(figure, texts) == ["beyond"]
