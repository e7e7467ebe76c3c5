"""The stepper replays a graph only where that gives the same bits, and computes with tensors everywhere else."""

import numpy as np
import pytest

from backlight.autograd import Buffer, ops
from backlight.autograd.native import Program, library
from backlight.autograd.replay import Replay
from backlight.core import Batch
from backlight.models import (
    GPT,
    MLP,
    Bigram,
    BigramConfig,
    GPTConfig,
    GRUConfig,
    LSTMConfig,
    MLPConfig,
    RecurrentModel,
    RNNConfig,
    WaveNet,
    WaveNetConfig,
)
from backlight.optim import SGD
from backlight.training.compiled_step import CompiledStep


class Plain(CompiledStep):
    """Never replays: what the others are compared with."""

    def __init__(self, model):
        super().__init__(model)
        self._may_replay = False


class Replaying(CompiledStep):
    """Replays with NumPy, also where there are kernels."""

    def __init__(self, model):
        super().__init__(model, native=False)


needs_kernels = pytest.mark.skipif(library() is None, reason="the kernels were not built: there was no C compiler")


class Wavering(MLP):
    """Another graph for another batch, though the shapes are the same; it does not promise otherwise."""

    fixed_graph = False

    def forward(self, x):
        logits = super().forward(x)
        return logits * 2 if x[0, 0] % 2 else logits


class Keeping(MLP):
    """Keeps a number outside its graph, where batch norm's op keeps running means."""

    def __init__(self, config, *, rng):
        super().__init__(config, rng=rng)
        self.seen = Buffer(np.zeros(1, np.float32))

    def forward(self, x):
        self.seen.array += len(x)
        return super().forward(x)


class Drawing(MLP):
    """Draws outside its graph, where dropout's op draws."""

    def __init__(self, config, *, rng):
        super().__init__(config, rng=rng)
        self.rng = rng

    def forward(self, x):
        self.rng.random()
        return super().forward(x)


def mlp(kind=MLP):
    return kind(MLPConfig(vocabulary_size=6, context=3, embedding=4, hidden=(5,)), rng=np.random.default_rng(1))


def batch_of(model, size, rng):
    """Return ids and targets; for models of sequences only up to each one's end, unless size is odd."""
    shape = (size, model.context)
    x = rng.integers(0, 6, shape)
    if model.reads == "windows":
        return Batch(x, rng.integers(0, 6, size))
    ends = rng.integers(1, model.context + 1, (size, 1)) if size % 2 == 0 else model.context
    return Batch(x, np.where(np.arange(model.context) < ends, rng.integers(0, 6, shape), -1))


def left(model):
    """Return all that training leaves in a model."""
    buffers = [buffer.array.tobytes() for _, buffer in model.named_buffers()]
    return model.flat().data.tobytes(), buffers, [rng.bit_generator.state for rng in model.generators()]


def trained(stepper, *, sizes=(8,) * 12, **settings):
    rng = np.random.default_rng(2)
    optimiser = SGD(stepper.model.parameters(), 0.5)
    losses, replayed = [], []
    for size in sizes:
        losses.append(stepper.forward(batch_of(stepper.model, size, rng), **settings))
        replayed.append(stepper.replaying)
        stepper.backward()
        optimiser.step()
    return losses, replayed, left(stepper.model)


SIZES = {"vocabulary_size": 6, "embedding": 4}
GPT_SIZES = {"vocabulary_size": 6, "context": 5, "n_embd": 6, "n_layer": 2, "n_head": 2, "dropout": 0.2}
LADDER = {
    "mlp": lambda rng: MLP(MLPConfig(context=3, hidden=(5,), direct=True, **SIZES), rng=rng),
    "batch norm": lambda rng: MLP(MLPConfig(context=3, hidden=(5, 7), batch_norm=True, **SIZES), rng=rng),
    "wavenet": lambda rng: WaveNet(WaveNetConfig(context=4, hidden=5, **SIZES), rng=rng),
    "gpt": lambda rng: GPT(GPTConfig(**GPT_SIZES), rng=rng),
    "gpt, tied": lambda rng: GPT(GPTConfig(tie_weights=True, **{**GPT_SIZES, "dropout": 0.0}), rng=rng),
    "rnn": lambda rng: RecurrentModel(RNNConfig(context=5, hidden=(5,), dropout=0.2, **SIZES), rng=rng),
    "gru": lambda rng: RecurrentModel(GRUConfig(context=5, hidden=(5, 4), dropout=0.2, **SIZES), rng=rng),
    "lstm": lambda rng: RecurrentModel(LSTMConfig(context=5, hidden=(5,), dropout=0.0, **SIZES), rng=rng),
}


