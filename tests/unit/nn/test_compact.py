"""Weights in 8 or 16 bits: what is stored, the products, and a GPT of them."""

import copy
import ctypes

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from backlight.autograd import Tensor
from backlight.autograd.native import library
from backlight.autograd.native.building import LIBRARY
from backlight.autograd.native.inference import InferenceKernels
from backlight.core import ConfigError, GraphError
from backlight.models import GPT, GPTConfig
from backlight.nn import Linear, decode_step
from backlight.nn import compact as compact_module
from backlight.nn.compact import CompactMatrix, compact, weight_bytes

NARROW = ("int8", "bfloat16", "float16")
LEVELS = [level for level in (1, 3, 4) if library() and level <= library().level]
SIZES = [(1, 1), (3, 5), (7, 64), (5, 100), (2, 515), (9, 1100)]


@pytest.fixture(params=[None, *LEVELS], ids=str)
def _kernels(request, monkeypatch):
    """The kernels of one level, or none, for all that is computed without a graph."""
    if request.param is None:
        found = None
    else:
        made = InferenceKernels(ctypes.CDLL(str(LIBRARY)), request.param)
        found = type("Library", (), {"inference": made})()
    for module in (compact_module, decode_step):
        monkeypatch.setattr(module, "library", lambda: found)
    return found


@pytest.mark.parametrize("weights", NARROW)
def test_numbers_are_rounded_to_the_nearest(weights, rng):
    w = np.concatenate([rng.standard_normal((4, 70)), rng.standard_normal((4, 70)) * 1e-3, np.zeros((1, 70))])
    w = w.astype("f4")
    made = CompactMatrix.of(w, weights)
    if weights == "int8":
        apart = np.abs(made.rows(slice(None)) - w)
        assert (apart <= made.scales[:, None] / 2 * (1 + 1e-5)).all()
        assert_array_equal(np.abs(made.stored).max(axis=1), [127] * 8 + [0])
    else:
        theirs = torch.from_numpy(w).to(getattr(torch, weights)).float().numpy()
        assert_array_equal(made.rows(slice(None)), theirs)
    assert_array_equal(made.rows(np.array([[3, 1]])), made.rows(slice(None))[[[3, 1]]])
    assert made.stored[:, 70:].max() == 0


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("weights", NARROW)
@pytest.mark.parametrize(("O", "I"), SIZES)
def test_products_are_those_of_the_rounded_matrix(weights, O, I, rng):
    made = CompactMatrix.of(rng.standard_normal((O, I)).astype("f4"), weights)
    rounded, bias = made.rows(slice(None)).astype("f8"), rng.standard_normal(O).astype("f4")
    for columns in (1, 3):
        x = rng.standard_normal((I, columns)).astype("f4")
        size = np.abs(rounded) @ np.abs(x)
        assert (np.abs(made.times_columns(x) - rounded @ x) <= 4e-5 * size).all()
        assert (np.abs(made.times_columns(x, bias) - rounded @ x - bias[:, None]) <= 4e-5 * (size + 2)).all()
        assert (np.abs(made.times_rows(x.T[None], bias)[0] - x.T @ rounded.T - bias) <= 4e-5 * (size.T + 2)).all()


@pytest.mark.skipif(not LEVELS, reason="the kernels were not built: there was no C compiler")
def test_sums_of_int8_are_exact_and_do_not_overflow(rng):
    w, x = np.full((2, 6400), 3.0, "f4"), np.full(6400, 5.0, "f4")
    w[1] = rng.integers(-127, 128, 6400)
    w[1, 0] = 127
    made = CompactMatrix.of(w, "int8")
    for level in LEVELS:
        found = InferenceKernels(ctypes.CDLL(str(LIBRARY)), level)
        y = found.compact_product("int8", made.stored, made.scales, x, None)
        assert_allclose(y, w.astype("f8") @ x, rtol=1e-6)


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("weights", NARROW)
def test_what_new_memory_holds_does_not_count(weights, monkeypatch):
    made = CompactMatrix.of(np.ones((3, 70), "f4"), weights)
    monkeypatch.setattr(np, "empty", lambda shape, dtype=float: np.full(shape, np.nan, dtype))
    assert_allclose(made.times_columns(np.ones((70, 1), "f4")), np.full((3, 1), 70), rtol=1e-6)


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("weights", NARROW)
def test_what_is_no_number_stays_none(weights):
    made = CompactMatrix.of(np.ones((3, 70), "f4"), weights)
    for strange in (np.nan, np.inf):
        x = np.ones((70, 1), "f4")
        x[40] = strange
        assert not np.isfinite(made.times_columns(x)).any()
    assert_array_equal(made.times_columns(np.zeros((70, 1), "f4")), np.zeros((3, 1)))


