"""The HTML of a node in a notebook: without scripts, and with all text escaped."""

import html
from typing import Any

import numpy as np

from backlight.autograd.number import Value
from backlight.autograd.tensor import Tensor
from backlight.explanation.arrays import norm, picture_of, steps_of
from backlight.explanation.numbers import shape, short
from backlight.explanation.scalar import with_own_gradients
from backlight.explanation.svg import to_svg

_DRAWN = 40
"""The largest graph that is drawn, in nodes."""

_OWN = "arrow: local derivative;  grad: the present grad, from backward()"

_MEASURED = 5_000_000
"""The largest graph for which norms are computed, in elements of all tensors."""


def node_html(node: Any) -> str:
    """Return a Value or a Tensor of any shape as HTML: its numbers and, if it is small enough, its graph."""
    head = _value_html(node) if isinstance(node, Value) else _tensor_html(node)
    nodes = _few(node, _DRAWN)
    if nodes is None:
        return f"<div>{head}{_aside(f'computed from more than {_DRAWN} nodes; explain() lists them')}</div>"
    if len(nodes) == 1:
        return f"<div>{head}</div>"
    if isinstance(node, Value):
        return f"<div>{head}{to_svg(with_own_gradients(nodes).picture(caption=_OWN))}</div>"
    if sum(tensor.array.size for tensor in nodes) > _MEASURED:
        return f"<div>{head}{_aside('computed from large tensors; explain() lists them')}</div>"
    return f"<div>{head}{to_svg(picture_of(steps_of(nodes)))}</div>"


def _few(end: Any, most: int) -> list[Any] | None:
    """Return a node and all nodes that it was computed from, youngest first; None if there are more than `most`."""
    visited = {id(end): end}
    pending = [end]
    while pending:
        for parent in pending.pop()._prev:
            if id(parent) not in visited:
                if len(visited) == most:
                    return None
                visited[id(parent)] = parent
                pending.append(parent)
    return sorted(visited.values(), key=lambda node: node._serial, reverse=True)


def _value_html(value: Value) -> str:
    name = f"<b>{html.escape(str(value.label))}</b> = " if value.label else ""
    return f"<code>{name}Value(data={_number(value.data)}, grad={_number(value.grad)})</code>"


def _tensor_html(tensor: Tensor) -> str:
    name = f"<b>{html.escape(str(tensor.label))}</b> = " if tensor.label else ""
    facts = [f"shape {shape(tensor.shape)}", str(tensor.array.dtype)]
    if tensor.requires_grad:
        facts.append("requires_grad")
    if tensor.grad is not None:
        facts.append(f"|grad| {short(norm(tensor.grad.array))}")
    preview = np.array2string(tensor.array, threshold=60, edgeitems=3, precision=4, max_line_width=100)
    return (
        f"<code>{name}{type(tensor).__name__}</code>{_aside(html.escape(', '.join(facts)))}"
        f'<pre style="margin:.3em 0">{html.escape(preview)}</pre>'
    )


def _number(number: Any) -> str:
    return html.escape(str(number))


def _aside(text: str) -> str:
    return f'<div style="opacity:.7">{text}</div>'