@pytest.mark.parametrize("rung", LADDER)
def test_every_rung_is_replayed_and_leaves_the_bits_of_plain_steps(rung):
    """Losses, weights, running statistics and what is left of chance; whole batches and such with padding."""
    sizes = (8, 7, 8, 7, 8, 7, 8, 8)
    replaying = trained(Replaying(LADDER[rung](np.random.default_rng(1))), sizes=sizes)
    plain = trained(Plain(LADDER[rung](np.random.default_rng(1))), sizes=sizes)
    assert replaying[0] == plain[0]
    assert replaying[2] == plain[2]
    assert replaying[1][4:] == [True] * 4
    assert not any(plain[1])


COMPILED = ("mlp", "batch norm", "wavenet", "gpt", "rnn", "gru", "lstm")


@needs_kernels
@pytest.mark.parametrize("rung", COMPILED)
def test_a_program_trains_as_the_graph_does(rung):
    """Forty steps through the kernels, with batches of all sizes, and the same chance to the last bit."""
    sizes = (8, 7, 12, 8, 7) * 8
    if rung in {"mlp", "batch norm", "wavenet"}:  # with a program for each size; the others' take any
        sizes = (8,) * 40
    stepper = CompiledStep(LADDER[rung](np.random.default_rng(1)))
    losses, replayed, compiled = trained(stepper, sizes=sizes)
    assert isinstance(stepper._recorded, Program)
    assert sum(replayed) >= 36
    plain = Plain(LADDER[rung](np.random.default_rng(1)))
    plain_losses, _, by_graph = trained(plain, sizes=sizes)
    np.testing.assert_allclose(losses, plain_losses, rtol=2e-4)
    assert losses != plain_losses  # it did not compare the graph with itself
    np.testing.assert_allclose(stepper.model.flat().data, plain.model.flat().data, atol=2e-3)
    for (name, mine), (_, theirs) in zip(stepper.model.named_buffers(), plain.model.named_buffers(), strict=True):
        np.testing.assert_allclose(mine.array, theirs.array, atol=1e-3, err_msg=name)
    assert compiled[2] == by_graph[2]


@needs_kernels
@pytest.mark.parametrize("rung", COMPILED)
def test_proofs_that_are_given_again_change_no_bit(rung):
    """As after an interruption: another stepper on the same model starts with proofs."""
    rng, again_rng = (np.random.default_rng(2) for _ in range(2))
    model, again = (LADDER[rung](np.random.default_rng(1)) for _ in range(2))
    optimiser, other = SGD(model.parameters(), 0.5), SGD(again.parameters(), 0.5)
    stepper, interrupted = CompiledStep(model), CompiledStep(again)
    for step in range(9):
        if step in {4, 5}:
            interrupted = CompiledStep(again)
        assert stepper.forward(batch_of(model, 8, rng)) == interrupted.forward(batch_of(again, 8, again_rng))
        for one, steps in ((stepper, optimiser), (interrupted, other)):
            one.backward()
            steps.step()
    assert left(model) == left(again)


@needs_kernels
@pytest.mark.parametrize("part", ["loss", "gradient", "buffer"])
def test_a_program_that_computes_something_else_is_not_used(part, monkeypatch):
    """The graph goes wrong here instead of the kernels: all that counts is that they differ."""
    forward, backward = ops.BatchNorm.forward, ops.BatchNorm.backward

    def wrong_forward(x, gain, bias, *, eps, running):
        y, saved = forward(x, gain, bias, eps=eps, running=running)
        if part == "buffer":
            running.mean[...] += 0.1
        return (y * 1.1 if part == "loss" else y), saved

    def wrong_backward(dy, saved):
        dx, dgain, dbias = backward(dy, saved)
        return dx, dgain * 1.01 if part == "gradient" else dgain, dbias

    monkeypatch.setattr(ops.BatchNorm, "forward", staticmethod(wrong_forward))
    monkeypatch.setattr(ops.BatchNorm, "backward", staticmethod(wrong_backward))
    stepper = CompiledStep(LADDER["batch norm"](np.random.default_rng(1)))
    losses, _, after = trained(stepper)
    assert not isinstance(stepper._recorded, Program)
    assert (losses, after) == trained(Replaying(LADDER["batch norm"](np.random.default_rng(1))))[::2]


def test_without_the_kernels_a_step_is_replayed(monkeypatch):
    monkeypatch.setattr("backlight.autograd.native.program.library", lambda: None)
    stepper = CompiledStep(mlp())
    assert trained(stepper) == trained(Replaying(mlp()))
    assert isinstance(stepper._recorded, Replay)


