"""The stepper replays a graph only where that gives the same bits, and computes with tensors everywhere else."""

import numpy as np
import pytest

from backlight.autograd import Buffer
from backlight.core import Batch
from backlight.models import MLP, Bigram, BigramConfig, MLPConfig
from backlight.optim import SGD
from backlight.train.stepping import Stepper


class Plain(Stepper):
    """Never replays: what the others are compared with."""

    def __init__(self, model):
        super().__init__(model)
        self._may_replay = False


class Wavering(MLP):
    """Another graph for another batch, though the shapes are the same; it does not promise otherwise."""

    fixed_graph = False

    def forward(self, x):
        logits = super().forward(x)
        return logits * 2 if x[0, 0] % 2 else logits


class Keeping(MLP):
    """Keeps a number outside its graph, as batch norm keeps running means."""

    def __init__(self, config, *, rng):
        super().__init__(config, rng=rng)
        self.seen = Buffer(np.zeros(1, np.float32))

    def forward(self, x):
        self.seen.array += len(x)
        return super().forward(x)


def mlp(kind=MLP):
    return kind(MLPConfig(vocabulary_size=6, context=3, embedding=4, hidden=(5,)), rng=np.random.default_rng(1))


def trained(stepper, *, sizes=(8,) * 12):
    rng = np.random.default_rng(2)
    optimiser = SGD(stepper.model.parameters(), 0.5)
    losses, replayed = [], []
    for size in sizes:
        x = rng.integers(0, 6, (size, stepper.model.context))
        losses.append(stepper.forward(Batch(x, rng.integers(0, 6, size))))
        replayed.append(stepper.replaying)
        stepper.backward()
        optimiser.step()
    return losses, replayed, stepper.model.flat().data.tobytes()


@pytest.mark.parametrize("kind", [MLP, Wavering, Keeping], ids=lambda kind: kind.__name__)
def test_losses_and_weights_have_the_bits_of_plain_steps(kind):
    losses, _, weights = trained(Stepper(mlp(kind)))
    plain_losses, _, plain_weights = trained(Plain(mlp(kind)))
    assert losses == plain_losses
    assert weights == plain_weights


def test_the_third_batch_of_a_shape_is_replayed():
    assert trained(Stepper(mlp()), sizes=(8, 8, 8, 3, 8, 3, 3))[1] == [False, False, True, False, True, False, True]


def test_a_broken_promise_is_found_out_if_the_second_batch_shows_it(monkeypatch):
    monkeypatch.setattr(Wavering, "fixed_graph", True)
    model = mlp(Wavering)
    stepper = Stepper(model)
    for first in (0, 1, 1):
        x = np.full((4, 3), first)
        stepper.forward(Batch(x, np.zeros(4, np.int64)))
        assert not stepper.replaying
        stepper.backward()


@pytest.mark.parametrize("kind", [Wavering, Keeping], ids=lambda kind: kind.__name__)
def test_a_model_that_is_more_than_its_graph_is_never_replayed(kind):
    assert not any(trained(Stepper(mlp(kind)))[1])


def test_what_a_model_keeps_is_kept_once_a_batch():
    model = mlp(Keeping)
    trained(Stepper(model))
    assert model.seen.item() == 8 * 12


def test_a_model_that_cuts_its_input_up_is_not_replayed_and_still_learns(monkeypatch):
    monkeypatch.setattr(Bigram, "fixed_graph", True)
    model = Bigram(BigramConfig(vocabulary_size=6), rng=np.random.default_rng(1))
    losses, replayed, _ = trained(Stepper(model), sizes=(64,) * 30)
    assert not any(replayed)
    assert losses[-1] != losses[0]
