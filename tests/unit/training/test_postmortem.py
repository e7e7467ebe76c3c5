"""What broke first in a network that has diverged."""

import numpy as np
import pytest

from backlight.core import Batch
from backlight.models import MLP, MLPConfig
from backlight.training.postmortem import where_it_broke

BATCH = Batch(np.array([[0, 1, 2], [3, 4, 0]]), np.array([1, 2]))


@pytest.fixture
def model(rng):
    return MLP(MLPConfig(vocabulary_size=5, context=3, embedding=2, hidden=(4, 4)), rng=rng)


def parameter(model, name):
    return dict(model.named_parameters())[name].array


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_of_broken_weights_the_one_nearest_to_the_loss(model, bad):
    for name in ("embedding.weight", "hidden.0.weight"):
        parameter(model, name)[0, 0] = bad
    assert where_it_broke(model, BATCH) == "hidden.0.weight and 1 more before it are not finite any more"
    parameter(model, "output.bias")[0] = bad
    assert where_it_broke(model, BATCH).startswith("output.bias and 2 more before it are")


def test_one_broken_weight(model):
    parameter(model, "embedding.weight")[0, 0] = np.nan
    assert where_it_broke(model, BATCH) == "embedding.weight is not finite any more"


@pytest.mark.parametrize(("name", "place"), [("hidden.2.weight", "hidden.2"), ("output.weight", "output")])
def test_of_finite_weights_the_first_op_that_overflows(model, name, place):
    parameter(model, "embedding.weight")[...] = 10
    parameter(model, "hidden.0.weight")[...] = 1  # the tanh gives 1
    parameter(model, "hidden.2.weight")[...] = 1
    parameter(model, name)[...] = 2e38
    told = f"linear in {place} gives numbers that are not finite; the largest weight is 2e+38, in {name}"
    assert where_it_broke(model, BATCH) == told


def test_an_op_without_weights(model):
    parameter(model, "output.bias")[...] = np.array([3e38, -3e38, 0, 0, 0])
    assert where_it_broke(model, BATCH).startswith("cross entropy gives numbers that are not finite; the largest")


def test_a_batch_that_shows_nothing(model):
    parameter(model, "embedding.weight")[0, 0] = -9
    assert where_it_broke(model, BATCH) == "the largest weight is 9, in embedding.weight"
