"""Histograms of layers, saturation maps, dead units, attention and the tree of WaveNet."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from backlight.core import ShapeError
from backlight.figures import Ridge, activations, dead_units, embedding, palette, receptive_field, weight_gradients
from backlight.figures.attention_maps import draw_heads
from backlight.figures.unit_maps import draw_saturation
from backlight.watch.records import Histogram


def row(name, *counts, low=-1.0, high=1.0):
    return Ridge(name=name, histogram=Histogram(low=low, high=high, counts=counts), note=f"note {name}")


def test_each_layer_has_its_outline_in_a_row_of_its_own(ax):
    activations.draw(ax, [row("first", 1, 4, 2), row("second", 3, 0, 0)])
    first, second = ax.lines[1:]
    assert first.get_xdata() == pytest.approx([-1, -1 / 3, -1 / 3, 1 / 3, 1 / 3, 1])
    assert -first.get_ydata() == pytest.approx(0.86 * np.array([0.25, 0.25, 1, 1, 0.5, 0.5]))
    assert 1 - second.get_ydata() == pytest.approx(0.86 * np.array([1, 1, 0, 0, 0, 0]))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert [text.get_text() for text in ax.texts] == ["note first", "note second"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top


def test_rows_of_different_width_share_an_axis(ax):
    rows = [row("wide", 1, 1, low=-8, high=8), row("narrow", 1, 1, low=-0.5, high=0.5)]
    weight_gradients.draw(ax, [*rows, row("as wide", 1, 1, low=-8, high=8)])
    assert ax.get_xlim() == (-8, 8)
    assert ax.lines[2].get_xdata().tolist() == [-0.5, 0, 0, 0.5]
    weight_gradients.draw(ax, rows)  # one does not press all others to spikes
    assert ax.get_xlim() == (-2, 2)
    weight_gradients.draw(ax, rows[:1])
    assert ax.get_xlim() == (-8, 8)


def test_where_tanh_is_flat_is_marked_for_tanh_only(ax, dark_ax):
    activations.draw(ax, [row("tanh", 1, 1)])
    assert len(ax.patches) == 2
    activations.draw(dark_ax, [row("gelu", 1, 1, low=-4, high=4)])
    assert not dark_ax.patches


def test_an_empty_histogram_is_flat(ax):
    activations.draw(ax, [row("nan", 0, 0)])
    assert set(ax.lines[1].get_ydata()) == {0.0}


def test_saturation_shows_each_cell_and_the_units_that_are_always_saturated(ax):
    saturated = np.array([[True, False, True], [True, False, False]])
    draw_saturation(ax, saturated, name="hidden.1")
    assert ax.images[0].get_array().tolist() == [[2, 0, 1], [2, 0, 0]]
    assert ax.get_title("left") == "hidden.1: 50.0% beyond ±0.97, 1 unit for all examples"


def test_a_map_needs_cells(ax):
    with pytest.raises(ShapeError, match="needs examples and units"):
        draw_saturation(ax, np.zeros((0, 3), bool))


def test_dead_units_are_marked_whatever_the_width_of_their_layer(ax):
    dead_units.draw(ax, ["a", "b"], [np.array([0.5, 0.0, 1.0]), np.array([0.0, 0.0])])
    shares, dead = (np.ma.filled(image.get_array(), np.nan) for image in ax.images)
    assert np.array_equal(shares, [[0.5, 0, 1], [0, 0, np.nan]], equal_nan=True)
    assert np.array_equal(dead, [[np.nan, 1, np.nan], [1, 1, np.nan]], equal_nan=True)
    assert [text.get_text() for text in ax.texts] == ["1 of 3", "2 of 2"]
    assert ax.get_title("left") == "3 units dead"


def test_no_dead_unit_is_good_news(ax):
    dead_units.draw(ax, ["a"], [np.array([0.5])])
    assert ax.get_title("left") == "No dead units"
    with pytest.raises(ShapeError, match="got 2 names and 1 rows"):
        dead_units.draw(ax, ["a", "b"], [np.ones(2)])


def test_attention_is_a_triangle_for_each_head():
    axes = Figure().subplots(1, 2)
    weights = np.tril(np.ones((2, 3, 3)) / [[1], [2], [3]])
    draw_heads(axes, weights, ".ab", name="block 1")
    for head, ax in enumerate(axes):
        shown = ax.images[0].get_array()
        assert shown.mask.tolist() == (np.triu(np.ones((3, 3)), 1) > 0).tolist()
        assert np.allclose(shown[1, :2], 0.5)
        assert ax.get_title() == f"block 1, head {head + 1}"
    with pytest.raises(ShapeError, match="2 axes and 2 labels"):
        draw_heads(axes, weights, ".a")


def test_a_look_ahead_would_show():
    ax = Figure().subplots()
    draw_heads([ax], np.array([[[0.9, 0.1], [0.5, 0.5]]]), ".a")
    assert ax.images[0].get_array().tolist() == [[0.9, 0.1], [0.5, 0.5]]


def test_the_tree_joins_neighbours_level_by_level(ax):
    receptive_field.draw(ax, list("abcd"), ["1", "2", "4"], outcome="e", influence=np.array([0, 1, 2, 4.0]))
    dots = [collection.get_offsets().tolist() for collection in ax.collections[::2]]
    assert dots == [[[0, 0], [1, 0], [2, 0], [3, 0]], [[0.5, 1], [2.5, 1]], [[1.5, 2]]]
    edges = [segment.tolist() for segment in ax.collections[1].get_segments()]
    assert edges == [[[x, 0], [0.5 if x < 2 else 2.5, 1]] for x in range(4)]
    assert np.all(np.diff(ax.collections[0].get_sizes()) > 0)
    assert [text.get_text() for text in ax.texts] == [*"abcd", "→ e"]


@pytest.mark.parametrize(("letters", "levels"), [("abc", "12"), ("abcd", "12"), ("", "")])
def test_a_tree_needs_a_power_of_two(ax, letters, levels):
    with pytest.raises(ShapeError, match="T a power of 2"):
        receptive_field.draw(ax, list(letters), list(levels))


def test_each_character_stands_where_its_vector_is(ax):
    points = np.array([[0.0, 1.0], [2.0, -3.0]])
    embedding.draw(ax, points, ".a", marked={1}, marked_are="vowels")
    assert {text.get_text(): text.get_position() for text in ax.texts} == {".": (0, 1), "a": (2, -3)}
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours == {".": palette(ax).ink, "a": palette(ax).orange}
    low, high = ax.get_ylim()
    assert low < -3
    assert high > 1
    with pytest.raises(ShapeError, match="3 labels need points of shape"):
        embedding.draw(ax, points, "abc")
