"""A gradient beside what it claims to be: the slope that is measured when each number moves a little both ways.

    slope(h) = (f(x + h) - f(x - h)) / 2h

is wrong by a multiple of h² (what is left out), and by about ε |f| / h (rounding, ε being float64's 2e-16). The two are
equal, and small, near h = ε^(1/3). Where f bends sharply, as batch norm does if two rows are nearly the same, the first
is much larger; but with 2h it is four times as large, so that in (4 slope(h) - slope(2h)) / 3 it cancels, and h⁴ is the
first power left (Richardson 1911). What remains is rounding, some 1e-10 of the gradient's scale.

Derivation: docs/derivations/gradcheck.md.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from backlight.autograd.graph import no_grad
from backlight.autograd.tensor import Tensor
from backlight.core import (
    Array,
    Comparison,
    ConfigError,
    GradientError,
    GraphError,
    IntArray,
    OperandError,
    compare,
)
from backlight.core.arguments import check_number, check_rng, check_whole, shown

STEP = float(np.finfo(np.float64).eps ** (1 / 3))
"""How far a number near 1 moves: 6e-6."""

FAINT = 1e-3
"""Share of the gradient from above below which a gradient is measured against that: the rest is rounding."""


def central_difference(
    evaluate: Callable[[], Array], array: Array, dy: Array, *, places: IntArray | None = None
) -> Array:
    """Return the slope of Σ dy y by numbers of an array, where y is what `evaluate` makes of the array as it stands.

    The array is changed while this runs and is as before afterwards.

    Args:
        evaluate: takes nothing, reads the array, returns y; the same y for the same numbers.
        array: float64.
        dy: the gradient from above, in y's shape. Gaussian: with ones, what is wrong may cancel in the sum.
        places: which numbers, by their places in the flattened array; None for all of them.

    Returns:
        (places,) slopes, or in the array's shape if there are all of them.
    """
    picked = np.arange(array.size) if places is None else places
    slopes = np.empty(len(picked))
    for at, place in enumerate(picked):
        index = np.unravel_index(int(place), array.shape)
        here = float(array[index])
        # |f| grows with |x|, and how f bends need not: ε |x| / h and h² are equal at the cube root of both
        h = STEP * max(1.0, abs(here)) ** (1 / 3)
        try:
            near, far = (_slope(evaluate, array, index, here, step, dy) for step in (h, 2 * h))
        finally:
            array[index] = here
        slopes[at] = (4 * near - far) / 3
    return slopes.reshape(array.shape) if places is None else slopes


def _slope(
    evaluate: Callable[[], Array], array: Array, index: tuple[Any, ...], here: float, h: float, dy: Array
) -> float:
    """Return the slope between x - h and x + h, and leave the array at the former."""
    array[index] = up = here + h
    above = np.array(evaluate())  # a copy: it may be a view of the array
    array[index] = down = here - h
    return float(np.sum((above - evaluate()) * dy) / (up - down))  # the step as it was rounded


def some_places(array: Array, most: int | None, rng: np.random.Generator) -> IntArray:
    """Return the places of at most `most` numbers of an array, drawn without repeats, ascending; None for all."""
    if most is None or array.size <= most:
        return np.arange(array.size)
    return np.sort(rng.choice(array.size, most, replace=False))


def measured_against(comparisons: Sequence[Comparison], dy: Array) -> list[float]:
    """Return for each input's gradient how far it is off, as a share of the scale of the whole gradient.

    A function's gradient is one vector, however many inputs its numbers are spread over; its scale is its largest
    number. So a gradient that should be 0 and is 1e-17 is not called wrong.
    """
    above = float(np.abs(dy).max()) if dy.size else 0.0
    scale = max([FAINT * above, *(one.scale for one in comparisons)])
    return [0.0 if c.difference == 0 else c.difference / scale if c.relative < np.inf else np.inf for c in comparisons]


def gradcheck(
    function: Callable[..., Tensor], inputs: Tensor | Sequence[Tensor], *, bound: float = 1e-6, most: int | None = None,
    rng: np.random.Generator | None = None, raise_exception: bool = True,
) -> bool:  # fmt: skip
    """Compare the gradients of a function with central differences, as `torch.autograd.gradcheck` does.

    The gradient from above is Gaussian, as a gradient that is wrong can hide behind one of ones.

        x = Tensor(rng.standard_normal((3, 5)), requires_grad=True)     # float64
        gradcheck(lambda x: x.softmax(-1), x)
        gradcheck(lambda *_: layer(x), layer.parameters())              # what the function reads elsewhere will do

    Keep away from kinks: at 0, relu has no one slope.

    Args:
        function: tensors to a tensor. It must give the same result each time: no dropout.
        inputs: float64 tensors; those that require a gradient are checked, and are as before afterwards.
        bound: the largest difference allowed, as a share of the gradient's largest number.
        most: check only this many numbers of each input, drawn from `rng`; None for all of them.
        rng: where the gradient from above comes from; None for the same one each time.
        raise_exception: whether to raise where a gradient is wrong, or to return False.

    Returns:
        True if every gradient is within the bound.

    Raises:
        GradientError: a gradient is not. The message has where, and both numbers.
        ConfigError: an input that is not float64, or a function that draws random numbers.
        GraphError: no input requires a gradient, or one of them is itself computed.
    """
    if not callable(function):
        raise OperandError(f"gradcheck takes a function of tensors; got {shown(function)}.")
    listed = list(inputs) if isinstance(inputs, Iterable) and not isinstance(inputs, Tensor) else [inputs]
    tensors = [one for one in listed if isinstance(one, Tensor)]
    if len(tensors) < len(listed):
        raise OperandError(f"gradcheck takes float64 tensors with requires_grad=True; got {shown(inputs)}.")
    _refuse(tensors)
    check_number(0, bound=bound)
    if most is not None:
        check_whole(most=most)
    rng = np.random.default_rng(0) if rng is None else check_rng(rng, "gradcheck")

    def evaluate() -> Array:
        with no_grad():
            return _tensor_of(function, tensors).array

    checked = {place: tensor for place, tensor in enumerate(tensors) if tensor.requires_grad}
    dy, gradients = _backward(function, tensors, evaluate, rng)
    comparisons, places = [], []
    for place, tensor in checked.items():
        places.append(some_places(tensor.array, most, rng))
        slopes = central_difference(evaluate, tensor.array, dy, places=places[-1])
        comparisons.append(compare(f"input {place}", gradients[place].reshape(-1)[places[-1]], slopes))
    shares = measured_against(comparisons, dy)
    worst = int(np.argmax(shares))
    if shares[worst] <= bound:
        return True
    if raise_exception:
        found, tensor = comparisons[worst], list(checked.values())[worst]
        assert found.at is not None  # noqa: S101  (there is a difference, so there is a number)
        at = tuple(map(int, np.unravel_index(places[worst][found.at[0]], tensor.shape)))
        raise GradientError(
            f"a gradient must be within {bound:g} of central differences, relative to its scale; that of {found.name} "
            f"is off by {shares[worst]:.2g}, the most at {at}: {found.ours:.6g} instead of {found.reference:.6g}. "
            "Look at the backward of what it passed, or, near a kink, move the inputs away."
        )
    return False


def _tensor_of(function: Callable[..., Tensor], tensors: Sequence[Tensor]) -> Tensor:
    y = function(*tensors)
    if not isinstance(y, Tensor):
        raise OperandError(
            f"gradcheck needs a function that returns a tensor; this one returned {type(y).__name__} {shown(y)}, which "
            "has no gradient. Leave out item(), float() and numpy()."
        )
    return y


def _refuse(tensors: Sequence[Tensor]) -> None:
    for place, tensor in enumerate(tensors):
        if tensor.dtype.kind == "f" and tensor.dtype != np.float64:
            raise ConfigError(
                f"differences this small need float64; got input {place} of {tensor.dtype}. Use .to(np.float64)."
            )
        if tensor.requires_grad and not tensor.is_leaf:
            raise GraphError(f"inputs must be given, not computed; got input {place} with a history. Use .detach().")
    if not any(tensor.requires_grad for tensor in tensors):
        raise GraphError("gradcheck needs an input whose gradient is to be checked; got none with requires_grad=True.")


def _backward(
    function: Callable[..., Tensor], tensors: Sequence[Tensor], evaluate: Callable[[], Array], rng: np.random.Generator
) -> tuple[Array, list[Array]]:
    """Return a gradient from above and what comes of it at each input, whose own gradients stay as they are."""
    before = [None if tensor.grad is None else tensor.grad.array.copy() for tensor in tensors]
    try:
        for tensor in tensors:
            tensor.zero_grad()
        y = _tensor_of(function, tensors)
        if not np.array_equal(y.array, evaluate(), equal_nan=True):
            raise ConfigError(
                "the same inputs must give the same output; got another one each time. Is dropout on? Call .eval()."
            )
        dy = rng.standard_normal(y.shape)
        y.backward(dy)
        return dy, [np.zeros(t.shape) if t.grad is None else t.grad.array.copy() for t in tensors]
    finally:
        for tensor, gradient in zip(tensors, before, strict=True):
            tensor.grad = None if gradient is None else Tensor(gradient)
