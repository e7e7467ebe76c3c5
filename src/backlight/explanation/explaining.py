"""`explain`, for a Value or a Tensor."""

from collections.abc import Iterable, Mapping
from typing import Any, overload

from backlight.autograd import as_array
from backlight.autograd.number import Value
from backlight.autograd.tensor import Tensor
from backlight.core import GraphError, OperandError
from backlight.core.arguments import shown
from backlight.explanation.arrays import TensorExplanation, explain_tensor
from backlight.explanation.scalar import Explanation, explain_value

Names = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Nodes by name, as from `named_parameters()`."""


@overload
def explain(end: Value, *, names: Names = ()) -> Explanation: ...
@overload
def explain(end: Tensor, *, names: Names = (), gradient: Any = None) -> TensorExplanation: ...
def explain(end: Any, *, names: Names = (), gradient: Any = None) -> Explanation | TensorExplanation:
    """Return how each gradient in a graph is computed: a table when printed, a picture in a notebook.

    The graph is traversed as by `backward()` and not changed: no `grad` is read or written.

        a, b = Value(2.0, label="a"), Value(-3.0, label="b")
        print(explain((a * b + 10).tanh()))

    Args:
        end: the node to differentiate: a Value, or a Tensor with a single element.
        names: names of nodes without a label, such as `model.named_parameters()`.
        gradient: for a Tensor with several elements, the output gradient in its shape.

    Returns:
        An Explanation of a Value, with each local derivative as a number, in names and in words; a TensorExplanation of
        a Tensor, with the formula, shapes and norms of each op.

    Raises:
        GraphError: neither a Value nor a Tensor, or a Tensor with several elements and no gradient.
        ShapeError: a gradient of another shape.
        OperandError: names that are not pairs of a name and a node.
    """
    try:
        called = {id(node): str(name) for name, node in (names.items() if isinstance(names, Mapping) else names)}
    except (TypeError, ValueError):
        raise OperandError(
            f"names must be pairs of a name and a node, such as model.named_parameters(); got {shown(names)}."
        ) from None
    if isinstance(end, Value):
        return explain_value(end, called)
    if isinstance(end, Tensor):
        return explain_tensor(end, called, None if gradient is None else as_array(gradient, end.dtype))
    raise GraphError(f"explain needs a Value or a Tensor; got {type(end).__name__}. Wrap a number: Value(2.0).")
