"""Where the numbers ended in a network whose loss is not finite any more: one more forward pass, looked at op by op."""

import numpy as np

from backlight.autograd.tensor import Tensor
from backlight.core import Array, Batch
from backlight.models.neural import NeuralModel


def where_it_broke(model: NeuralModel, batch: Batch) -> str:
    """Return in a few words what is not finite, and broke first.

    Either weights are not finite themselves: a gradient was not, and since gradients come from the loss, that of the
    weight nearest to it was the first. Or weights are finite, and what an op makes of them is not.

    Args:
        model: the network, as it is.
        batch: what its loss was not finite on; another one may show nothing.
    """
    named = list(model.named_parameters())
    broken = [name for name, parameter in named if not _finite(parameter.array)]
    if broken:
        more = f" and {len(broken) - 1} more before it are" if len(broken) > 1 else " is"
        return f"{broken[-1]}{more} not finite any more"
    largest, name = max((float(np.abs(parameter.array).max()), name) for name, parameter in named)
    weights = f"the largest weight is {largest:.2g}, in {name}"
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        node = _first_broken(model.loss(batch))
    if node is None:
        return weights
    layers = {id(parameter): name.rpartition(".")[0] for name, parameter in named}
    layer = next((layers[id(parent)] for parent in node._prev if id(parent) in layers), None)
    op = "an op" if node._op is None else node._op.name.replace("_", " ")
    return f"{op}{f' in {layer}' if layer else ''} gives numbers that are not finite; {weights}"


def _first_broken(loss: Tensor) -> Tensor | None:
    """Return the first result of an op, in the order in which they were computed, that is not finite."""
    return next((node for node in reversed(loss.ancestry()) if node._prev and not _finite(node.array)), None)


def _finite(array: Array) -> bool:
    return bool(np.isfinite(array).all())
