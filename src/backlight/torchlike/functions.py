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


add = _function_of(Tensor.add)
sub = _function_of(Tensor.sub)
mul = _function_of(Tensor.mul)
div = _function_of(Tensor.div)
pow = _function_of(Tensor.pow)
neg = _function_of(Tensor.neg)
mm = _function_of(Tensor.mm)
bmm = _function_of(Tensor.bmm)
mv = _function_of(Tensor.mv)
dot = _function_of(Tensor.dot)
outer = _function_of(Tensor.outer)
remainder = _function_of(Tensor.remainder)
floor_divide = _function_of(Tensor.floor_divide)
square = _function_of(Tensor.square)
reciprocal = _function_of(Tensor.reciprocal)
rsqrt = _function_of(Tensor.rsqrt)
log2 = _function_of(Tensor.log2)
log1p = _function_of(Tensor.log1p)
erf = _function_of(Tensor.erf)
round = _function_of(Tensor.round)
floor = _function_of(Tensor.floor)
ceil = _function_of(Tensor.ceil)
trunc = _function_of(Tensor.trunc)
sign = _function_of(Tensor.sign)
clamp = _function_of(Tensor.clamp)
maximum = _function_of(Tensor.maximum)
minimum = _function_of(Tensor.minimum)
lerp = _function_of(Tensor.lerp)
eq = _function_of(Tensor.eq)
ne = _function_of(Tensor.ne)
lt = _function_of(Tensor.lt)
le = _function_of(Tensor.le)
gt = _function_of(Tensor.gt)
ge = _function_of(Tensor.ge)
isnan = _function_of(Tensor.isnan)
isinf = _function_of(Tensor.isinf)
isfinite = _function_of(Tensor.isfinite)
nan_to_num = _function_of(Tensor.nan_to_num)
logical_not = _function_of(Tensor.logical_not)
logical_and = _function_of(Tensor.logical_and)
logical_or = _function_of(Tensor.logical_or)
logsumexp = _function_of(Tensor.logsumexp)
norm = _function_of(Tensor.norm)
amax = _function_of(Tensor.amax)
amin = _function_of(Tensor.amin)
prod = _function_of(Tensor.prod)
count_nonzero = _function_of(Tensor.count_nonzero)
gather = _function_of(Tensor.gather)
take_along_dim = _function_of(Tensor.take_along_dim)
scatter = _function_of(Tensor.scatter)
scatter_add = _function_of(Tensor.scatter_add)
index_select = _function_of(Tensor.index_select)
take = _function_of(Tensor.take)
repeat_interleave = _function_of(Tensor.repeat_interleave)
masked_select = _function_of(Tensor.masked_select)
nonzero = _function_of(Tensor.nonzero)
argwhere = _function_of(Tensor.argwhere)
sort = _function_of(Tensor.sort)
argsort = _function_of(Tensor.argsort)
topk = _function_of(Tensor.topk)
median = _function_of(Tensor.median)
unique = _function_of(Tensor.unique)
bincount = _function_of(Tensor.bincount)
diagonal = _function_of(Tensor.diagonal)
diag = _function_of(Tensor.diag)
trace = _function_of(Tensor.trace)
chunk = _function_of(Tensor.chunk)
narrow = _function_of(Tensor.narrow)
select = _function_of(Tensor.select)
broadcast_to = _function_of(Tensor.broadcast_to)
ravel = _function_of(Tensor.ravel)
swapaxes = _function_of(Tensor.swapaxes)
movedim = _function_of(Tensor.movedim)
tile = _function_of(Tensor.tile)
flip = _function_of(Tensor.flip)
roll = _function_of(Tensor.roll)
t = _function_of(Tensor.t)
subtract = sub
multiply = mul
divide = div
true_divide = div
inner = dot
clip = clamp
greater = gt
less = lt
not_equal = ne
greater_equal = ge
less_equal = le
swapdims = swapaxes


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
