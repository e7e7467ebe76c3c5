"""Random numbers as PyTorch draws them on the CPU: same seed, same calls, same numbers.

Each function takes a `Generator` and moves it on by exactly as many raw draws as PyTorch does, so a program that mixes
the calls stays in step. Checked against PyTorch 2.13; docs/torch_numbers.md says what is the same in every bit and
what is not. The facts are from ATen/native/Distributions.cpp, TensorFactories.cpp, cpu/DistributionTemplates.h and
cpu/MultinomialKernel.cpp.
"""

import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

from backlight.autograd.tensor_base import as_dtype
from backlight.core.arguments import LARGEST, shown
from backlight.core.arrays import Array, FloatArray
from backlight.core.errors import ConfigError, ShapeError
from backlight.torchlike._box_muller import blocks_float32, blocks_float64, c_library, one_by_one
from backlight.torchlike._fused import fma32, fma64
from backlight.torchlike._new import real, shape_from, whole
from backlight.torchlike.generator import Generator

Shape = SupportsIndex | Sequence[SupportsIndex]
Indices = NDArray[np.int64]

_BLOCK = 16  # normal numbers are made in blocks of 16, unless there are fewer
_WIDE_RANGE = 2**28  # from here on `randint` takes 64-bit draws, lest the remainder be skewed
_PERMUTATION_LIMIT = (2**32 - 1) // 20  # beyond this PyTorch shuffles in another way


def rand(shape: Shape, generator: Generator, dtype: DTypeLike = np.float32) -> FloatArray:
    """Draw uniform numbers from [0, 1), as `torch.rand`.

    A float32 is the lowest 24 bits of one 32-bit draw over 2**24; a float64 the lowest 53 of a 64-bit draw over 2**53.

    Args:
        shape: of the result.
        generator: moved on by one draw a number.
        dtype: float32 or float64.

    Raises:
        ShapeError: a negative size.
        ConfigError: another dtype.
    """
    size = _checked_shape(shape)
    return _uniform(math.prod(size), generator, _checked_float(dtype, "rand")).reshape(size)


def randn(shape: Shape, generator: Generator, dtype: DTypeLike = np.float32) -> FloatArray:
    """Draw normal numbers of mean 0 and standard deviation 1, as `torch.randn`. See `normal`."""
    return normal(0.0, 1.0, shape, generator, dtype)


def normal(mean: float, std: float, shape: Shape, generator: Generator, dtype: DTypeLike = np.float32) -> FloatArray:
    """Draw normal numbers, as `torch.normal(mean, std, size)`.

    Of 16 numbers or more, every 16 uniform ones become 16 normal ones; where the count is no multiple of 16, the last
    16 numbers are drawn anew. Fewer than 16 are drawn in pairs, and the second half of a last odd pair is kept in the
    generator for the next such call.

    Args:
        mean: added to every number.
        std: standard deviation, not negative.
        shape: of the result.
        generator: moved on as PyTorch moves its own.
        dtype: float32 or float64.

    Raises:
        ShapeError: a negative size.
        ConfigError: std is negative or nan, or another dtype.
    """
    mean, std = real("mean", mean), real("std", std)
    if not std >= 0:
        raise ConfigError(
            f"normal needs std >= 0; got std={std}. Give the standard deviation, not a variance or a logarithm."
        )
    size = _checked_shape(shape)
    count, kind = math.prod(size), _checked_float(dtype, "normal")
    if count < _BLOCK:
        values = _scaled(_few_normal(count, generator), mean, std)
        return values.astype(kind).reshape(size)
    to_normal = blocks_float32 if kind == np.float32 else blocks_float64
    whole = count - count % _BLOCK
    values = np.empty(count, kind)
    uniform = _uniform(count, generator, kind)  # all are drawn first, also the rest that is then not used
    values[:whole] = to_normal(uniform[:whole])
    if whole < count:
        values[-_BLOCK:] = to_normal(_uniform(_BLOCK, generator, kind))
    return _scaled(values, mean, std).reshape(size)


def randint(low: int, high: int, shape: Shape, generator: Generator, dtype: DTypeLike = np.int64) -> Array:
    """Draw integers from [low, high), as `torch.randint`: the remainder of a raw draw over `high - low`.

    Args:
        low: the least.
        high: one more than the greatest.
        shape: of the result.
        generator: moved on by one draw a number, of 64 bits where `high - low` is 2**28 or more, else of 32.
        dtype: any integer or floating type in which every integer of the range is exact.

    Raises:
        ShapeError: a negative size.
        ConfigError: low >= high, or the dtype cannot hold the range.
    """
    low, high = whole("low", low), whole("high", high)
    dtype = as_dtype(dtype)
    if low >= high:
        raise ConfigError(
            f"randint needs low < high; got low={shown(low)}, high={shown(high)}. `high` itself is never drawn."
        )
    least, greatest = _exact_integers(dtype)
    if low < least or high - 1 > greatest or high > np.iinfo(np.int64).max:
        raise ConfigError(
            f"randint cannot hold [{shown(low)}, {shown(high)}) in {dtype}. Choose a wider dtype or a smaller range."
        )
    size = _checked_shape(shape)
    count, span = math.prod(size), high - low
    draws = generator.random64(count) if span >= _WIDE_RANGE else generator.random32(count)
    values = (draws % np.uint64(span) + np.uint64(low % 2**64)).view(np.int64)  # two's complement: wraps to below 0
    return values.astype(dtype).reshape(size)


