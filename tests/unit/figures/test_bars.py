"""Firing rates, next characters and surprise: a bar for each number."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_hex

from backlight.core import ShapeError
from backlight.figures import firing_rates, next_character, palette, surprise


def heights(ax):
    return [bar.get_height() for bar in ax.patches]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_firing_rates(ax):
    firing_rates.draw(ax, np.array([0.5, 0.3, 0.2]), ".ab")
    assert heights(ax) == [0.5, 0.3, 0.2]
    assert ticks(ax.xaxis) == list(".ab")
    assert ax.get_title("left") == "How often each one-hot input is active: “b” once in 5 examples"
    assert ax.lines[0].get_ydata()[0] == pytest.approx(1 / 3)


def test_an_input_that_never_fires_is_named(ax):
    firing_rates.draw(ax, np.array([1.0, 0.0]), ".a")
    assert ax.get_title("left").endswith("“a” never")


def test_the_likeliest_comes_first_and_the_one_that_came_is_marked(ax):
    next_character.draw(ax, np.array([0.2, 0.5, 0.3]), ".ab", after="mar", truth=2)
    assert heights(ax) == [0.5, 0.3, 0.2]
    assert ticks(ax.xaxis) == list("ab.")
    colours = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert colours == [palette(ax).blue, palette(ax).orange, palette(ax).blue]
    assert ax.get_title("left") == "Next character after “mar”: “b” came, with probability 30.0%"


def test_without_a_truth_nothing_is_marked(ax):
    next_character.draw(ax, np.array([0.2, 0.8]), ".a", after="")
    assert ax.get_title("left") == "Next character at the start"
    assert len({bar.get_facecolor() for bar in ax.patches}) == 1


def test_the_rare_of_very_many_characters_share_a_bar(ax):
    p = np.full(100, 0.5 / 99)
    p[7] = 0.5
    next_character.draw(ax, p, list(map(chr, range(0x400, 0x464))), after="", truth=99)
    assert len(heights(ax)) == 40
    assert ticks(ax.xaxis)[-1] == "…"
    assert ax.get_xlabel() == "…: the other 61 characters together"
    assert sum(heights(ax)) == pytest.approx(1)


def test_surprise_is_a_bar_for_each_character(ax):
    surprise.draw(ax, list("ab."), np.array([1.0, 4.0, 0.5]), uniform=3.0)
    assert heights(ax) == [1.0, 4.0, 0.5]
    assert [text.get_text() for text in ax.texts][:3] == list("ab.")
    alarm = [to_hex(bar.get_facecolor()) == palette(ax).alarm for bar in ax.patches]
    assert alarm == [False, True, False]
    assert ax.get_title("left") == "1.83 nats per character; highest: 4.0 for “b”"


def test_a_long_text_goes_on_below(ax):
    surprise.draw(ax, list("a" * 50), np.ones(50))
    floors = [bar.get_y() for bar in ax.patches]
    assert floors[:48] == [0.0] * 48
    assert floors[48] == floors[49] < -1
    assert ax.patches[48].get_x() == ax.patches[0].get_x()


def test_what_the_model_holds_to_be_impossible_goes_to_the_top(ax):
    surprise.draw(ax, list("ab"), np.array([1.0, math.inf]))
    assert heights(ax)[1] == pytest.approx(ax.get_ylim()[1])
    assert "inf" in ax.get_title("left")


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: firing_rates.draw(ax, np.ones(3), ".a"),
        lambda ax: next_character.draw(ax, np.ones(3), ".a", after=""),
        lambda ax: surprise.draw(ax, ["a"], np.ones(3)),
        lambda ax: surprise.draw(ax, [], np.ones(0)),
    ],
)
def test_there_must_be_a_number_for_each_character(ax, draw):
    with pytest.raises(ShapeError):
        draw(ax)
