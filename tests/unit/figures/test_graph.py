"""The picture of a graph has a card with data and grad for each node, on either paper, at any size."""

from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from backlight import explain
from backlight.core import GraphError
from backlight.explanation.expression import evaluate
from backlight.explanation.picture import Picture
from backlight.figures import DARK_STYLE, STYLE
from backlight.figures.graph import graph, graph_size
from backlight.figures.style import DARK, LIGHT

NEURON = "n = x1*w1 + x2*w2 + b; o = tanh(n)"
AT = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}


@pytest.fixture
def neuron() -> Picture:
    return explain(evaluate(NEURON, AT)).picture("a neuron $x$")


def drawn(picture: Picture, *, dark: bool = False, zoom: float = 1.0) -> Figure:
    with mpl.rc_context(DARK_STYLE if dark else STYLE):
        width, height = graph_size(picture)
        figure = Figure(figsize=(zoom * width, zoom * height))
        graph.draw(figure.add_axes((0, 0, 1, 1)), picture)
    return figure


def cards(figure: Figure) -> list[FancyBboxPatch]:
    """Return the cards, which alone have outlines, by their places from left to right and from top to bottom."""
    found = [
        patch
        for patch in figure.axes[0].patches
        if isinstance(patch, FancyBboxPatch) and patch.get_linewidth() and patch.get_edgecolor()[3]
    ]
    return sorted(found, key=lambda patch: (patch.get_x(), patch.get_y()))


def written_on(figure: Figure, card: FancyBboxPatch) -> list[str]:
    inside = [
        text
        for text in figure.axes[0].texts
        if card.get_x() + 8.9 < text.get_position()[0] < card.get_x() + card.get_width()
        and card.get_y() < text.get_position()[1] < card.get_y() + card.get_height()
    ]
    return [
        text.get_text() for text in sorted(inside, key=lambda text: (text.get_position()[1], text.get_position()[0]))
    ]


def test_every_node_has_a_card_with_data_and_grad(neuron: Picture) -> None:
    figure = drawn(neuron)
    said = [written_on(figure, card) for card in cards(figure)]
    assert said == [
        ["x1", "data", "2", "grad", "-1.5"],
        ["w1", "data", "-3", "grad", "1"],
        ["x2", "data", "0", "grad", "0.5"],
        ["w2", "data", "1", "grad", "0"],
        ["v1", "data", "-6", "grad", "0.5"],
        ["v2", "data", "0", "grad", "0.5"],
        ["v3", "data", "-6", "grad", "0.5"],
        ["b", "data", "6.881", "grad", "0.5"],
        ["n", "data", "0.8814", "grad", "0.5"],
        ["o", "data", "0.7071", "grad", "1"],
    ]


def test_what_comes_first_stands_on_top(neuron: Picture) -> None:
    figure = drawn(neuron)
    heights = {
        text.get_text(): figure.axes[0].transData.transform(text.get_position())[1] for text in figure.axes[0].texts
    }
    assert heights["a neuron $x$"] > heights["x1"] > heights["w1"] > heights["x2"] > heights["w2"]


def test_arrows_carry_local_derivatives_and_badges_the_ops(neuron: Picture) -> None:
    figure = drawn(neuron)
    words = [text.get_text() for text in figure.axes[0].texts]
    notes = sorted(word for word in words if word.startswith("\N{MULTIPLICATION SIGN}") and len(word) > 1)
    expected = ["-3", "0", "0.5", "1", "1", "1", "1", "1", "2"]
    assert notes == [f"\N{MULTIPLICATION SIGN}{number}" for number in expected]
    assert words.count("+") == 2
    assert words.count("\N{MULTIPLICATION SIGN}") == 2
    assert words.count("tanh") == 1
    assert "a neuron $x$" in words
    assert sum(isinstance(patch, Polygon) for patch in figure.axes[0].patches) == len(neuron.arrows) == 9


def test_light_shows_where_the_gradient_is(neuron: Picture) -> None:
    figure = drawn(neuron)
    lit = {round(patch.get_x(), 1): patch.get_alpha() for patch in figure.axes[0].patches
           if isinstance(patch, FancyBboxPatch) and patch.get_alpha()}  # fmt: skip
    assert max(lit.values()) == pytest.approx(0.5)
    lights = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch) and patch.get_alpha()]
    assert len(lights) == 9, "all but w2, whose gradient is 0"


@pytest.mark.parametrize(("dark", "paper"), [(False, LIGHT), (True, DARK)])
def test_both_papers_have_their_colours(neuron: Picture, dark: bool, paper: object) -> None:
    figure = drawn(neuron, dark=dark)
    inks = {text.get_color() for text in figure.axes[0].texts}
    assert inks == {paper.ink, paper.muted, paper.paper}  # type: ignore[attr-defined]


def test_letters_grow_with_the_axes(neuron: Picture) -> None:
    sizes = [[text.get_size() for text in drawn(neuron, zoom=zoom).axes[0].texts] for zoom in (1.0, 0.5, 2.0)]
    assert sizes[1] == pytest.approx([size / 2 for size in sizes[0]])
    assert sizes[2] == pytest.approx([size * 2 for size in sizes[0]])
    assert max(sizes[0]) == pytest.approx(12.0)


def test_no_letter_leaves_its_card(neuron: Picture) -> None:
    """By the font itself: the layout only counts letters."""
    figure = drawn(neuron)
    figure.draw_without_rendering()
    transform = figure.axes[0].transData
    for card in cards(figure):
        (left, _), (right, _) = transform.transform([(card.get_x(), 0), (card.get_x() + card.get_width(), 0)])
        for text in figure.axes[0].texts:
            x, y = text.get_position()
            if card.get_x() + 8.9 < x < card.get_x() + card.get_width() and (
                card.get_y() + 2 < y < card.get_y() + card.get_height()
            ):
                extent = text.get_window_extent()
                assert left <= extent.x0
                assert extent.x1 <= right


def test_it_is_saved_as_png_and_svg(neuron: Picture, tmp_path: Path) -> None:
    for name in ("graph.png", "graph.svg"):
        graph(neuron).save(tmp_path / name)
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
    assert ET.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")  # noqa: S314  (it is our own)


def test_letters_that_no_font_has_are_code_points() -> None:
    picture = explain(evaluate("名 * λ", {"名": 2.0, "λ": 3.0})).picture("名 * λ")
    words = [text.get_text() for text in drawn(picture).axes[0].texts]
    assert {"U+540D", "λ", "U+540D * λ"} <= set(words)


def test_too_large_a_graph_is_refused() -> None:
    picture = explain(evaluate("+".join(["x"] * 100), {"x": 1.0})).picture()
    with pytest.raises(GraphError, match="at most 60 nodes; got 100"):
        graph_size(picture)
    with pytest.raises(GraphError, match="at most 60 nodes"):
        graph.draw(Figure().subplots(), picture)
