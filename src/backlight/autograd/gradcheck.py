"""Gradient checking: compare gradients with central differences.

    slope(h) = (f(x + h) - f(x - h)) / 2h

has a truncation error proportional to h², and a rounding error of about ε |f| / h, where ε = 2e-16 for float64. The two
are equal, and small, near h = ε^(1/3). Where the curvature of f changes quickly, as in a batch norm of two nearly equal
rows, the truncation error is much larger. With step 2h it is four times as large, so it cancels in
(4 slope(h) - slope(2h)) / 3, which leaves an error of order h⁴ (Richardson 1911) and a rounding error of about 1e-10,
relative to the scale of the gradient.

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
"""The step h for an element near 1: 6e-6."""

FAINT = 1e-3
"""The smallest scale of a gradient, relative to the output gradient: anything below is rounding error."""


def central_difference(
    evaluate: Callable[[], Array], array: Array, dy: Array, *, places: IntArray | None = None
) -> Array:
    """Return the derivatives of Σ dy y with respect to elements of an array, where y is the result of `evaluate()`.

    The elements are changed one at a time and restored.

    Args:
        evaluate: returns y, (...), computed from the array's present elements; deterministic.
        array: (...) float64.
        dy: the output gradient, in y's shape. Use Gaussian numbers: with ones, errors may cancel in the sum.
        places: (N,) indices into the flattened array; None for all elements.

    Returns:
        (N,) derivatives, or all of them in the array's shape.
    """
    picked = np.arange(array.size) if places is None else places
    slopes = np.empty(len(picked))
    for at, flat_index in enumerate(picked):
        index = np.unravel_index(int(flat_index), array.shape)
        here = float(array[index])
        # |f| grows with |x|, but its curvature need not: ε |x| / h equals h² at h = (ε |x|)^(1/3)
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
    """Return the slope between x - h and x + h. The element is left at x - h."""
    array[index] = up = here + h
    above = np.array(evaluate())  # a copy, since y may be a view of the array
    array[index] = down = here - h
    return float(np.sum((above - evaluate()) * dy) / (up - down))  # the step after rounding


def some_places(array: Array, most: int | None, rng: np.random.Generator) -> IntArray:
    """Return indices of elements to check, ascending.

    Args:
        array: (...), of which only the size matters.
        most: how many indices to draw at most, without repeats; None for all.
        rng: the generator that draws them.

    Returns:
        (N,) indices into the flattened array.
    """
    if most is None or array.size <= most:
        return np.arange(array.size)
    return np.sort(rng.choice(array.size, most, replace=False))


def measured_against(comparisons: Sequence[Comparison], dy: Array) -> list[float]:
    """Return the relative error of each input's gradient: its largest difference over the scale of the whole gradient.

    The gradients of all inputs together are one vector, and its scale is its largest element. A gradient that should
    be 0 and is 1e-17 therefore has a small error.

    Args:
        comparisons: of each input's gradient with central differences.
        dy: (...) the output gradient.
    """
    above = float(np.abs(dy).max()) if dy.size else 0.0
    scale = max([FAINT * above, *(comparison.scale for comparison in comparisons)])
    return [0.0 if c.difference == 0 else c.difference / scale if c.relative < np.inf else np.inf for c in comparisons]


def gradcheck(
    function: Callable[..., Tensor], inputs: Tensor | Sequence[Tensor], *, bound: float = 1e-6, most: int | None = None,
    rng: np.random.Generator | None = None, raise_exception: bool = True,
) -> bool:  # fmt: skip
    """Compare the gradients of a function with central differences, as `torch.autograd.gradcheck` does.

    The output gradient is Gaussian: with ones, errors may cancel.

        x = Tensor(rng.standard_normal((3, 5)), requires_grad=True)     # float64
        gradcheck(lambda x: x.softmax(-1), x)
        gradcheck(lambda *_: layer(x), layer.parameters())              # the function may read them from the layer

    Choose inputs away from kinks such as that of relu at 0, where there is no derivative.

    Args:
        function: takes the inputs and returns a tensor of any shape. It must be deterministic: no dropout.
        inputs: float64 tensors of any shape. Those that require a gradient are checked and restored afterwards.
        bound: the largest allowed difference, relative to the largest element of the gradient.
        most: check at most this many elements of each input, drawn by `rng`; None for all.
        rng: draws the output gradient; None for a fixed seed.
        raise_exception: whether to raise an error for a wrong gradient, or return False.

    Returns:
        True if every gradient is within the bound.

    Raises:
        GradientError: a gradient is outside the bound. The message has the index and both values.
        ConfigError: an input that is not float64, or a function that draws random numbers.
        GraphError: no input requires a gradient, or an input is not a leaf.
        OperandError: something other than a function of tensors, or inputs that are not tensors.
    """
    if not callable(function):
        raise OperandError(f"gradcheck takes a function of tensors; got {shown(function)}.")
    listed = list(inputs) if isinstance(inputs, Iterable) and not isinstance(inputs, Tensor) else [inputs]
    tensors = [tensor for tensor in listed if isinstance(tensor, Tensor)]
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

    checked = {number: tensor for number, tensor in enumerate(tensors) if tensor.requires_grad}
    dy, gradients = _backward(function, tensors, evaluate, rng)
    comparisons, places = [], []
    for number, tensor in checked.items():
        places.append(some_places(tensor.array, most, rng))
        slopes = central_difference(evaluate, tensor.array, dy, places=places[-1])
        comparisons.append(compare(f"input {number}", gradients[number].reshape(-1)[places[-1]], slopes))
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
            f"is off by {shares[worst]:.2g}, most of all at {at}: {found.ours:.6g} instead of {found.reference:.6g}. "
            "Check the backward methods of the ops involved, or choose inputs away from kinks."
        )
    return False


def _tensor_of(function: Callable[..., Tensor], tensors: Sequence[Tensor]) -> Tensor:
    y = function(*tensors)
    if not isinstance(y, Tensor):
        raise OperandError(
            f"gradcheck needs a function that returns a tensor; got {type(y).__name__} {shown(y)}, which has no "
            "gradient. Leave out item(), float() and numpy()."
        )
    return y


def _refuse(tensors: Sequence[Tensor]) -> None:
    for number, tensor in enumerate(tensors):
        if tensor.dtype.kind == "f" and tensor.dtype != np.float64:
            raise ConfigError(
                f"gradcheck needs float64 inputs; got input {number} of {tensor.array.dtype}. Use .to(np.float64)."
            )
        if tensor.requires_grad and not tensor.is_leaf:
            raise GraphError(f"the inputs must be leaves; input {number} was computed from others. Use .detach().")
    if not any(tensor.requires_grad for tensor in tensors):
        raise GraphError("gradcheck needs at least one input with requires_grad=True; got none.")


def _backward(
    function: Callable[..., Tensor], tensors: Sequence[Tensor], evaluate: Callable[[], Array], rng: np.random.Generator
) -> tuple[Array, list[Array]]:
    """Return a random output gradient and the resulting gradient of each input; their `grad` is restored."""
    before = [None if tensor.grad is None else tensor.grad.array.copy() for tensor in tensors]
    try:
        for tensor in tensors:
            tensor.zero_grad()
        y = _tensor_of(function, tensors)
        if not np.array_equal(y.array, evaluate(), equal_nan=True):
            raise ConfigError(
                "the same inputs must give the same output; got two different outputs. Is dropout on? Call .eval()."
            )
        dy = rng.standard_normal(y.shape)
        y.backward(dy)
        return dy, [np.zeros(t.shape) if t.grad is None else t.grad.array.copy() for t in tensors]
    finally:
        for tensor, gradient in zip(tensors, before, strict=True):
            tensor.grad = None if gradient is None else Tensor(gradient)
