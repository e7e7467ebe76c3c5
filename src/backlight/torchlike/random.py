"""Random tensors. From the same seed they are PyTorch's own numbers; docs/torch_numbers.md says how far that goes.

Without `generator=` the numbers come from one generator that the whole program shares, as in PyTorch. It starts from a
seed of the operating system's, so unseeded code differs from run to run; `manual_seed` starts it anew.
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
    """Start the shared generator anew from `seed`, and return it."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the shared generator anew from a seed of the operating system's, and return that."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed that the shared generator started from."""
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
    device: str | None = None,
) -> Tensor:
    """Return uniform numbers from [0, 1). Raises ShapeError for a negative length."""
    array = distributions.rand(shape_from(lengths, size), _source(generator), dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def randn(
    *lengths: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor:
    """Return normal numbers of mean 0 and standard deviation 1. Raises ShapeError for a negative length."""
    array = distributions.randn(shape_from(lengths, size), _source(generator), dtype_or(dtype, np.float32))
    return new_tensor(array, requires_grad=requires_grad, device=device)


def rand_like(input: Tensor, *, generator: Generator | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """Return uniform numbers from [0, 1) in a tensor's shape and dtype."""
    like = as_array(input)
    return rand(size=like.shape, generator=generator, dtype=dtype_or(dtype, like.dtype))


def randn_like(input: Tensor, *, generator: Generator | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """Return normal numbers in a tensor's shape and dtype."""
    like = as_array(input)
    return randn(size=like.shape, generator=generator, dtype=dtype_or(dtype, like.dtype))


def normal(
    mean: float | Tensor,
    std: float | Tensor = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    device: str | None = None,
) -> Tensor:
    """Return normal numbers of the given mean and standard deviation.

    Args:
        mean: one for all, or a tensor with one for each number.
        std: likewise; where both are tensors, their shapes are broadcast.
        size: the shape, if neither is a tensor.
        generator: moved on as PyTorch moves its own.
        dtype: float32 by default.
        device: "cpu" or nothing.

    Raises:
        ConfigError: `std` below 0, or a `size` missing or beside a tensor.
    """
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise ConfigError("normal needs a size where mean and std are plain numbers; got none. Add size=(...).")
        shape = shape_from((), size)
        array = distributions.normal(mean, std, shape, _source(generator), dtype_or(dtype, np.float32))
        return new_tensor(array, device=device)
    if size is not None or np.any(as_array(std) < 0):
        raise ConfigError("normal with a tensor takes no size, and needs std >= 0. Leave out size, or check std.")
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
    device: str | None = None,
) -> Tensor:
    """Return whole numbers from low to high - 1, int64 by default: `randint([low,] high, size)`.

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


def randperm(n: int, *, generator: Generator | None = None, device: str | None = None) -> Tensor:
    """Return 0 ... n - 1 in random order, (n,) int64. Raises ConfigError for a negative n."""
    return new_tensor(distributions.randperm(n, _source(generator)), device=device)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Return indices drawn in proportion to weights: (C,) -> (num_samples,), or (R, C) -> (R, num_samples), int64.

    Raises:
        ShapeError: the weights have neither 1 nor 2 axes.
        ConfigError: weights that are not floats, negative, not finite or all 0, or more draws than can be.
    """
    return new_tensor(distributions.multinomial(as_array(input), num_samples, replacement, _source(generator)))
