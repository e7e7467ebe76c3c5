"""Figures, light and dark, with usual and with awkward data: nothing is cut off, and no text covers another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.unit.figures.layout import cut_off, drawn, overlaps

from backlight import figures
from backlight.figures import DARK_STYLE, FIGURES, STYLE, LossCurves, Ridge, SizedFigure
from backlight.watch.records import BINS, Histogram

LETTERS = list(".abcdefghijklmnopqrstuvwxyz")
ODD = ["<boundary>", "$", "_", "^", "\\", "{", "%", "␣", "↵", "U+0301", "亜", "あ", "🎉", "ﷺ", "ß", "W", "&", "#"]


@dataclass
class World:
    """Data for every figure, of one size."""

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

    def attention(self) -> SizedFigure:
        T = min(len(self.text), 16)
        weights = np.tril(self.rng.random((4, T, T)) + 0.01)
        layers = {f"blocks.{place}": weights / weights.sum(-1, keepdims=True) for place in range(min(self.layers, 4))}
        return figures.attention(layers, self.text[:T])

    def loss(self) -> SizedFigure:
        steps = np.arange(self.steps)
        smoothed = 2 + 1.3 * np.exp(-steps / 50)
        losses = smoothed + self.rng.normal(0, 0.1, len(steps))
        dev = slice(None, None, max(1, self.steps // 10))
        curves = LossCurves(
            steps=steps, losses=losses, smoothed=smoothed, dev_steps=steps[dev], dev=smoothed[dev],
            uniform=float(np.log(self.V)),
        )  # fmt: skip
        return figures.loss(curves)

    def sweep(self) -> SizedFigure:
        rates = np.geomspace(1e-5, 1, self.steps)
        smoothed = 3.3 - 1.2 / (1 + 3e-3 / rates) + (rates / 0.2) ** 2
        return figures.rate_sweep(rates, smoothed, smoothed, 3e-3)

    def updates(self) -> SizedFigure:
        steps = np.arange(0, 10 * self.steps, 10)
        return figures.update_to_data(
            steps, {name: np.exp(self.rng.normal(-7, 0.1, len(steps))) for name in self.names}
        )

    def receptive(self) -> SizedFigure:
        levels = ["embedding, 24 numbers", *(f"128 units see {2**k}" for k in range(1, min(self.layers, 4) + 1))]
        letters = [self.labels[k % self.V] for k in range(2 ** (len(levels) - 1))]
        return figures.receptive_field(
            letters, levels, outcome=self.labels[-1], influence=self.rng.random(len(letters))
        )

    def league(self) -> SizedFigure:
        rows = [
            {"model": f"{name} {k}", "parameters": 10 ** (2 + k / 3), "context": k, "dev_nats": 2 + 1 / (1 + k + odd),
             "seconds": 0.001 * 3**k}
            for k in range(1, self.layers + 4) for odd, name in enumerate(("add-k", "Kneser-Ney"))
        ]  # fmt: skip
        return figures.league([*rows, {**rows[0], "model": "unsmoothed", "dev_nats": float("inf")}])

    def figures(self) -> Iterator[tuple[str, Callable[[], SizedFigure]]]:
        V, labels, rng = self.V, self.labels, self.rng
        with np.errstate(divide="ignore"):
            counted = np.log(np.where(self.p < 1e-3, 0, self.p))
        yield "bigram_counts", lambda: figures.bigram_counts((self.p * 90_000).astype(int), labels)
        yield "bigram_probabilities", lambda: figures.bigram_probabilities(self.p, labels)
        yield "weights", lambda: figures.weights(np.log(self.p + 1e-9), counted, labels)
        yield "weight_gradient", lambda: figures.weight_gradient(rng.normal(0, 1, (V, V)) ** 3, labels)
        yield "firing_rates", lambda: figures.firing_rates(self.p[0], labels)
        yield (
            "next_character",
            lambda: figures.next_character(self.p[0], labels, after="".join(labels[1:]), truth=V - 1),
        )
        yield "loss", self.loss
        yield "rate_sweep", self.sweep
        yield "embedding", lambda: figures.embedding(rng.normal(0, 1, (V, 2)), labels, marked={1}, marked_are="vowels")
        yield "activations", lambda: figures.activations(self.rows(1, "std 0.65, 3.1% saturated"))
        yield "preactivations", lambda: figures.preactivations(self.rows(4, "mean -0.01, std 1.02"))
        yield "activation_gradients", lambda: figures.activation_gradients(self.rows(2**-9, "std 1.2e-04"))
        yield "weight_gradients", lambda: figures.weight_gradients(self.rows(2**-9, "std 1.2e-04"))
        yield "saturation", lambda: figures.saturation({name: rng.random((20, 30)) > 0.8 for name in self.names})
        yield "dead_units", lambda: figures.dead_units(self.names, [rng.random(40).round(1) for _ in self.names])
        yield "gradient_to_data", lambda: figures.gradient_to_data(self.names, np.exp(rng.normal(-7, 2, self.layers)))
        yield "update_to_data", self.updates
        yield "dlogits", lambda: figures.dlogits(rng.normal(0, 1e-3, (32, V)), labels)
        yield "attention", self.attention
        yield "receptive_field", self.receptive
        yield (
            "surprise",
            lambda: figures.surprise(self.text, rng.exponential(2, len(self.text)), uniform=np.log(V)),
        )
        yield "league", self.league


LAYERED = {
    "activations", "activation_gradients", "saturation", "dead_units", "gradient_to_data", "update_to_data",
    "attention", "receptive_field", "league",
}  # fmt: skip
LETTERED = {
    "bigram_counts", "bigram_probabilities", "weights", "weight_gradient", "firing_rates", "next_character",
    "embedding", "dlogits", "attention", "receptive_field", "surprise",
}  # fmt: skip
EVERY = LAYERED | LETTERED | {"preactivations", "weight_gradients", "loss", "rate_sweep"}
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
    for name, make in data.figures()
    if name in wanted
]


def test_the_figures_are_those_of_runs():
    assert {name for name, _ in WORLDS["usual"][0].figures()} == EVERY
    assert {name.replace("_", "-") for name in EVERY} <= set(FIGURES)


@pytest.mark.parametrize(("make", "style", "name"), CASES)
def test_no_text_is_cut_off_or_covers_another(make, style, name, monkeypatch):
    made = make()
    with mpl.rc_context(style):
        figure = Figure(figsize=(made.width, made.height), layout=made.layout)
        made.draw(figure)
        texts = drawn(figure, monkeypatch)
        assert texts
        assert cut_off(figure, texts) == []
        if name != "embedding":  # two characters may well have the same vector
            assert overlaps(texts) == []


def test_the_check_sees_what_is_cut_off_and_what_overlaps(monkeypatch):
    figure = Figure(layout="constrained")
    figure.subplots().set_axis_off()
    figure.text(0.5, 0.5, "over")
    figure.text(0.51, 0.5, "under")
    figure.text(0.99, 0.1, "beyond")
    texts = drawn(figure, monkeypatch)
    assert overlaps(texts) == [("over", "under")]
    assert cut_off(figure, texts) == ["beyond"]
