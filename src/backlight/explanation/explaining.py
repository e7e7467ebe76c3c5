"""The one way in: a node of either kind, explained."""

from collections.abc import Iterable, Mapping
from typing import Any, overload

from backlight.autograd import as_array
from backlight.autograd.tensor import Tensor
from backlight.autograd.value import Value
from backlight.core import GraphError, OperandError
from backlight.core.arguments import shown
from backlight.explanation.arrays import TensorExplanation, explain_tensor
from backlight.explanation.scalar import Explanation, explain_value

Names = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Nodes by name, as `named_parameters()` gives them."""


@overload
def explain(end: Value, *, names: Names = ()) -> Explanation: ...
@overload
def explain(end: Tensor, *, names: Names = (), gradient: Any = None) -> TensorExplanation: ...
def explain(end: Any, *, names: Names = (), gradient: Any = None) -> Explanation | TensorExplanation:
    """Return how every gradient behind a node comes about: print it for a table, show it in a notebook for a picture.

    The graph is walked as `backward()` walks it, and left as it is: no `grad` is read or written, and no `backward()`
    need have been called.

        a, b = Value(2.0, label="a"), Value(-3.0, label="b")
        print(explain((a * b + 10).tanh()))

    Args:
        end: what to differentiate: a Value, or a Tensor of one number.
        names: what to call nodes that have no label, as `model.named_parameters()` gives them.
        gradient: for a Tensor of several numbers, the gradient from above in its shape.

    Returns:
        An Explanation of a Value, with each local derivative as a number, in names and in words; a TensorExplanation of
        a Tensor, with each op's formula, shapes and norms.

    Raises:
        GraphError: neither a Value nor a Tensor, or a Tensor of several numbers without a gradient.
        ShapeError: a gradient of another shape.
    """
    try:
        called = {id(node): str(name) for name, node in (names.items() if isinstance(names, Mapping) else names)}
    except (TypeError, ValueError):
        raise OperandError(
            f"names are pairs of a name and a node, as model.named_parameters() gives; got {shown(names)}."
        ) from None
    if isinstance(end, Value):
        return explain_value(end, called)
    if isinstance(end, Tensor):
        return explain_tensor(end, called, None if gradient is None else as_array(gradient, end.dtype))
    raise GraphError(f"explain needs a Value or a Tensor; got {type(end).__name__}. Wrap a number: Value(2.0).")
