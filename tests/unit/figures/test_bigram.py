"""The bigram picture shows the counts it was given."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from backlight.core import ShapeError
from backlight.figures import STYLE, draw_bigram_counts, palette

COUNTS = np.array([[0, 3, 1], [12_345, 0, 0], [2, 0, 7]])


@pytest.fixture
def ax():
    with mpl.rc_context(STYLE):
        yield Figure().subplots()


def test_the_image_is_the_counts_and_each_pair_that_occurs_is_written_with_its_count(ax):
    draw_bigram_counts(ax, COUNTS, ".ab")
    assert np.array_equal(ax.images[0].get_array(), COUNTS)
    written = [text.get_text() for text in ax.texts]
    assert dict(zip(written[::2], written[1::2], strict=True)) == {
        ".a": "3", ".b": "1", "a.": "12k", "b.": "2", "bb": "7"
    }  # fmt: skip
    assert [label.get_text() for label in ax.get_xticklabels()] == list(".ab")


def test_a_pair_stands_in_the_row_of_its_first_and_the_column_of_its_second_character(ax):
    draw_bigram_counts(ax, COUNTS, ".ab")
    (text,) = (text for text in ax.texts if text.get_text() == "a.")
    column, row = text.get_position()
    assert (round(row), column) == (1, 0)


def test_ink_and_paper_differ(ax):
    draw_bigram_counts(ax, COUNTS, ".ab")
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours["a."] == palette(ax).paper
    assert colours[".b"] == palette(ax).ink


def test_labels_must_fit():
    with pytest.raises(ShapeError, match="2 labels need counts of shape"):
        draw_bigram_counts(Figure().subplots(), COUNTS, ".a")
