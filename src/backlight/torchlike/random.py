"""Random tensors. With the same seed they equal PyTorch's; docs/torch_numbers.md lists the exceptions.

Without `generator=`, the numbers come from a global generator, as in PyTorch. It starts with a random seed, so that
runs differ; `manual_seed` sets its seed.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import Tensor, as_array
from backlight.core import ConfigError, OperandError
from backlight.core.arguments import shown
from backlight.torchlike import distributions
from backlight.torchlike._new import dtype_or, new_tensor, shape_from
from backlight.torchlike.generator import Generator

default_generator: Final = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Set the seed of the global generator, and return the generator."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Set a random seed for the global generator, and return the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed of the global generator."""
    return default_generator.initial_seed()


def _source(generator: Generator | None) -> Generator:
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise OperandError(f"generator must be a torch.Generator; got {shown(generator)}.")
    return generator


def rand(
    *lengths: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return uniform random numbers from [0, 1).

    Args:
        lengths: the shape, as integers or as one tuple.
        size: the shape, by keyword.
        generator: draws the numbers; the global one by default.
        dtype: float32 (the default) or float64.
        requires_grad: whether the tensor requires a gradient.
        device: "cpu" or None.

    Raises:
        ShapeError: a negative length.
        ConfigError: another dtype or device.
    """
    array = distributions.rand(shape_from(lengths, size), _source(generator), dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def randn(
    *lengths: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Tensor:
    """Return normal random numbers of this shape with mean 0 and standard deviation 1. Args: and Raises: see `rand`."""
    array = distributions.randn(shape_from(lengths, size), _source(generator), dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def rand_like(input: Tensor, *, generator: Generator | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """Return uniform random numbers from [0, 1) in the shape and dtype of a tensor. Args: see `rand`."""
    like = as_array(input)
    return rand(size=like.shape, generator=generator, dtype=dtype_or(dtype, like.dtype))


def randn_like(input: Tensor, *, generator: Generator | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """Return normal random numbers in the shape and dtype of a tensor. Args: see `rand`."""
    like = as_array(input)
    return randn(size=like.shape, generator=generator, dtype=dtype_or(dtype, like.dtype))


def normal(
    mean: float | Tensor,
    std: float | Tensor = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: Any = None,
) -> Tensor:
    """Return normal random numbers with the given mean and standard deviation.

    Args:
        mean: a number, or a tensor with the mean of each element.
        std: a number or a tensor, likewise; two tensors are broadcast.
        size: the shape, if neither is a tensor.
        generator: draws the numbers; the global one by default.
        dtype: float32 by default.
        device: "cpu" or None.

    Raises:
        ConfigError: `std` below 0, a missing `size`, or a `size` in addition to a tensor.
    """
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise ConfigError("normal needs a size if mean and std are numbers; got none. Add size=(...).")
        shape = shape_from((), size)
        array = distributions.normal(mean, std, shape, _source(generator), dtype_or(dtype, np.float32))
        return new_tensor(array, device=device)
    if size is not None or np.any(as_array(std) < 0):
        raise ConfigError("normal with a tensor needs std >= 0 and takes no size. Leave out size, or check std.")
    shape = np.broadcast_shapes(as_array(mean).shape, as_array(std).shape)
    kind = mean.dtype if isinstance(mean, Tensor) else as_array(std).dtype
    array = distributions.randn(shape, _source(generator), kind) * as_array(std, kind) + as_array(mean, kind)
    return new_tensor(array, device=device)


def randint(
    low: int = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: Any = None,
) -> Tensor:
    """Return random integers from low to high - 1: `randint([low,] high, size)`.

    Args:
        low: the smallest integer, 0 if only `high` is given.
        high: the largest integer + 1.
        size: the shape.
        generator: draws the numbers; the global one by default.
        dtype: int64 by default.
        device: "cpu" or None.

    Raises:
        ConfigError: `low` is not below `high`.
        ShapeError: a negative length.
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None:
        raise ConfigError(f"randint needs a size; got randint({high}). Add one: randint({high}, (32,)).")
    array = distributions.randint(low, high, shape_from((), size), _source(generator), dtype_or(dtype, np.int64))
    return new_tensor(array, device=device)


def randperm(n: int, *, generator: Generator | None = None, device: Any = None) -> Tensor:
    """Return 0 ... n - 1 in random order, (n,) int64.

    Args:
        n: how many numbers.
        generator: draws them; the global one by default.
        device: "cpu" or None.

    Raises:
        ConfigError: n is negative or too large.
    """
    return new_tensor(distributions.randperm(n, _source(generator)), device=device)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Return indices drawn in proportion to weights: (C,) -> (num_samples,), or (R, C) -> (R, num_samples), int64.

    Args:
        input: weights, (C,) or (R, C); a row need not sum to 1.
        num_samples: the number of draws per row.
        replacement: whether an index can be drawn several times.
        generator: draws the indices; the global one by default.

    Raises:
        ShapeError: the weights have neither 1 nor 2 axes.
        ConfigError: weights that are not floats, negative, not finite or all 0, or too few of them for the draws.
    """
    return new_tensor(distributions.multinomial(as_array(input), num_samples, replacement, _source(generator)))
