"""Compiled kernels compute what the graph computes, at every level of processor and at every awkward size."""

import ctypes
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backlight.autograd import OPS, Tensor, apply, cross_entropy, embed, linear, ops
from backlight.autograd.flat import FlatParameters
from backlight.autograd.native import Program, UnsuitableError, emitting, library
from backlight.autograd.native.building import LIBRARY
from backlight.autograd.native.library import kernels
from backlight.autograd.native.lowering import LOWERINGS
from backlight.autograd.ops.attention import PackedIndex
from backlight.autograd.ops.normalisation import Running
from backlight.core import ConfigError, GraphError

pytestmark = pytest.mark.skipif(library() is None, reason="the kernels were not built: there was no C compiler")

LEVELS = [level for level in (1, 3, 4) if library() and level <= library().level]


@pytest.fixture(params=[(level, blas) for level in LEVELS for blas in (True, False)], ids=str)
def _kernels(request, monkeypatch):
    level, with_blas = request.param
    chosen = kernels(ctypes.CDLL(str(LIBRARY)), level, with_blas=with_blas)
    monkeypatch.setattr("backlight.autograd.native.program.library", lambda: chosen)
    yield
    kernels(ctypes.CDLL(str(LIBRARY)), level)  # the next one finds BLAS again


def parameters(rng, *shapes):
    made = [Tensor(rng.standard_normal(shape).astype("f4"), requires_grad=True) for shape in shapes]
    FlatParameters.of(made)
    return made


def check(loss_of, inputs, weights, *, generator=None, kept=()):
    """Compare a program with the graph on each of the inputs: loss, gradients, what is kept, what is left of chance."""
    program = Program(loss_of(*inputs[0]), inputs[0])
    before = [array.copy() for array in kept]
    for given in inputs:
        for array, first in zip(kept, before, strict=True):
            array[...] = first
        state = generator and generator.bit_generator.state
        loss = loss_of(*given)
        loss.backward()
        wanted = [weight.grad.detach().numpy().copy() for weight in weights]
        moved = [array.copy() for array in kept]
        after = generator and generator.bit_generator.state
        for weight in weights:
            weight.grad = None
        for array, first in zip(kept, before, strict=True):
            array[...] = first
        if generator:
            generator.bit_generator.state = state
        np.testing.assert_allclose(program.forward(given), loss.item(), rtol=1e-5)
        program.backward()
        largest = max(np.abs(gradient).max() for gradient in wanted)
        for weight, gradient in zip(weights, wanted, strict=True):
            scale = max(np.abs(gradient).max(), 1e-3 * largest)
            np.testing.assert_allclose(weight.grad.detach().numpy(), gradient, rtol=1e-3, atol=2e-5 * scale)
            weight.grad = None
        for array, wanted_array in zip(kept, moved, strict=True):
            np.testing.assert_allclose(array, wanted_array, rtol=1e-5, atol=1e-6)
        assert (generator and generator.bit_generator.state) == after


