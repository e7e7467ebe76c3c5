"""Random numbers as drawn by PyTorch on the CPU: the same numbers for the same seed and the same calls.

Each function consumes exactly as many raw draws of its `Generator` as PyTorch does, so that later calls give the same
numbers too. Checked against PyTorch 2.13; docs/torch_numbers.md lists what is bit-identical and what is not. The
algorithms are those of ATen/native/Distributions.cpp, TensorFactories.cpp, cpu/DistributionTemplates.h and
cpu/MultinomialKernel.cpp.
"""

import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backlight.autograd.tensor_base import as_dtype
from backlight.core import missing
from backlight.core.arguments import LARGEST, shown
from backlight.core.arrays import Array, FloatArray
from backlight.core.errors import ConfigError, ShapeError
from backlight.torchlike._box_muller import blocks_float32, blocks_float64, c_library, one_by_one
from backlight.torchlike._fused import fma32, fma64
from backlight.torchlike._new import real, shape_from, whole
from backlight.torchlike.generator import Generator

__path__: list[str] = []  # as of a package, so that an import of a name of torch.distributions is explained
__getattr__ = missing.names_of("torch.distributions", missing.DISTRIBUTIONS)

Shape = SupportsIndex | Sequence[SupportsIndex]
Indices = NDArray[np.int64]

_BLOCK = 16  # normal numbers are computed in blocks of 16, unless there are fewer
_WIDE_RANGE = 2**28  # from this range on, `randint` uses 64-bit draws, so that the remainder is nearly uniform
_PERMUTATION_LIMIT = (2**32 - 1) // 20  # from this size on, PyTorch uses another shuffle


def rand(shape: Shape, generator: Generator, dtype: DTypeLike = np.float32) -> FloatArray:
    """Draw uniform numbers from [0, 1), as `torch.rand`.

    A float32 is the lowest 24 bits of a 32-bit draw over 2**24; a float64 is the lowest 53 bits of a 64-bit draw over
    2**53.

    Args:
        shape: the shape of the result.
        generator: advanced by one draw per number.
        dtype: float32 or float64.

    Raises:
        ShapeError: a negative size.
        ConfigError: another dtype.
    """
    size = _checked_shape(shape)
    return _uniform(math.prod(size), generator, _checked_float(dtype, "rand")).reshape(size)


def randn(shape: Shape, generator: Generator, dtype: DTypeLike = np.float32) -> FloatArray:
    """Draw normal numbers with mean 0 and standard deviation 1, as `torch.randn`. Args: and Raises: see `normal`."""
    return normal(0.0, 1.0, shape, generator, dtype)


def normal(mean: float, std: float, shape: Shape, generator: Generator, dtype: DTypeLike = np.float32) -> FloatArray:
    """Draw normal numbers, as `torch.normal(mean, std, size)`.

    For 16 numbers or more, blocks of 16 uniform numbers become blocks of 16 normal numbers; if the count is not a
    multiple of 16, the last 16 numbers are drawn again. Fewer than 16 are drawn in pairs; if their count is odd, the
    second number of the last pair is stored in the generator for the next such call.

    Args:
        mean: the mean.
        std: the standard deviation, not negative.
        shape: the shape of the result.
        generator: advanced as in PyTorch.
        dtype: float32 or float64.

    Raises:
        ShapeError: a negative size.
        ConfigError: std is negative or nan, or another dtype.
    """
    mean, std = real("mean", mean), real("std", std)
    if not std >= 0:
        raise ConfigError(
            f"normal needs std >= 0; got std={std}. Pass the standard deviation, not a variance or a logarithm."
        )
    size = _checked_shape(shape)
    count, kind = math.prod(size), _checked_float(dtype, "normal")
    if count < _BLOCK:
        values = _scaled(_few_normal(count, generator), mean, std)
        return values.astype(kind).reshape(size)
    to_normal = blocks_float32 if kind == np.float32 else blocks_float64
    whole = count - count % _BLOCK
    values = np.empty(count, kind)
    uniform = _uniform(count, generator, kind)  # PyTorch draws all of them first, also the remainder, which is not used
    values[:whole] = to_normal(uniform[:whole])
    if whole < count:
        values[-_BLOCK:] = to_normal(_uniform(_BLOCK, generator, kind))
    return _scaled(values, mean, std).reshape(size)


