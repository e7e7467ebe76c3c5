"""`torch.autograd`: gradients as values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.autograd import Tensor
from backlight.core import GraphError, OperandError
from backlight.torchlike.grad_mode import enable_grad, set_grad_enabled

__all__ = ["backward", "enable_grad", "grad", "set_grad_enabled"]


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None) -> None:
    """Add the derivatives of tensors to the gradients of the leaves. Args: see `grad`."""
    outputs, seeds = _several(tensors), _several(grad_tensors)
    for at, (output, seed) in enumerate(zip(outputs, seeds or [None] * len(outputs), strict=True)):
        output.backward(seed, retain_graph=bool(retain_graph) or at < len(outputs) - 1)


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """Return the derivatives of the outputs with respect to the inputs; no tensor's `grad` is changed.

    Args:
        outputs: a tensor, or several whose derivatives are added.
        inputs: a tensor of their graph, or several.
        grad_outputs: the output gradients; may be left out for outputs of one element.
        retain_graph: whether the graph can be used again.
        create_graph: must be False, since there are no second derivatives.
        allow_unused: whether to return None for an input that is not in the graph.

    Raises:
        GraphError: an input that is not in the graph or requires no gradient, or `create_graph`.
    """
    ends, wanted = _several(outputs), _several(inputs)
    if create_graph:
        raise GraphError("create_graph must be False: there are no second derivatives here. Use PyTorch for them.")
    if not ends or not all(isinstance(one, Tensor) for one in (*ends, *wanted)):
        raise OperandError("grad takes tensors: grad(loss, [w, b]).")
    graph = {id(node): node for end in ends for node in end.ancestry()}
    found = {id(one): (one._retains_grad, one._grad) for one in wanted}
    leaves = [node for node in graph.values() if not node._prev]
    before = [(leaf, leaf._grad, None if leaf._grad is None else np.array(leaf._grad)) for leaf in leaves]
    for leaf in leaves:
        leaf._grad = None
    for one in wanted:
        one._retains_grad, one._grad = True, None
    try:
        backward(ends, grad_outputs, retain_graph)
        made = [None if one._grad is None else np.array(one._grad) for one in wanted]
    finally:
        for one in wanted:
            one._retains_grad, one._grad = found[id(one)]
        for leaf, own, numbers in before:
            leaf._grad = own
            if own is not None and numbers is not None:
                own[...] = numbers
    if not allow_unused and any(one is None for one in made):
        raise GraphError(
            "an input of grad() is not in the graph of the outputs, or does not require a gradient. "
            "Pass allow_unused=True to get None for it."
        )
    return tuple(None if one is None else Tensor(one) for one in made)


def _several(given: Any) -> list[Any]:
    return [] if given is None else list(given) if isinstance(given, Sequence) else [given]
