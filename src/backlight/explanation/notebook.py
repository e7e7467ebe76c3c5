"""What a notebook shows of a node: HTML without scripts, everything in it escaped."""

import html
from typing import Any

import numpy as np

from backlight.autograd.tensor import Tensor
from backlight.autograd.value import Value
from backlight.explanation.arrays import norm, picture_of, steps_of
from backlight.explanation.numbers import shape, short
from backlight.explanation.scalar import with_own_gradients
from backlight.explanation.svg import to_svg

_DRAWN = 40
"""Nodes of the largest graph that is drawn when a node is shown."""

_OWN = "arrow: local derivative;  grad: what backward() has left here so far"

_MEASURED = 5_000_000
"""Numbers, over all tensors of a graph, up to which their norms are computed for showing it."""


def node_html(node: Any) -> str:
    """Return a Value or a Tensor as HTML: its numbers and, where it is small enough to be read, its graph."""
    head = _value_html(node) if isinstance(node, Value) else _tensor_html(node)
    nodes = _few(node, _DRAWN)
    if nodes is None:
        return f"<div>{head}{_aside(f'made of more than {_DRAWN} nodes: explain() lists them')}</div>"
    if len(nodes) == 1:
        return f"<div>{head}</div>"
    if isinstance(node, Value):
        return f"<div>{head}{to_svg(with_own_gradients(nodes).picture(caption=_OWN))}</div>"
    if sum(one.array.size for one in nodes) > _MEASURED:
        return f"<div>{head}{_aside('made of many numbers: explain() lists their tensors')}</div>"
    return f"<div>{head}{to_svg(picture_of(steps_of(nodes)))}</div>"


def _few(end: Any, most: int) -> list[Any] | None:
    """Return a node and all that it was made of, youngest first; None if there are more than `most`."""
    seen = {id(end): end}
    unread = [end]
    while unread:
        for parent in unread.pop()._prev:
            if id(parent) not in seen:
                if len(seen) == most:
                    return None
                seen[id(parent)] = parent
                unread.append(parent)
    return sorted(seen.values(), key=lambda node: node._serial, reverse=True)


def _value_html(value: Value) -> str:
    name = f"<b>{html.escape(str(value.label))}</b> = " if value.label else ""
    return f"<code>{name}Value(data={_number(value.data)}, grad={_number(value.grad)})</code>"


def _tensor_html(tensor: Tensor) -> str:
    name = f"<b>{html.escape(str(tensor.label))}</b> = " if tensor.label else ""
    facts = [f"shape {shape(tensor.shape)}", str(tensor.dtype)]
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
