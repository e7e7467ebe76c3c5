"""The methods of tensors as functions, comparisons, and histograms."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import numpy as np

from backlight.autograd import Tensor, as_array, as_tensor
from backlight.autograd.op import BROADCAST
from backlight.autograd.tensor_base import Operand
from backlight.core import ConfigError, ShapeError
from backlight.torchlike._new import new_tensor

P = ParamSpec("P")
R = TypeVar("R")


def _function_of(method: Callable[Concatenate[Tensor, P], R]) -> Callable[Concatenate[Operand, P], R]:
    """Return a function so that `function(input, ...)` is `input.method(...)`, with its documentation."""

    @wraps(method)
    def function(input: Operand, *arguments: P.args, **settings: P.kwargs) -> R:
        return method(as_tensor(input), *arguments, **settings)

    function.__module__ = __name__
    function.__qualname__ = function.__name__
    return function  # type: ignore[return-value]  # `input` can also be passed by keyword


exp = _function_of(Tensor.exp)
log = _function_of(Tensor.log)
log10 = _function_of(Tensor.log10)
tanh = _function_of(Tensor.tanh)
relu = _function_of(Tensor.relu)
sigmoid = _function_of(Tensor.sigmoid)
sqrt = _function_of(Tensor.sqrt)
abs = _function_of(Tensor.abs)
sin = _function_of(Tensor.sin)
cos = _function_of(Tensor.cos)
softmax = _function_of(Tensor.softmax)
log_softmax = _function_of(Tensor.log_softmax)

sum = _function_of(Tensor.sum)
mean = _function_of(Tensor.mean)
var = _function_of(Tensor.var)
std = _function_of(Tensor.std)
max = _function_of(Tensor.max)
min = _function_of(Tensor.min)
argmax = _function_of(Tensor.argmax)
argmin = _function_of(Tensor.argmin)
all = _function_of(Tensor.all)
any = _function_of(Tensor.any)
cumsum = _function_of(Tensor.cumsum)

tril = _function_of(Tensor.tril)
triu = _function_of(Tensor.triu)
masked_fill = _function_of(Tensor.masked_fill)
reshape = _function_of(Tensor.reshape)
flatten = _function_of(Tensor.flatten)
transpose = _function_of(Tensor.transpose)
permute = _function_of(Tensor.permute)
squeeze = _function_of(Tensor.squeeze)
unsqueeze = _function_of(Tensor.unsqueeze)
unbind = _function_of(Tensor.unbind)
split = _function_of(Tensor.split)
clone = _function_of(Tensor.clone)
numel = _function_of(Tensor.numel)


def matmul(input: Operand, other: Operand) -> Tensor:
    """Return the matrix product `input @ other`, (..., N, I) @ (..., I, O) -> (..., N, O), with broadcasting."""
    return as_tensor(input) @ as_tensor(other)


def isclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Return whether |input - other| <= atol + rtol |other|, elementwise.

    Args:
        input: (...) numbers.
        other: (...) numbers; both are broadcast.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        equal_nan: whether two nan are equal.

    Raises:
        ShapeError: shapes that cannot be broadcast.
    """
    a, b = as_array(input), as_array(other)
    try:
        return new_tensor(np.asarray(np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)))
    except ValueError:
        raise ShapeError(f"a comparison needs compatible shapes: {BROADCAST}; got {a.shape} and {b.shape}.") from None


def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Return whether |input - other| <= atol + rtol |other| for all elements. Args: and Raises: see `isclose`."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


def equal(input: Any, other: Any) -> bool:
    """Return whether both have the same shape and the same elements."""
    return np.array_equal(as_array(input), as_array(other))


class Histogram(NamedTuple):
    """The number of elements in each bin, hist (bins,), and the edges of the bins, bin_edges (bins + 1,)."""

    hist: Tensor
    bin_edges: Tensor


def histogram(
    input: Tensor,
    bins: int | Tensor | Sequence[float] = 100,
    *,
    range: tuple[float, float] | None = None,
    density: bool = False,
) -> Histogram:
    """Return the number of elements in each bin, in the input's dtype.

    Args:
        input: (...) floating-point numbers.
        bins: the number of bins of equal width, or their edges in ascending order.
        range: the outermost edges; by default the smallest and the largest element.
        density: whether to normalise the histogram so that its integral is 1.

    Raises:
        ConfigError: an input that is not floating-point, or not finite without a range; or bins that are not in order.
    """
    numbers = as_array(input)
    if numbers.dtype.kind != "f":
        raise ConfigError(f"histogram needs floating-point numbers; got {numbers.dtype}. Call .float() first.")
    if range is None and isinstance(bins, int) and not np.isfinite(numbers).all():
        raise ConfigError("histogram needs finite numbers; got nan or infinity. Pass range=(low, high).")
    edges = bins if isinstance(bins, int) else as_array(bins)
    try:
        hist, bin_edges = np.histogram(numbers, edges, range, density=density)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"bins must be a number, or edges in ascending order: {error}.") from error
    return Histogram(new_tensor(hist.astype(numbers.dtype)), new_tensor(bin_edges.astype(numbers.dtype)))
