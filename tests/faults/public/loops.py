"""The usual training loop, and ways to say how well a net does."""

from collections.abc import Callable
from typing import Any

import torch
from tests.faults.public.case import Run
from tests.faults.public.tasks import rows
from torch import Tensor, nn
from torch.nn import functional as F

Loss = Callable[[Any, Any], Tensor]


def adam(net: nn.Module, lr: float = 3e-3) -> torch.optim.Optimizer:
    """Return AdamW on all parameters that can be trained."""
    return torch.optim.AdamW([one for one in net.parameters() if one.requires_grad], lr=lr)


def descend(loss: Tensor, *optimisers: torch.optim.Optimizer) -> Tensor:
    """Take one step down, and return the loss."""
    for one in optimisers:
        one.zero_grad()
    loss.backward()
    for one in optimisers:
        one.step()
    return loss


def usual(
    net: nn.Module, x: Any, y: Any, loss: Loss = F.cross_entropy, *, optimiser: Any = None, size: int = 32,
    draw: Callable[[int], Tensor] | None = None, quality: Callable[[], Any] | None = None, **more: Any,
) -> Run:  # fmt: skip
    """Return the run that draws minibatches of x and y and takes a step on each.

    Args:
        net, x, y, loss: what is trained on what. `examine` gets the first `size` examples.
        optimiser: AdamW if left out.
        size: of a minibatch.
        draw: the rows of a step, given its number; drawn by chance if left out.
        quality: the share of right answers on x if left out.
        more: whatever else a `Run` has.
    """
    optimiser = optimiser or adam(net)

    def step(i: int) -> Tensor:
        r = draw(i) if draw else rows(len(x), size)
        return descend(loss(net(x[r]), y[r]), optimiser)

    whole = {
        "optimiser": optimiser, "batch": (x[:size], y[:size]), "loss": loss, "data": (x, y),
        "quality": quality or (lambda: right(net, x, y)),
    }  # fmt: skip
    return Run(net=net, step=step, **(whole | more))


def outputs(net: nn.Module, x: Any) -> Any:
    """Return what a net gives in evaluation mode, and leave its mode as it was."""
    training = net.training
    net.eval()
    with torch.no_grad():
        given = net(x)
    net.train(training)
    return given


def right(net: nn.Module, x: Any, y: Tensor, axis: int = -1) -> float:
    """Return the share of right answers."""
    return float((outputs(net, x).argmax(axis) == y).float().mean())


def explained(net: nn.Module, x: Any, y: Tensor) -> float:
    """Return the share of the variance of y that a regression explains; below 0 if it is worse than the mean."""
    return float(1 - (outputs(net, x).reshape(y.shape) - y).square().mean() / y.var())


def losses(net: nn.Module, loss: Loss, held: tuple[Any, Any], seen: tuple[Any, Any]) -> tuple[float, float]:
    """Return the loss on held-out and on training examples, in evaluation mode."""
    return float(loss(outputs(net, held[0]), held[1])), float(loss(outputs(net, seen[0]), seen[1]))
