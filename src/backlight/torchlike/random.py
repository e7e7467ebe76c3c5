"""Random tensors. With the same seed they equal PyTorch's; docs/torch_numbers.md lists the exceptions.

Without `generator=`, the numbers come from a global generator, as in PyTorch. It starts with a random seed, so that
runs differ; `manual_seed` sets its seed.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike

from backlight.autograd import Tensor, as_array, in_place
from backlight.autograd.tensor_base import Operand
from backlight.core import ConfigError, OperandError
from backlight.core.arguments import shown
from backlight.torchlike import distributions, draws
from backlight.torchlike._new import dtype_or, new_tensor, real, shape_from
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


def bernoulli(input: Operand, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """Return 1 with the probability of each element, else 0, in the input's shape and dtype.

    Args:
        input: (...) probabilities; with `p`, only their shape and dtype count.
        p: one probability for all.
        generator: draws the numbers; the global one by default.

    Raises:
        ConfigError: a probability outside 0 to 1, or an input of integers.
    """
    array, source = as_array(input), _source(generator)
    given = array if p is None else np.asarray(real("p", p))
    if array.dtype.kind != "f" or (given.size and not (given.min() >= 0 and given.max() <= 1)):
        raise ConfigError("bernoulli needs floating-point probabilities from 0 to 1; got others. Apply sigmoid first?")
    drawn = draws.bernoulli_each(array, source) if p is None else draws.bernoulli(array, float(given), source)
    return new_tensor(drawn.astype(array.dtype))


def get_rng_state() -> dict[str, Any]:
    """Return the state of the global generator, for `set_rng_state`: plain numbers and lists."""
    return default_generator.get_state()


def set_rng_state(new_state: dict[str, Any]) -> None:
    """Set the state of the global generator to one that `get_rng_state` returned."""
    default_generator.set_state(new_state)


# -- methods of tensors that draw --------------------------------------------------------------------------------------


def _filled(tensor: Tensor, draw: Any) -> Tensor:
    in_place.check_writable(tensor)
    in_place.write(tensor, draw(tensor.array), ..., None)
    return tensor


def _normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill the tensor with normal random numbers, in place."""
    return _filled(self, lambda array: draws.normal(array, mean, std, _source(generator)))


def _uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill the tensor with uniform random numbers from [a, b), in place."""
    return _filled(self, lambda array: draws.uniform(array, a, b, _source(generator)))


def _bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill the tensor with 1 with probability p, else 0, in place."""
    if isinstance(p, Tensor):
        return _filled(self, lambda array: draws.bernoulli_each(p.array, _source(generator)).astype(array.dtype))
    return _filled(self, lambda array: draws.bernoulli(array, real("p", p), _source(generator)).astype(array.dtype))


def _random_(self: Tensor, low: int = 0, high: int | None = None, *, generator: Generator | None = None) -> Tensor:
    """Fill the tensor with random integers from low to high - 1, in place: `random_(high)` or `random_(low, high)`."""
    if high is None:
        if low == 0:
            raise ConfigError("random_ needs a bound: random_(high) or random_(low, high).")
        low, high = 0, low
    shape = self.array.shape
    return _filled(self, lambda array: distributions.randint(low, high, shape, _source(generator), array.dtype))


def _multinomial(
    self: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Return indices drawn in proportion to weights. Args: see `torch.multinomial`."""
    return multinomial(self, num_samples, replacement, generator=generator)


def _bernoulli(self: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """Return 1 with the probability of each element, else 0. Args: see `torch.bernoulli`."""
    return bernoulli(self, p, generator=generator)


for _method in (_normal_, _uniform_, _bernoulli_, _random_, _multinomial, _bernoulli):
    _method.__name__ = _method.__name__.removeprefix("_")  # they need a generator, which tensors by themselves have not
    setattr(Tensor, _method.__name__, _method)
