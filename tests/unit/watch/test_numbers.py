"""The kernel, and NumPy in its place, measure what NumPy's own functions say, whatever the arrays hold."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from backlight.nn.kind import Kind
from backlight.watch import numbers
from backlight.watch.kinds import kind_of
from backlight.watch.numbers import Block, Buffers, Layout, kernel, measure

TANH, RELU, SIGMOID = kind_of(["Tanh"]), kind_of(["ReLU"]), kind_of(["Sigmoid"])


@pytest.fixture(params=["kernel", "numpy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure by the kernel, or without it."""
    if request.param == "numpy":
        monkeypatch.setattr(numbers, "kernel", lambda: None)
    elif kernel() is None:
        pytest.skip("the kernels were not built")


def measured(x: np.ndarray, *, kind: Kind | None = None, units: int = 0, inner: int = 1, less: Any = None) -> Block:
    layout = Layout(1)
    layout.want(0, x.size, histogram=True, kind=kind, units=units, inner=inner)
    block = Block(layout)
    measure(block, [x], less=None if less is None else [less])
    return block


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.standard_normal((32, 100)),
        lambda rng: rng.standard_normal(7),
        lambda rng: rng.standard_normal(1),
        lambda rng: rng.standard_normal(100_003),
        lambda rng: 1 + 1e-3 * rng.standard_normal(100),  # float32 squares would hide this spread
        lambda rng: np.concatenate([[1e4], rng.standard_normal(500)]),  # the first number is far from the mean
        lambda rng: 1e25 * rng.standard_normal(50),
        lambda rng: 1e-25 * rng.standard_normal(50),
        lambda _: np.full(40, 0.1),
        lambda _: np.zeros(40),
    ],
)  # fmt: skip
def test_moments_and_histogram(make: Any, rng: np.random.Generator) -> None:
    x = make(rng).astype(np.float32)
    found = measured(x).spread(0)
    wide = x.astype(np.float64)
    rms = math.sqrt((wide * wide).mean())
    assert_allclose([found.mean, found.rms], [wide.mean(), rms], rtol=1e-5, atol=1e-6 * rms)
    assert found.std == pytest.approx(wide.std(), rel=1e-5, abs=1e-7 * rms * (x.min() == x.max()))
    assert (found.low, found.high) == (x.min(), x.max())
    assert (found.count, found.nonfinite) == (x.size, 0)
    assert found.histogram is not None
    low, high = found.histogram.low, found.histogram.high
    assert -low == high == (2.0 ** math.ceil(math.log2(4 * rms)) if rms else 1.0)
    counts, _ = np.histogram(wide.clip(low, high), len(found.histogram.counts), (low, high))
    assert np.abs(np.cumsum(counts) - np.cumsum(found.histogram.counts)).max() <= 0.01 * x.size * (rms > 0) + x.size * (
        x.min() == x.max()
    )
    assert sum(found.histogram.counts) == x.size


@pytest.mark.usefixtures("way")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=70))
def test_any_list_of_numbers(values: list[float]) -> None:
    x = np.array(values, np.float32)
    found, wide = measured(x).spread(0), np.array(values)
    scale = max(1e-30, np.abs(wide).max())
    assert found.std == pytest.approx(wide.std(), rel=1e-4, abs=1e-6 * scale)
    assert found.mean == pytest.approx(wide.mean(), rel=1e-5, abs=1e-6 * scale)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 40, 49])
def test_what_is_not_finite_is_counted_and_makes_moments_nan(strange: float, at: int) -> None:
    x = np.linspace(-1, 1, 50, dtype=np.float32)
    x[at] = strange
    found = measured(x, kind=TANH, units=5).spread(0)
    assert found.nonfinite == 1
    assert all(map(math.isnan, (found.mean, found.std, found.rms, found.low, found.high)))
    assert found.histogram is None


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("shape", "inner"), [((8, 5), 1), ((6, 5, 4, 4), 16), ((2, 5, 33), 33)])
@pytest.mark.parametrize("kind", [TANH, RELU, SIGMOID], ids=["tanh", "relu", "sigmoid"])
def test_units(kind: Kind, shape: tuple[int, ...], inner: int, rng: np.random.Generator) -> None:
    x = rng.uniform(-1, 1, shape).astype(np.float32) if kind is not SIGMOID else rng.random(shape).astype(np.float32)
    x[:, 1] = {TANH: -0.99, RELU: -1.0, SIGMOID: 0.999}[kind]
    block = measured(x, kind=kind, units=5, inner=inner)
    centre, reach = {TANH: (0, 0.97), RELU: (0, 0), SIGMOID: (0.5, 0.485)}[kind]
    lives = x > 0 if kind is RELU else np.abs(x - np.float32(centre)) <= np.float32(reach)
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    assert block.alive_at(0) is not None
    assert_array_equal(block.alive_at(0), lives.any(others))
    assert not block.alive_at(0)[1]
    assert block.rows["beyond"][0] == np.count_nonzero(~lives)
    assert block.rows["across"][0] == pytest.approx(np.sqrt(x.astype(np.float64).var(others).mean()), rel=1e-5)
    if kind.range is not None:
        assert (block.rows["low"][0], block.rows["high"][0]) == kind.range


