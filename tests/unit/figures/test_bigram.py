"""The bigram picture shows the counts it was given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from backlight.core import ShapeError
from backlight.figures import bigram_counts, bigram_probabilities, palette

COUNTS = np.array([[0, 3, 1], [12_345, 0, 0], [2, 0, 7]])


def test_the_image_is_the_counts_and_each_pair_that_occurs_is_written_with_its_count(ax):
    bigram_counts.draw(ax, COUNTS, ".ab")
    assert np.array_equal(ax.images[0].get_array(), COUNTS)
    written = [text.get_text() for text in ax.texts]
    assert dict(zip(written[::2], written[1::2], strict=True)) == {
        ".a": "3", ".b": "1", "a.": "12k", "b.": "2", "bb": "7"
    }  # fmt: skip
    assert [label.get_text() for label in ax.get_xticklabels()] == list(".ab")


def test_a_pair_stands_in_the_row_of_its_first_and_the_column_of_its_second_character(ax):
    bigram_counts.draw(ax, COUNTS, ".ab")
    (text,) = (text for text in ax.texts if text.get_text() == "a.")
    column, row = text.get_position()
    assert (round(row), column) == (1, 0)


def test_ink_and_paper_differ(ax):
    bigram_counts.draw(ax, COUNTS, ".ab")
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours["a."] == palette(ax).paper
    assert colours[".b"] == palette(ax).ink


def test_labels_must_fit():
    with pytest.raises(ShapeError, match="2 labels need counts of shape"):
        bigram_counts.draw(Figure().subplots(), COUNTS, ".a")


def test_large_counts_are_written_in_four_characters(ax):
    counts = np.array([[999, 9_999], [999_499, 999_500]])
    bigram_counts.draw(ax, counts, ".a")
    assert [text.get_text() for text in ax.texts][1::2] == ["999", "9999", "999k", "1M"]


def test_probabilities_are_written_without_their_zero_and_rare_ones_not_at_all(ax):
    p = np.array([[0.5, 0.4996, 0.0004], [1.0, 0, 0], [np.nan, np.nan, np.nan]])
    bigram_probabilities.draw(ax, p, ".ab")
    written = [text.get_text() for text in ax.texts]
    assert dict(zip(written[::2], written[1::2], strict=True)) == {"..": ".50", ".a": ".50", "a.": "1.00"}
    assert np.array_equal(np.ma.filled(ax.images[0].get_array(), np.nan), p, equal_nan=True)


def test_colours_of_probabilities_can_be_compared_between_runs(ax):
    bigram_probabilities.draw(ax, np.full((2, 2), 0.5), ".a")
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (0, 1)


def test_characters_that_take_room_leave_it_to_the_number(ax):
    bigram_counts.draw(ax, np.array([[1, 2], [3, 0]]), [".", "U+0301"])
    assert [text.get_text() for text in ax.texts] == ["..", "1", "2", "3"]


def test_cells_too_small_to_be_read_stay_empty(ax):
    labels = list(map(chr, range(0x400, 0x450)))
    bigram_counts.draw(ax, np.ones((80, 80), int), labels)
    assert not ax.texts
    assert [label.get_text() for label in ax.get_xticklabels()] == labels[::2]
