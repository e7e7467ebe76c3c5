"""Loss, sweep, update ratios: lines of the numbers they were given, named at their ends."""

import numpy as np
import pytest

from backlight.core import ShapeError
from backlight.figures import LossCurves, gradient_to_data, loss, rate_sweep, update_to_data
from backlight.figures.placing import End, name_ends, spread

STEPS = np.arange(5)


def curves(**changes):
    given = {
        "steps": STEPS, "losses": np.array([3.0, 2.9, 2.5, 2.6, 2.4]), "smoothed": np.array([3.0, 2.9, 2.7, 2.6, 2.5]),
        "dev_steps": np.array([0, 4]), "dev": np.array([3.1, 2.45]), "uniform": 3.3,
    }  # fmt: skip
    return LossCurves(**{**given, **changes})


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_the_loss_is_drawn_raw_smoothed_and_held_out(ax):
    loss.draw(ax, curves())
    raw, smoothed, dev, uniform = ax.lines
    assert raw.get_ydata().tolist() == [3.0, 2.9, 2.5, 2.6, 2.4]
    assert raw.get_alpha() < 0.5
    assert smoothed.get_ydata().tolist() == [3.0, 2.9, 2.7, 2.6, 2.5]
    assert (dev.get_xdata().tolist(), dev.get_ydata().tolist()) == ([0, 4], [3.1, 2.45])
    assert uniform.get_ydata() == [3.3, 3.3]
    assert {"train 2.500", "dev 2.450", "uniform guess, ln V = 3.300"} == set(texts(ax))
    assert ax.get_title("left") == "Loss on held-out text: 2.4500 nats (3.535 bits) at step 4"


def test_one_wild_minibatch_does_not_press_the_rest_to_the_floor(ax):
    losses = np.full(2000, 2.0)
    losses[7] = 1e6
    steps = np.arange(2000)
    loss.draw(ax, curves(steps=steps, losses=losses, smoothed=np.full(2000, 2.0)))
    assert ax.get_ylim()[1] < 4


def test_a_loss_that_diverged_leaves_a_gap_and_the_best_is_told(ax):
    loss.draw(ax, curves(losses=np.array([3, 2.9, np.nan, np.nan, np.nan]), dev=np.array([2.8, np.nan])))
    assert ax.get_title("left").startswith("Loss on held-out text: 2.8000 nats")


def test_a_run_without_evaluations_or_without_minibatches_is_drawn(ax):
    loss.draw(ax, curves(dev_steps=np.array([], int), dev=np.array([])))
    assert ax.get_title("left") == "Loss of each minibatch, and smoothed"
    loss.draw(ax, curves(steps=np.array([], int), losses=np.array([]), smoothed=np.array([])))


def test_the_suggestion_is_marked(ax):
    rates, losses = np.geomspace(1e-5, 1, 50), np.linspace(3.3, 2.0, 50)
    rate_sweep.draw(ax, rates, losses + 0.1, losses, 4.7e-3)
    raw, smoothed, mark = ax.lines
    assert np.array_equal(raw.get_ydata(), losses + 0.1)
    assert np.array_equal(smoothed.get_xdata(), rates)
    assert mark.get_xdata() == [4.7e-3, 4.7e-3]
    assert texts(ax) == ["suggested: 0.0047"]
    assert ax.get_xscale() == "log"


def test_a_sweep_without_a_suggestion_says_so(ax):
    rate_sweep.draw(ax, np.geomspace(1e-5, 1, 5), np.full(5, np.nan), np.array([3.0, 3, 3, np.inf, np.nan]), None)
    assert ax.get_title("left") == "The loss fell at no learning rate"
    assert len(ax.lines) == 2


def test_updates_are_drawn_beside_a_thousandth(ax):
    steps = np.array([0, 10, 20])
    update_to_data.draw(ax, steps, {"a": np.array([1e-2, 1e-3, 1e-4]), "b": np.array([np.nan, 0.0, 2e-3])})
    a, b, thousandth = ax.lines
    assert a.get_ydata().tolist() == [1e-2, 1e-3, 1e-4]
    assert np.isnan(b.get_ydata()[:2]).all()
    assert thousandth.get_ydata() == [1e-3, 1e-3]
    assert set(texts(ax)) == {"a", "b", "1e-3"}
    with pytest.raises(ShapeError, match="a needs a ratio for each of 3 steps"):
        update_to_data.draw(ax, steps, {"a": np.ones(2)})


def test_each_matrix_has_its_dot_or_the_reason_why_not(ax):
    gradient_to_data.draw(ax, ["a", "b", "c"], np.array([1e-3, 0.0, np.nan]))
    dots = ax.collections[-1].get_offsets()
    assert dots.tolist() == [[1e-3, 0]]
    assert texts(ax) == ["1.0e-03", "no gradient", "no ratio"]


def test_the_factor_between_the_matrices_is_told(ax):
    gradient_to_data.draw(ax, ["a", "b"], np.array([1e-3, 2.5e-3]))
    assert "a factor of 2.5" in ax.get_title("left")


def test_names_that_would_collide_move_apart_and_keep_their_order():
    places = spread(np.array([50.0, 50.0, 51.0, 90.0]), 10, 100)
    assert np.diff(places).min() >= 10 - 1e-9
    assert places[3] == 90
    assert places[:3].mean() == pytest.approx((50 + 50 + 51) / 3)
    assert spread(np.array([100.0, 99.0]), 10, 100).tolist() == [100, 90]
    assert spread(np.array([0.0, 0.0, 0.0]), 10, 20).tolist() == [0, 10, 20]


def test_lines_that_end_in_no_number_have_no_name(ax):
    ax.set_yscale("log")
    name_ends(ax, [End("nan", 1, np.nan, "k"), End("zero", 1, 0.0, "k"), End("one", 1, 1.0, "k")])
    assert texts(ax) == ["one"]
    name_ends(ax, [])