@pytest.mark.usefixtures("way")
def test_a_difference_is_measured_without_being_made(rng: np.random.Generator) -> None:
    x = rng.standard_normal(333).astype(np.float32)
    y = (x + rng.standard_normal(333) * 1e-3).astype(np.float32)
    found, apart = measured(y, less=x).spread(0), (y - x).astype(np.float64)
    assert found.std == pytest.approx(apart.std(), rel=1e-5)
    assert found.histogram is not None
    counts, _ = np.histogram(apart, len(found.histogram.counts), (found.histogram.low, found.histogram.high))
    assert np.abs(np.cumsum(counts) - np.cumsum(found.histogram.counts)).max() <= 2
    assert measured(x, less=x.copy()).rows["most"][0] == 0


@pytest.mark.usefixtures("way")
def test_faint_numbers_are_counted() -> None:
    x = np.array([0, 1e-9, -9.9e-9, 1e-8, 1.1e-8, 1, -1e-30] * 7, np.float32)
    assert measured(x).rows["faint"][0] == 7 * 3


@pytest.mark.usefixtures("way")
def test_many_arrays_of_which_different_things_are_wanted(rng: np.random.Generator) -> None:
    arrays = [rng.standard_normal((4, n)).astype(np.float32) for n in (1, 3, 50)]
    layout = Layout(4)
    for at, x in enumerate(arrays):
        layout.want(at + 1, x.size, histogram=at != 1, kind=RELU if at == 2 else None, units=x.shape[1])
    block, other = Block(layout), Block(layout)
    measure(block, [x[:, ::-1] for x in arrays], start=1)  # not contiguous
    for at, x in enumerate(arrays):
        spread = block.spread(at + 1)
        assert spread.std == pytest.approx(x.std(), rel=1e-5, abs=1e-7)
        assert (spread.histogram is None) == (at == 1)
    assert [block.alive_at(at) for at in range(3)] == [None] * 3
    assert_array_equal(block.alive_at(3), (arrays[2][:, ::-1] > 0).any(0))
    assert not other.rows["rms"].any()  # another step's block is another's
    assert not other.alive.any()
    assert not other.bins.any()


@pytest.mark.usefixtures("way")
def test_arrays_are_copied_and_those_that_are_not_finite_counted(rng: np.random.Generator) -> None:
    arrays = [rng.standard_normal((3, 5)).astype(np.float32) for _ in range(3)]
    arrays[1][0, 0] = math.nan
    layout = Layout(3)
    for at, x in enumerate(arrays):
        layout.want(at, x.size)
    block, copies = Block(layout), Buffers(np.empty_like(x) for x in arrays)
    measure(block, arrays, copies=copies)
    assert block.broken == 1
    for x, copy in zip(arrays, copies, strict=True):
        assert_array_equal(x, copy)


def test_double_precision_is_not_squeezed_into_single(rng: np.random.Generator) -> None:
    x = 1e12 + rng.standard_normal(100)
    assert measured(x).spread(0).std == pytest.approx(x.std(), rel=1e-6)


def test_a_scale_multiplies_every_number(rng: np.random.Generator) -> None:
    block = measured(rng.standard_normal(50).astype(np.float32))
    one, two = block.spread(0), block.spread(0, 2.0)
    assert two.std == 2 * one.std
    assert two.histogram is not None
    assert one.histogram is not None
    assert two.histogram.counts == one.histogram.counts
    assert two.histogram.high == 2 * one.histogram.high