def randint(low: int, high: int, shape: Shape, generator: Generator, dtype: DTypeLike = np.int64) -> Array:
    """Draw integers from [low, high), as `torch.randint`: low + the remainder of a raw draw divided by `high - low`.

    Args:
        low: the smallest integer.
        high: the largest integer + 1.
        shape: the shape of the result.
        generator: advanced by one draw per number, of 64 bits if `high - low` is 2**28 or more, else of 32.
        dtype: an integer or floating-point type in which every integer of the range is exact.

    Raises:
        ShapeError: a negative size.
        ConfigError: low >= high, or the dtype cannot hold the range.
    """
    low, high = whole("low", low), whole("high", high)
    dtype = as_dtype(dtype)
    if low >= high:
        raise ConfigError(
            f"randint needs low < high; got low={shown(low)}, high={shown(high)}. `high` itself is excluded."
        )
    least, greatest = _exact_integers(dtype)
    if low < least or high - 1 > greatest or high > np.iinfo(np.int64).max:
        raise ConfigError(
            f"the dtype of randint must hold the range [{shown(low)}, {shown(high)}); got {dtype}. "
            "Choose a wider dtype or a smaller range."
        )
    size = _checked_shape(shape)
    count, span = math.prod(size), high - low
    draws = generator.random64(count) if span >= _WIDE_RANGE else generator.random32(count)
    values = (draws % np.uint64(span) + np.uint64(low % 2**64)).view(
        np.int64
    )  # two's complement: wraps to negative numbers
    return values.astype(dtype).reshape(size)


def randperm(n: int, generator: Generator) -> Indices:
    """Draw a permutation of 0 ... n - 1, as `torch.randperm`: a Fisher-Yates shuffle from the front.

    Args:
        n: how many numbers, fewer than 2**32 / 20.
        generator: advanced by n - 1 draws.

    Shape: (n,)
    Raises: ConfigError: n is negative or too large.
    """
    n = whole("n", n)
    if not 0 <= n < _PERMUTATION_LIMIT:
        raise ConfigError(f"randperm needs 0 <= n < {_PERMUTATION_LIMIT}; got n={shown(n)}. Shuffle fewer items.")
    tails = np.arange(n, 1, -1, dtype=np.uint64)
    swaps = (generator.random32(len(tails)) % tails).tolist()
    order = list(range(n))
    for here, ahead in enumerate(swaps):
        there = here + ahead
        order[here], order[there] = order[there], order[here]
    return np.array(order, np.int64)