def randperm(n: int, generator: Generator) -> Indices:
    """Draw a permutation of 0 ... n - 1, as `torch.randperm`: Fisher & Yates's shuffle from the front.

    Args:
        n: how many, fewer than 2**32 / 20.
        generator: moved on by n - 1 draws.

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

    Several draws with replacement look up uniform numbers in the cumulated weights. One draw, or draws without
    replacement, take the largest of p / q with q exponentially distributed, drawn for every weight.

    Args:
        probs: weights, float32 or float64, not negative; a row need not sum to 1. They are compared in their own type,
            so float32 and float64 weights may give different indices.
        num_samples: draws a row.
        replacement: whether an index may come again.
        generator: moved on by `num_samples` 64-bit draws a row, or by one a weight.

    Shape: (C,) -> (num_samples,), (R, C) -> (R, num_samples)

    Raises:
        ShapeError: `probs` has neither 1 nor 2 axes.
        ConfigError: weights that are negative, not finite or all zero in a row, not of a floating type, or without
            replacement fewer that are not zero than draws; num_samples < 1.
    """
    probs, num_samples = np.asarray(probs), whole("num_samples", num_samples)
    _check_weights(probs, num_samples, replacement)
    if probs.size == 0:
        return np.empty((*probs.shape[:-1], num_samples), np.int64)
    if replacement and num_samples > 1:
        return _looked_up(probs, num_samples, generator)
    race = np.empty_like(probs)  # laid out as `probs`, and filled in the order of memory
    race.ravel(order="K")[:] = -c_library(math.log1p, -_uniform(probs.size, generator, np.dtype(np.float64)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        race = probs / race
    if num_samples == 1:
        return np.asarray(race.argmax(axis=-1, keepdims=True), np.int64)
    order: Indices = np.argsort(-race, axis=-1, kind="stable")
    return order[..., :num_samples]


def _looked_up(probs: FloatArray, num_samples: int, generator: Generator) -> Indices:
    """Draw with replacement: the first index whose cumulated share is not below a uniform number."""
    rows = np.atleast_2d(probs)
    with np.errstate(over="ignore"):
        shares = np.cumsum(rows, axis=-1, dtype=probs.dtype)
    total = shares[:, -1:].copy()
    if not np.isfinite(total).all():
        raise ConfigError(
            f"multinomial needs weights with a finite sum; they overflow {probs.dtype}. Scale the weights down."
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
        raise ConfigError(f"multinomial needs num_samples >= 1; got {num_samples}. Ask for at least one draw.")
    usable = (probs >= 0) & (probs < np.inf)  # nan is neither
    if not usable.all():
        raise ConfigError(
            f"multinomial needs weights that are finite and not negative; got {probs[~usable][0]}. "
            "Are these logits, to be put through softmax first?"
        )
    possible = np.count_nonzero(probs, axis=-1)
    if probs.shape[-1] == 0 or not np.all(possible):
        raise ConfigError(
            "multinomial needs a weight above 0 in every row; got a row without. Add 1 to the counts, say."
        )
    if not replacement and np.any(possible < num_samples):
        raise ConfigError(
            f"multinomial without replacement needs as many weights above 0 as draws; got {np.min(possible)} "
            f"for num_samples={num_samples}. Draw fewer, or with replacement=True."
        )


def _few_normal(count: int, generator: Generator) -> FloatArray:
    """Draw fewer than 16 normal numbers in float64, with the one kept in the generator first. Shape: (count,)."""
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
        return (generator.random32(count) & np.uint64(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)
    return (generator.random64(count) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53


def _scaled(normal: FloatArray, mean: float, std: float) -> FloatArray:
    """Return normal * std + mean, rounded once."""
    with np.errstate(over="ignore", invalid="ignore"):
        if (mean, std) == (0, 1):
            return normal + normal.dtype.type(0)  # -0 + 0 is 0
        if normal.dtype == np.float32:
            return fma32(normal, np.float32(std), np.float32(mean))
        return fma64(normal, float(std), float(mean))


def _exact_integers(kind: np.dtype[Any]) -> tuple[int, int]:
    """Return the ends of the range in which every integer is exact in this type."""
    if kind.kind == "b":
        return 0, 1
    if kind.kind in "iu":
        return int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    if kind.kind == "f":
        digits = int(np.finfo(kind).nmant) + 1
        return -(2**digits), 2**digits
    raise ConfigError(f"randint gives integers or floating numbers; got dtype={kind}. Leave the dtype out for int64.")


def _checked_shape(shape: Shape) -> tuple[int, ...]:
    size = shape_from((), shape)
    if math.prod(size) > LARGEST:
        raise ShapeError(f"random numbers must fit into memory; got shape {size}.")
    return size


def _checked_float(dtype: DTypeLike, name: str) -> np.dtype[Any]:
    kind = as_dtype(dtype)
    if kind not in {np.dtype(np.float32), np.dtype(np.float64)}:
        raise ConfigError(f"{name} draws float32 or float64; got dtype={kind}. Draw float32 and convert it.")
    return kind