@pytest.mark.parametrize("rung", ["batch norm", "gpt"])
def test_an_eager_step_leaves_the_same_bits_and_its_graph(rung):
    sizes = (8,) * 6
    model = LADDER[rung](np.random.default_rng(1))
    stepper = CompiledStep(model)
    eager = trained(stepper, sizes=sizes, eager=True)
    assert not any(eager[1])
    assert stepper.end is not None
    assert set(model.parameters()) <= set(stepper.end.ancestry())
    assert eager[::2] == trained(CompiledStep(LADDER[rung](np.random.default_rng(1))), sizes=sizes)[::2]


def test_eager_steps_in_between_change_nothing():
    model, again = (LADDER["batch norm"](np.random.default_rng(1)) for _ in range(2))
    stepper, rng = CompiledStep(model), np.random.default_rng(2)
    optimiser = SGD(model.parameters(), 0.5)
    replayed = []
    for step in range(8):
        stepper.forward(batch_of(model, 8, rng), eager=step in {2, 5})
        replayed.append(stepper.replaying)
        assert (stepper.end is None) == stepper.replaying
        stepper.backward()
        optimiser.step()
    assert replayed == [False, False, False, True, True, False, True, True]
    trained(CompiledStep(again), sizes=(8,) * 8)
    assert left(model) == left(again)


@pytest.mark.parametrize("rung", ["batch norm", "gpt"])
def test_hooks_on_modules_are_called_at_every_step_and_change_nothing(rung):
    model, other = (LADDER[rung](np.random.default_rng(1)) for _ in range(2))
    called = []
    remove = list(dict(model.named_modules()).values())[-1].register_forward_hook(lambda *_: called.append(1))
    stepper = CompiledStep(model)
    assert not any(trained(stepper, sizes=(8,) * 6)[1])
    assert len(called) == 6
    remove()
    again = trained(stepper, sizes=(8,) * 3)
    assert all(again[1])
    assert len(called) == 6
    plain = CompiledStep(other)
    trained(plain, sizes=(8,) * 6)
    trained(plain, sizes=(8,) * 3)
    assert left(model) == left(other)


def test_a_module_in_another_mode_takes_another_graph():
    """A batch norm that is put into evaluation mode stops following its batches, at once."""
    model = LADDER["batch norm"](np.random.default_rng(1))
    stepper = CompiledStep(model)
    trained(stepper)
    assert stepper.replaying
    model.hidden.layers[1].eval()
    before = model.state_dict()
    stepper.forward(batch_of(model, 8, np.random.default_rng(3)))
    assert not stepper.replaying
    after = model.state_dict()
    assert (after["hidden.layers.1.running_mean"] == before["hidden.layers.1.running_mean"]).all()
    assert (after["hidden.layers.4.running_mean"] != before["hidden.layers.4.running_mean"]).any()


@pytest.mark.parametrize("kind", [MLP, Wavering, Keeping, Drawing], ids=lambda kind: kind.__name__)
def test_losses_and_weights_have_the_bits_of_plain_steps(kind):
    losses, _, weights = trained(Replaying(mlp(kind)))
    plain_losses, _, plain_weights = trained(Plain(mlp(kind)))
    assert losses == plain_losses
    assert weights == plain_weights


def test_the_third_batch_of_a_shape_is_replayed():
    assert trained(CompiledStep(mlp()), sizes=(8, 8, 8, 3, 8, 3, 3))[1] == [
        False,
        False,
        True,
        False,
        True,
        False,
        True,
    ]


def test_a_broken_promise_is_found_out_if_the_second_batch_shows_it(monkeypatch):
    monkeypatch.setattr(Wavering, "fixed_graph", True)
    model = mlp(Wavering)
    stepper = CompiledStep(model)
    for first in (0, 1, 1):
        x = np.full((4, 3), first)
        stepper.forward(Batch(x, np.zeros(4, np.int64)))
        assert not stepper.replaying
        stepper.backward()


@pytest.mark.parametrize("kind", [Wavering, Keeping, Drawing], ids=lambda kind: kind.__name__)
def test_a_model_that_is_more_than_its_graph_is_never_replayed(kind):
    assert not any(trained(CompiledStep(mlp(kind)))[1])


def test_what_a_model_keeps_is_kept_once_a_batch():
    model = mlp(Keeping)
    trained(CompiledStep(model))
    assert model.seen.item() == 8 * 12


def test_a_model_that_cuts_its_input_up_is_not_replayed_and_still_learns(monkeypatch):
    monkeypatch.setattr(Bigram, "fixed_graph", True)
    model = Bigram(BigramConfig(vocabulary_size=6), rng=np.random.default_rng(1))
    losses, replayed, _ = trained(CompiledStep(model), sizes=(64,) * 30)
    assert not any(replayed)
    assert losses[-1] != losses[0]