def multinomial(probs: FloatArray, num_samples: int, replacement: bool, generator: Generator) -> Indices:
    """Draw indices in proportion to weights, as `torch.multinomial`.

    Several draws with replacement look up uniform numbers in the cumulative weights. A single draw, or draws without
    replacement, select the largest p / q, where q is drawn from an exponential distribution for every weight.

    Args:
        probs: weights, float32 or float64, not negative; a row need not sum to 1. They are compared in their own dtype,
            so float32 and float64 weights may give different indices.
        num_samples: the number of draws per row.
        replacement: whether an index can be drawn several times.
        generator: advanced by `num_samples` 64-bit draws per row, or by one per weight.

    Shape: (C,) -> (num_samples,), (R, C) -> (R, num_samples)

    Raises:
        ShapeError: `probs` has neither 1 nor 2 axes.
        ConfigError: weights that are negative, not finite, all zero in a row, or not floating-point; num_samples < 1;
            or, without replacement, fewer positive weights than draws.
    """
    probs, num_samples = np.asarray(probs), whole("num_samples", num_samples)
    _check_weights(probs, num_samples, replacement)
    if probs.size == 0:
        return np.empty((*probs.shape[:-1], num_samples), np.int64)
    if replacement and num_samples > 1:
        return _looked_up(probs, num_samples, generator)
    exponential = np.empty_like(probs)  # in the memory layout of `probs`, and filled in the order of memory
    exponential.ravel(order="K")[:] = -c_library(math.log1p, -_uniform(probs.size, generator, np.dtype(np.float64)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        keys = probs / exponential
    if num_samples == 1:
        return np.asarray(keys.argmax(axis=-1, keepdims=True), np.int64)
    order: Indices = np.argsort(-keys, axis=-1, kind="stable")
    return order[..., :num_samples]


def _looked_up(probs: FloatArray, num_samples: int, generator: Generator) -> Indices:
    """Draw with replacement: the first index whose cumulative weight is not below a uniform number."""
    rows = np.atleast_2d(probs)
    with np.errstate(over="ignore"):
        shares = np.cumsum(rows, axis=-1, dtype=probs.dtype)
    total = shares[:, -1:].copy()
    if not np.isfinite(total).all():
        raise ConfigError(
            f"multinomial needs weights with a finite sum; got a sum that overflows {probs.dtype}. Scale them down."
        )
    shares /= total  # the last is 1
    uniform = _uniform(len(rows) * num_samples, generator, np.dtype(np.float64)).reshape(len(rows), num_samples)
    drawn = [np.searchsorted(share.astype(np.float64), u) for share, u in zip(shares, uniform, strict=True)]
    return np.stack(drawn).reshape(*probs.shape[:-1], num_samples)


def _check_weights(probs: FloatArray, num_samples: int, replacement: bool) -> None:
    if probs.ndim not in {1, 2}:
        raise ShapeError(f"multinomial needs weights of shape (C,) or (R, C); got {probs.shape}. Reshape them.")
    if probs.dtype not in {np.dtype(np.float32), np.dtype(np.float64)}:
        raise ConfigError(
            f"multinomial needs float32 or float64 weights; got {probs.dtype}. Convert counts with .float()."
        )
    if num_samples < 1:
        raise ConfigError(f"multinomial needs num_samples >= 1; got {num_samples}.")
    usable = (probs >= 0) & (probs < np.inf)  # nan is neither
    if not usable.all():
        raise ConfigError(
            f"multinomial needs weights that are finite and not negative; got {probs[~usable][0]}. "
            "Are these logits? Apply softmax first."
        )
    possible = np.count_nonzero(probs, axis=-1)
    if probs.shape[-1] == 0 or not np.all(possible):
        raise ConfigError(
            "multinomial needs a weight above 0 in every row; got a row of zeros. Add 1 to all counts, for example."
        )
    if not replacement and np.any(possible < num_samples):
        raise ConfigError(
            f"multinomial without replacement needs as many weights above 0 as draws; got {np.min(possible)} "
            f"for num_samples={num_samples}. Draw fewer, or with replacement=True."
        )


def _few_normal(count: int, generator: Generator) -> FloatArray:
    """Draw fewer than 16 normal numbers in float64; the one stored in the generator comes first. Shape: (count,)."""
    kept = [] if generator.next_normal is None or count == 0 else [generator.next_normal]
    missing = count - len(kept)
    if count:
        generator.next_normal = None
    drawn = one_by_one(_uniform(missing + missing % 2, generator, np.dtype(np.float64)))
    if missing % 2:
        generator.next_normal = float(drawn[-1])
    return np.concatenate((kept, drawn[:missing]))


def _uniform(count: int, generator: Generator, kind: np.dtype[Any]) -> FloatArray:
    """Draw uniform numbers from [0, 1) in float32 or float64. Shape: (count,)."""
    if kind == np.float32:
        return (generator.words(count) & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)
    return (generator.random64(count) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53


def _scaled(normal: FloatArray, mean: float, std: float) -> FloatArray:
    """Return normal * std + mean, rounded once."""
    with np.errstate(over="ignore", invalid="ignore"):
        if (mean, std) == (0, 1):
            return normal + normal.dtype.type(0)  # turns -0 into 0, as PyTorch's arithmetic does
        if normal.dtype == np.float32:
            return fma32(normal, np.float32(std), np.float32(mean))
        return fma64(normal, float(std), float(mean))


def _exact_integers(kind: np.dtype[Any]) -> tuple[int, int]:
    """Return the ends of the range in which every integer is exact in this dtype."""
    if kind.kind == "b":
        return 0, 1
    if kind.kind in "iu":
        return int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    if kind.kind == "f":
        digits = int(np.finfo(kind).nmant) + 1
        return -(2**digits), 2**digits
    raise ConfigError(f"dtype must be of integers or floats; got {kind}. Leave it out for int64.")


def _checked_shape(shape: Shape) -> tuple[int, ...]:
    size = shape_from((), shape)
    if math.prod(size) > LARGEST:
        raise ShapeError(f"random numbers must fit into memory; got shape {size}.")
    return size


def _checked_float(dtype: DTypeLike, name: str) -> np.dtype[Any]:
    kind = as_dtype(dtype)
    if kind not in {np.dtype(np.float32), np.dtype(np.float64)}:
        raise ConfigError(f"the dtype of {name} must be float32 or float64; got {kind}. Draw float32 and convert it.")
    return kind
