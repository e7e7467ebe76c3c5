"""A compiled step is used only where it gives what the graph gives; everywhere else the graph is."""

import gc
import weakref

import numpy as np
import pytest

from backlight.autograd import Buffer, ops
from backlight.autograd.native import Program, library
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
from backlight.training.compiled_step import Stepper


def by_graph(model):
    """Return a stepper that never compiles: what the others are compared with."""
    return Stepper(model, native=False)


needs_kernels = pytest.mark.skipif(library() is None, reason="the kernels were not built: there was no C compiler")


class Branching(MLP):
    """Another graph for another batch, though the shapes are the same; it does not promise otherwise."""

    fixed_graph = False

    def forward(self, x):
        logits = super().forward(x)
        return logits * 2 if x[0, 0] % 2 else logits


class Counting(MLP):
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
    losses, compiled = [], []
    for size in sizes:
        losses.append(stepper.forward(batch_of(stepper.model, size, rng), **settings))
        compiled.append(stepper.compiled)
        stepper.backward()
        optimiser.step()
    return losses, compiled, left(stepper.model)


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


COMPILED = ("mlp", "batch norm", "wavenet", "gpt", "rnn", "gru", "lstm")


@needs_kernels
@pytest.mark.parametrize("rung", COMPILED)
def test_a_program_trains_as_the_graph_does(rung):
    """Forty steps through the kernels, with batches of all sizes, and the same chance to the last bit."""
    sizes = (8, 7, 12, 8, 7) * 8
    if rung in {"mlp", "batch norm", "wavenet"}:  # with a program for each size; the others' take any
        sizes = (8,) * 40
    stepper = Stepper(LADDER[rung](np.random.default_rng(1)))
    losses, compiled, after = trained(stepper, sizes=sizes)
    assert isinstance(stepper._program, Program)
    assert sum(compiled) >= 36
    plain = by_graph(LADDER[rung](np.random.default_rng(1)))
    plain_losses, without, plain_after = trained(plain, sizes=sizes)
    assert not any(without)
    np.testing.assert_allclose(losses, plain_losses, rtol=2e-4)
    assert losses != plain_losses  # it did not compare the graph with itself
    np.testing.assert_allclose(stepper.model.flat().data, plain.model.flat().data, atol=2e-3)
    for (name, mine), (_, theirs) in zip(stepper.model.named_buffers(), plain.model.named_buffers(), strict=True):
        np.testing.assert_allclose(mine.array, theirs.array, atol=1e-3, err_msg=name)
    assert after[2] == plain_after[2]


@needs_kernels
@pytest.mark.parametrize("rung", COMPILED)
def test_checks_that_are_made_again_change_no_bit(rung):
    """As after an interruption: another stepper on the same model starts with checks."""
    rng, again_rng = (np.random.default_rng(2) for _ in range(2))
    model, again = (LADDER[rung](np.random.default_rng(1)) for _ in range(2))
    optimiser, other = SGD(model.parameters(), 0.5), SGD(again.parameters(), 0.5)
    stepper, interrupted = Stepper(model), Stepper(again)
    for step in range(9):
        if step in {4, 5}:
            interrupted = Stepper(again)
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
    stepper = Stepper(LADDER["batch norm"](np.random.default_rng(1)))
    losses, _, after = trained(stepper)
    assert stepper._program is None
    assert (losses, after) == trained(by_graph(LADDER["batch norm"](np.random.default_rng(1))))[::2]


@pytest.mark.parametrize("rung", LADDER)
def test_without_kernels_the_graph_computes_every_step(rung, monkeypatch):
    monkeypatch.setattr("backlight.autograd.native.program.library", lambda: None)
    without = trained(Stepper(LADDER[rung](np.random.default_rng(1))), sizes=(8, 7, 8, 7, 8, 7))
    assert without == trained(by_graph(LADDER[rung](np.random.default_rng(1))), sizes=(8, 7, 8, 7, 8, 7))
    assert not any(without[1])


@pytest.mark.parametrize("rung", ["batch norm", "gpt"])
def test_an_eager_step_leaves_the_same_bits_and_its_graph(rung):
    sizes = (8,) * 6
    model = LADDER[rung](np.random.default_rng(1))
    stepper = Stepper(model)
    eager = trained(stepper, sizes=sizes, eager=True)
    assert not any(eager[1])
    assert stepper.end is not None
    assert set(model.parameters()) <= set(stepper.end.ancestry())
    assert eager[::2] == trained(Stepper(LADDER[rung](np.random.default_rng(1))), sizes=sizes)[::2]