def ids_and_targets(rng, *shape, vocabulary=5, times=2):
    return [(rng.integers(0, vocabulary, shape), rng.integers(0, vocabulary, shape)) for _ in range(times)]


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize(
    ("rows", "C", "V"), [(1, 1, 5), (7, 3, 5), (129, 16, 33), (300, 17, 7), (64, 130, 27), (5, 200, 7)]
)
def test_layers_of_awkward_sizes(rows, C, V, rng):
    table, W1, b1, W2, b2, gain, bias = weights = parameters(
        rng, (V, C), (C, C + 1), (C + 1,), (C + 1, V), (V,), (C,), (C,)
    )

    def loss_of(ids, targets):
        x = embed(ids, table)
        x = x + apply(ops.LayerNorm, x, gain, bias, eps=1e-3)
        h = linear(x, W1, b1)
        h = h.tanh() + h.relu() + h.gelu()  # three paths meet
        return cross_entropy(linear(h, W2, b2), targets)

    check(loss_of, ids_and_targets(rng, rows, vocabulary=V), weights)


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize(("B", "T", "C"), [(5, 4, 3), (3, 8, 16), (75, 4, 20)])
def test_batch_norm_windows_and_repeated_sums(B, T, C, rng):
    table, where, W1, gain, bias, W2 = weights = parameters(
        rng, (5, C), (T, C), (2 * C, C), (C,), (C,), (T // 2 * C, 5)
    )
    running = Running(np.zeros(C, np.float32), np.ones(C, np.float32), 0.1)

    def loss_of(ids, targets):
        x = (embed(ids, table) + where).view(B, T // 2, 2 * C) @ W1
        x = apply(ops.BatchNorm, x, gain, bias, eps=1e-5, running=running)
        return cross_entropy(x.view(B, T // 2 * C) @ W2, targets)

    inputs = [(ids, targets[:, 0].copy()) for ids, targets in ids_and_targets(rng, B, T)]
    check(loss_of, inputs, weights, kept=[running.mean, running.variance])


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize(
    ("B", "T", "heads", "D"), [(2, 1, 1, 3), (3, 7, 2, 4), (2, 16, 1, 16), (1, 35, 2, 5), (2, 64, 1, 33)]
)
def test_attention_and_dropout(B, T, heads, D, p, rng):
    C = heads * D
    table, qkv, last = weights = parameters(rng, (5, C), (C, 3 * C), (C, 5))
    chance = np.random.default_rng(3)
    dropped = {"keep": chance, "p": p} if p else {}

    def loss_of(ids, targets):
        x = embed(ids, table)
        x = apply(ops.Dropout, x, **dropped) if p else x
        y = apply(ops.CausalAttention, x @ qkv, heads=heads, places=None, **dropped)
        return cross_entropy((x + y) @ last, targets)

    check(loss_of, ids_and_targets(rng, B, T), weights, generator=chance)


def ragged(rng, lengths, T):
    """Return ids, where they stand, and targets."""
    rows = np.concatenate([b * T + np.arange(length) for b, length in enumerate(lengths)]).astype(int)
    return rng.integers(0, 5, len(rows)), PackedIndex((len(lengths), T), rows), rng.integers(0, 5, len(rows))


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_sequences_of_unequal_length_in_any_number(p, rng):
    table, qkv, gain, bias, last = weights = parameters(rng, (5, 6), (6, 18), (6,), (6,), (6, 5))
    chance = np.random.default_rng(3)
    dropped = {"keep": chance, "p": p} if p else {}

    def loss_of(ids, places, targets):
        x = apply(ops.LayerNorm, embed(ids, table), gain, bias)
        x = apply(ops.Dropout, x, **dropped) if p else x
        y = apply(ops.CausalAttention, x @ qkv, heads=2, places=places, **dropped)
        return cross_entropy((x + y) @ last, targets)

    batches = [((3, 1, 4), 4), ((2, 2), 2), ((5, 0, 33, 1, 20), 33), ((1,), 1), ((3, 1, 4), 4)]
    check(loss_of, [ragged(rng, *batch) for batch in batches], weights, generator=chance)


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("H", [1, 5, 16, 37])
@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_recurrences_over_any_number_of_steps(kind, H, rng):
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    biases = [(gates * H,)] * (2 if kind == "gru" else 1)
    table, W, U, *rest = weights = parameters(rng, (5, 3), (3, gates * H), (H, gates * H), *biases, (H, 5))

    def loss_of(ids, counts, targets):
        states = apply(OPS[kind], embed(ids, table), W, U, *rest[:-1], counts=counts)
        return cross_entropy(states @ rest[-1], targets)

    inputs = []
    for counts in ([4, 4, 2, 1], [3], [1, 1], [20, 7, 7, 7, 3, 1, 1], [4, 4, 2, 1]):
        N = sum(counts)
        inputs.append((rng.integers(0, 5, N), counts, rng.integers(0, 5, N)))
    check(loss_of, inputs, weights)


def simple(rng):
    table, last = weights = parameters(rng, (5, 3), (3, 5))
    return weights, lambda ids, targets: cross_entropy(embed(ids, table) @ last, targets)


def test_targets_that_do_not_count(rng):
    weights, loss_of = simple(rng)
    inputs = ids_and_targets(rng, 6)
    for _, targets in inputs:
        targets[[1, 4]] = -1
    check(loss_of, inputs, weights)


def test_what_is_no_number_is_seen(rng):
    table, last = parameters(rng, (5, 40), (40, 5))
    for function in (Tensor.tanh, Tensor.gelu, Tensor.relu):
        inputs = (np.arange(5), np.arange(5))
        table.array[...] = 1
        program = Program(cross_entropy(function(embed(inputs[0], table)) @ last, inputs[1]), inputs)
        assert np.isfinite(program.forward(inputs))
        table.array[3, 39] = np.nan
        assert np.isnan(program.forward(inputs))


def test_large_numbers_stay_finite(rng):
    weights, loss_of = simple(rng)
    weights[0].array *= 1000
    check(loss_of, ids_and_targets(rng, 6), weights)


@pytest.mark.parametrize("wrong", [-1, 5])
def test_ids_outside_of_their_table_are_refused(wrong, rng):
    _, loss_of = simple(rng)
    (ids, targets), _ = ids_and_targets(rng, 6)
    program = Program(loss_of(ids, targets), (ids, targets))
    with pytest.raises(ConfigError, match="must be in range"):
        program.forward((np.full(6, wrong), targets))
    with pytest.raises(ConfigError, match="at least one target"):
        program.forward((ids, np.full(6, -1)))
    assert program.forward((ids, targets)) == pytest.approx(loss_of(ids, targets).item())


def test_parameters_that_were_moved_are_noticed(rng):
    weights, loss_of = simple(rng)
    (ids, targets), _ = ids_and_targets(rng, 6)
    program = Program(loss_of(ids, targets), (ids, targets))
    weights[0].array = weights[0].array.copy()
    with pytest.raises(GraphError, match="has been replaced"):
        program.forward((ids, targets))


def test_a_sequence_with_a_gap_is_refused(rng):
    table, qkv, last = parameters(rng, (5, 6), (6, 18), (6, 5))
    places, gap = PackedIndex((2, 3), np.array([0, 1, 3])), PackedIndex((2, 3), np.array([0, 2, 3]))

    def loss_of(ids, places, targets):
        return cross_entropy(
            apply(ops.CausalAttention, embed(ids, table) @ qkv, heads=2, places=places) @ last, targets
        )

    ids = np.arange(3)
    program = Program(loss_of(ids, places, ids), (ids, places, ids))
    with pytest.raises(GraphError, match="without gaps"):
        program.forward((ids, gap, ids))


@pytest.mark.parametrize(
    "changed",
    [
        lambda x, last: x.exp() @ last,
        lambda x, last: (x * 2) @ last,
        lambda x, last: x @ last.t(),
        lambda x, last: x @ last.view(3, 5),
        lambda x, last: (x + x[:1]) @ last,
        lambda x, last: apply(ops.Dropout, x, keep=np.ones(x.shape, bool), p=0.5) @ last,
    ],
    ids=["exp", "mul", "transpose", "view of a parameter", "repeated row", "given mask"],
)
def test_what_there_is_no_kernel_for_is_left_to_numpy(changed, rng):
    square = 5 if changed.__code__.co_names == ("t",) else 3
    table, last = parameters(rng, (5, 3 if square == 3 else 5), (square, 5))
    ids = np.arange(5)
    with pytest.raises(UnsuitableError):
        Program(cross_entropy(changed(embed(ids, table), last), ids), (ids, ids))


def test_an_input_that_only_constants_are_computed_from_is_left_to_numpy(rng):
    table, last = parameters(rng, (5, 3), (3, 5))
    table.requires_grad = False
    ids, targets = np.arange(5), np.arange(5)[::-1].copy()
    with pytest.raises(UnsuitableError, match="no op reads"):
        Program(cross_entropy(embed(ids, table) @ last, targets), (ids, targets))


def test_other_numbers_than_float32_are_left_to_numpy(rng):
    table = Tensor(rng.standard_normal((5, 5)), dtype="f8", requires_grad=True)
    FlatParameters.of([table])
    ids = np.arange(5)
    with pytest.raises(UnsuitableError, match="float32"):
        Program(cross_entropy(embed(ids, table), ids), (ids, ids))


def test_the_table_of_kernels_is_what_the_lowerings_emit():
    lowering = Path(emitting.__file__).with_name("lowering.py").read_text(encoding="utf-8")
    names = library().kernels
    assert len(set(names)) == len(names) > 20
    unused = [name for name in names if f'"{name.removesuffix("_back")}"' not in lowering]
    assert not unused, f"{unused} are in the table of kernels.c, but no lowering in lowering.py emits them"
    unknown = LOWERINGS.keys() - OPS.keys()
    assert not unknown, f"{unknown} have a lowering in lowering.py, but there is no such op in autograd/ops"


def test_a_kernel_that_is_not_in_the_table_says_where_to_go(monkeypatch, rng):
    found = library()
    short = replace(found, kernels=tuple(name for name in found.kernels if name != "embed_back"))
    monkeypatch.setattr("backlight.autograd.native.program.library", lambda: short)
    (table,) = parameters(rng, (5, 5))
    ids = np.arange(5)
    with pytest.raises(AssertionError, match=r"emits 'embed_back', which is not in the table of kernels\.c; add it"):
        Program(cross_entropy(embed(ids, table), ids), (ids, ids))
