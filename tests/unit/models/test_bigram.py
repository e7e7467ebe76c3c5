"""The bigram network: the counts are where its gradient leads."""

import json
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.core import BOUNDARY, NOT_A_TARGET, Batch, ConfigError, ShapeError
from backlight.models.bigram import Bigram, BigramConfig
from backlight.models.protocol import LanguageModel
from backlight.optim import SGD

TEXT = ["anna", "hannah", "ann", "hanna", "nana", "aha", "naan", "ahna"]
LETTERS = "ahn"
V = 1 + len(LETTERS)


def pairs_of(items):
    """Each id with the next one, an item's both ends included: x (N, 1), y (N,)."""
    rows = [[BOUNDARY, *(1 + LETTERS.index(letter) for letter in item), BOUNDARY] for item in items]
    pairs = [pair for row in rows for pair in pairwise(row)]
    x, y = np.array(pairs).T
    return Batch(x[:, None], y)


def counts_of(batch):
    counts = np.zeros((V, V))
    np.add.at(counts, (batch.x[:, 0], batch.y), 1)
    return counts


def small(rng, vocabulary_size=V):
    return Bigram(BigramConfig(vocabulary_size=vocabulary_size), rng=rng)


class EveryPosition(Bigram):
    """A bigram network that says at each place of a sequence what follows, and notes whether a graph was made."""

    context = 5
    reads = "sequences"

    def forward(self, x):
        logits = self.table(x)
        self.in_graph = logits.requires_grad
        return logits


def test_first_loss_is_that_of_a_guess(rng):
    for vocabulary_size in (2, 27, 200):
        batch = Batch(rng.integers(0, vocabulary_size, (500, 1)), rng.integers(0, vocabulary_size, 500))
        loss = small(rng, vocabulary_size).loss(batch).item()
        assert loss == pytest.approx(np.log(vocabulary_size), abs=0.005)


def test_of_a_sequence_what_follows_the_last_place_is_next(rng):
    model = EveryPosition(BigramConfig(vocabulary_size=V), rng=rng)
    x = rng.integers(0, V, (6, 3))
    assert_array_equal(model.next_logits(x), model.table.weight.detach().numpy()[x[:, -1]])


def test_scoring_makes_no_graph(rng):
    model = EveryPosition(BigramConfig(vocabulary_size=V), rng=rng)
    x, y = rng.integers(0, V, (2, 6, 3))
    model.loss(Batch(x, y))
    assert model.in_graph
    for score in (lambda: model.next_logits(x), lambda: model.nll(x, y)):
        score()
        assert not model.in_graph


def test_rows_converge_to_the_log_counts(rng):
    batch = pairs_of(TEXT)
    counts = counts_of(batch)
    model = small(rng).to(np.float64)
    optimiser = SGD(model.parameters(), lr=20.0, momentum=0.5)
    for _ in range(3000):
        optimiser.zero_grad()
        model.loss(batch).backward()
        optimiser.step()
    log_p = model.table.weight.log_softmax(-1).detach().numpy()
    shares = counts / counts.sum(1, keepdims=True)
    met = counts > 0
    assert met.sum() >= 9
    assert (~met).sum() >= 3  # pairs that never occur, whose log count is -inf, are on their way there
    assert_allclose(log_p[met], np.log(shares[met]), atol=1e-3)
    assert (log_p[~met] < -8).all()
    # and the loss is what counting gives
    assert_allclose(model.loss(batch).item(), -np.sum(counts[met] * np.log(shares[met])) / counts.sum(), atol=1e-4)


def test_logits_are_the_row_of_the_id(rng):
    model = small(rng)
    x = np.array([[2], [0], [2]])
    assert_array_equal(model(x).detach().numpy(), model.table.weight.detach().numpy()[[2, 0, 2]])
    assert_array_equal(model.next_logits(x), model(x).detach().numpy())
    assert model.next_logits(x).dtype == np.float32


def test_gradient_reaches_only_the_rows_that_were_met(rng):
    model = small(rng)
    model.loss(Batch(np.array([[1], [1]]), np.array([2, 3]))).backward()
    reached = model.table.weight.grad.detach().numpy().any(1)
    assert_array_equal(reached, [False, True, False, False])


def test_scores_are_nats_and_0_where_nothing_is_asked(rng):
    model = small(rng)
    batch = pairs_of(TEXT)
    nats = model.nll(batch.x, batch.y)
    assert nats.shape == batch.y.shape
    assert nats.mean() == pytest.approx(model.loss(batch).item(), rel=1e-5)
    y = batch.y.copy()
    y[::2] = NOT_A_TARGET
    assert_array_equal(model.nll(batch.x, y), np.where(y == NOT_A_TARGET, 0, nats))


def test_is_a_language_model_without_a_graph_when_asked(rng):
    model: LanguageModel = small(rng)
    assert (model.vocabulary_size, model.context, model.reads, model.num_parameters()) == (V, 1, "windows", V * V)
    model.nll(np.array([[1]]), np.array([1]))
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("x", [np.zeros((3, 2), int), np.zeros((3, 0), int)])
def test_rows_of_another_length_are_refused_in_one_line(x, rng):
    with pytest.raises(ShapeError, match=r"rows of exactly 1 ids, \(B, T\); got an array of shape") as error:
        small(rng).next_logits(x)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [1, 0, -3])
def test_vocabulary_has_the_boundary_and_a_character(size):
    with pytest.raises(ConfigError, match=f"the boundary and one character; got {size}") as error:
        BigramConfig(vocabulary_size=size)
    assert "\n" not in str(error.value)


def test_config_goes_through_json():
    config = BigramConfig(vocabulary_size=27)
    assert BigramConfig(**json.loads(json.dumps(asdict(config)))) == config