@needs_kernels
def test_the_graph_that_was_compiled_is_not_kept():
    model, rng = LADDER["gpt"](np.random.default_rng(1)), np.random.default_rng(2)
    stepper = Stepper(model)
    stepper.forward(batch_of(model, 8, rng), eager=True)
    first = weakref.ref(stepper.end)
    stepper.backward()
    stepper.forward(batch_of(model, 8, rng))
    gc.collect()
    assert first() is None
    assert stepper.end is None


@needs_kernels
def test_eager_steps_in_between_change_nothing():
    model, again = (LADDER["batch norm"](np.random.default_rng(1)) for _ in range(2))
    stepper, rng = Stepper(model), np.random.default_rng(2)
    optimiser = SGD(model.parameters(), 0.5)
    compiled = []
    for step in range(8):
        stepper.forward(batch_of(model, 8, rng), eager=step in {2, 5})
        compiled.append(stepper.compiled)
        assert (stepper.end is None) == (step not in {2, 5})
        stepper.backward()
        optimiser.step()
    assert compiled == [False, False, False, True, True, False, True, True]
    trained(Stepper(again), sizes=(8,) * 8)
    assert left(model) == left(again)


@needs_kernels
@pytest.mark.parametrize("rung", ["batch norm", "gpt"])
def test_hooks_on_modules_are_called_at_every_step_and_change_nothing(rung):
    model, other = (LADDER[rung](np.random.default_rng(1)) for _ in range(2))
    called = []
    remove = list(dict(model.named_modules()).values())[-1].register_forward_hook(lambda *_: called.append(1))
    stepper = Stepper(model)
    assert not any(trained(stepper, sizes=(8,) * 6)[1])
    assert len(called) == 6
    remove()
    again = trained(stepper, sizes=(8,) * 3)
    assert all(again[1])
    assert len(called) == 6
    plain = Stepper(other)
    trained(plain, sizes=(8,) * 6)
    trained(plain, sizes=(8,) * 3)
    assert left(model) == left(other)


@needs_kernels
def test_a_module_in_another_mode_takes_another_graph():
    """A batch norm that is put into evaluation mode stops following its batches, at once."""
    model = LADDER["batch norm"](np.random.default_rng(1))
    stepper = Stepper(model)
    trained(stepper)
    assert stepper.compiled
    model.hidden.layers[1].eval()
    before = model.state_dict()
    stepper.forward(batch_of(model, 8, np.random.default_rng(3)))
    assert not stepper.compiled
    after = model.state_dict()
    assert (after["hidden.1.running_mean"] == before["hidden.1.running_mean"]).all()
    assert (after["hidden.4.running_mean"] != before["hidden.4.running_mean"]).any()


@needs_kernels
def test_the_third_batch_of_a_shape_is_compiled():
    assert trained(Stepper(mlp()), sizes=(8, 8, 8, 3, 8, 3, 3))[1] == [False, False, True, False, True, False, True]


@needs_kernels
def test_a_broken_promise_is_found_out_if_the_second_batch_shows_it(monkeypatch):
    monkeypatch.setattr(Branching, "fixed_graph", True)
    stepper = Stepper(mlp(Branching))
    for first in (0, 1, 1):
        x = np.full((4, 3), first)
        stepper.forward(Batch(x, np.zeros(4, np.int64)))
        assert not stepper.compiled
        stepper.backward()


@pytest.mark.parametrize("kind", [Branching, Counting, Drawing], ids=lambda kind: kind.__name__)
def test_a_model_that_computes_more_than_its_graph_is_never_compiled_and_trains_by_the_graph(kind):
    losses, compiled, after = trained(Stepper(mlp(kind)))
    assert not any(compiled)
    assert (losses, after) == trained(by_graph(mlp(kind)))[::2]


def test_what_a_model_counts_is_counted_once_a_batch():
    model = mlp(Counting)
    trained(Stepper(model))
    assert model.seen.item() == 8 * 12


def test_a_model_that_slices_its_input_is_not_compiled_and_still_learns(monkeypatch):
    monkeypatch.setattr(Bigram, "fixed_graph", True)
    model = Bigram(BigramConfig(vocabulary_size=6), rng=np.random.default_rng(1))
    losses, compiled, _ = trained(Stepper(model), sizes=(64,) * 30)
    assert not any(compiled)
    assert losses[-1] != losses[0]
