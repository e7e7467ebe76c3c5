"""The league table's picture: a dot for each model, and those that none beats for less."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from backlight.core import ShapeError
from backlight.figures import league, palette
from backlight.figures.placing import place_names

ROWS = [
    {"model": "small", "parameters": 10, "context": 1, "dev_nats": 2.5, "seconds": 5.0},
    {"model": "large", "parameters": 1000, "context": 1, "dev_nats": 2.0, "seconds": 0.0},
    {"model": "waste", "parameters": 900, "context": 1, "dev_nats": 2.6, "seconds": 1.0},
]


def test_models_stand_at_their_cost_and_loss():
    axes = Figure().subplots(1, 2, sharey=True)
    league.draw(axes, ROWS)
    for ax, costs in zip(axes, ([10, 1000, 900], [5.0, 1e-3, 1.0]), strict=True):
        assert ax.get_xscale() == "log"
        assert ax.collections[0].get_offsets().tolist() == [[c, n] for c, n in zip(costs, (2.5, 2.0, 2.6), strict=True)]
        assert {text.get_text() for text in ax.texts} == {"small", "large", "waste"}
    by_size, by_time = (ax.collections[1].get_offsets().tolist() for ax in axes)
    assert by_size == [[10, 2.5], [1000, 2.0]]
    assert by_time == [[1e-3, 2.0]]
    inks = {text.get_text(): text.get_color() for text in axes[0].texts}
    assert inks == {"small": palette(axes[0]).ink, "large": palette(axes[0]).ink, "waste": palette(axes[0]).muted}


def test_a_model_without_a_loss_is_named_below():
    axes = Figure().subplots(1, 2, sharey=True)
    league.draw(axes, [*ROWS, {**ROWS[0], "model": "$odd_", "dev_nats": math.inf}])
    assert len(axes[0].collections[0].get_offsets()) == 3
    assert axes[0].get_xlabel().endswith("no finite loss: $odd_")


def test_one_model_is_a_league_of_one_and_none_is_an_error():
    league.draw(Figure().subplots(1, 2), ROWS[:1])
    with pytest.raises(ShapeError, match="a model with a finite loss; got 1 models without one"):
        league.draw(Figure().subplots(1, 2), [{**ROWS[0], "dev_nats": math.nan}])
    with pytest.raises(ShapeError, match="two axes"):
        league.draw([Figure().subplots()], ROWS)


def test_a_name_alone_stands_right_of_its_point_and_one_that_has_no_room_is_led_to():
    ax = Figure().subplots()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    (alone,) = place_names(ax, np.array([[0.5, 0.5]]), ["alone"])
    assert alone.get_position()[0] > 0
    assert alone.get_position()[1] == pytest.approx(0)
    assert not alone.arrow_patch.get_visible()
    crowd = place_names(ax, np.full((12, 2), 0.5), ["a long name"] * 12)
    assert any(note.arrow_patch.get_visible() for note in crowd)
    assert len({tuple(np.round(note.get_position(), 1)) for note in crowd}) == 12
    assert place_names(ax, np.empty((0, 2)), []) == []