def gpt(*, tied, seed=1):
    config = GPTConfig(vocabulary_size=37, context=24, n_embd=30, n_layer=2, n_head=3, dropout=0.1, tie_weights=tied)
    network = GPT(config, rng=np.random.default_rng(seed)).eval()
    rng = np.random.default_rng(seed + 1)
    for parameter in network.parameters():
        parameter.array[...] += 0.1 * rng.standard_normal(parameter.shape)
    return network


def rounded_copy(network, narrow):
    """Return a network in float32 with the rounded weights of another."""
    made = copy.deepcopy(network)
    modules = dict(narrow.named_modules())
    for name, layer in made.named_modules():
        matrix = getattr(modules[name], "matrix", None)
        if matrix is not None:
            rounded = matrix.rows(slice(None))
            layer.weight.array[...] = rounded.T if isinstance(layer, Linear) else rounded
    return made


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("weights", NARROW)
def test_a_gpt_computes_with_the_rounded_weights(weights, tied, rng):
    network = gpt(tied=tied)
    narrow = copy.deepcopy(network)
    compact(narrow, weights)
    wide = rounded_copy(network, narrow).to(np.float64)
    ids = rng.integers(0, 37, (1, 20))
    caches = narrow.caches(1)
    logits = [narrow.begin(ids[:, :9], caches)]
    logits += [narrow.step(ids[:, at], caches) for at in range(9, 20)]
    right = wide(ids).detach().numpy()[0, 8:]
    assert_allclose(np.concatenate(logits), right, atol=3e-4 * np.abs(right).max())
    assert_allclose(narrow.next_logits(ids), right[-1:], atol=3e-4 * np.abs(right).max())
    y = rng.integers(1, 37, (1, 20))
    assert_allclose(narrow.nll(ids, y), wide.nll(ids, y), atol=1e-3)
    assert narrow.num_parameters() == network.num_parameters()
    assert weight_bytes(narrow) < (0.75 if weights == "int8" else 1) * weight_bytes(network)  # rows of 30 take 64


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("texts", [1, 3])
def test_kernels_without_a_graph_are_the_layers(texts, rng):
    network = gpt(tied=True)
    ids = rng.integers(0, 37, (texts, 24))
    caches = network.caches(texts)
    logits = [network.begin(ids[:, :5], caches)]
    logits += [network.step(ids[:, at], caches) for at in range(5, 24)]
    right = copy.deepcopy(network).to(np.float64)(ids).detach().numpy()[:, 4:]
    assert_allclose(np.stack(logits, axis=1), right, atol=2e-5 * np.abs(right).max())


def test_such_a_network_is_not_trained():
    network = gpt(tied=True)
    compact(network, "int8")
    with pytest.raises(GraphError, match="cannot be trained"):
        network.train()(np.zeros((1, 2), np.int64))
    with pytest.raises(GraphError, match="cannot be trained"):
        network.blocks[0].mlp[0](Tensor(np.zeros((1, 30), "f4")))


def test_a_weight_that_is_too_large_for_float16_changes_nothing():
    network = gpt(tied=True)
    network.blocks[1].mlp[0].weight.array[2, 3] = -7e4
    with pytest.raises(ConfigError, match=r"float16 holds weights up to 65,504; one is 7e\+04. Choose bfloat16"):
        compact(network, "float16")
    assert network.num_parameters() == sum(one.numel() for one in network.parameters())
    with pytest.raises(ConfigError, match="weights must be float32, bfloat16, float16 or int8; got 'int4'"):
        compact(network, "int4")
