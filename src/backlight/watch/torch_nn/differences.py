"""How the loss of a copy changes when a weight is moved, beside what its gradient says."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch

from backlight.watch.replica import Replica, Slope
from backlight.watch.torch_nn.plain import mapped

_STEP: Final = {torch.float64: 1e-6, torch.float32: 1e-2}
"""How far a weight is moved, relative to its length."""
_WIDER: Final = 3.0
"""The second distance, in the first: where the loss is smooth, both tell the same slope."""
_ROUNDINGS: Final = 16.0
"""Rounding errors of the loss, in its spacing, that add up over a pass."""
_SAME: Final = 1e-5


def slopes(replica: Replica, inputs: Any, targets: Any, most: int) -> list[Slope] | str:
    """Return the slopes; see `Replica.slopes`. In float64, if the network and the loss can be computed in it."""
    optimiser = replica.optimiser
    if optimiser is not None and replica.step is not None:
        if isinstance(optimiser, torch.optim.LBFGS):
            return "an LBFGS takes the loss several times in a step"
        optimiser.step = lambda *_, **__: None  # the user's step is to leave the weights where they are
    kept = {name: one.clone() for name, one in _state(replica).items()}
    for dtype in (torch.float64, torch.float32):
        learning = [(n, p) for n, p in replica.model.named_parameters() if p.requires_grad and p.numel()]
        if any(p.dtype not in _STEP for _, p in learning):
            return "a loss in half precision changes by steps: its slope cannot be measured"
        try:
            if dtype is torch.float64:
                replica.model.double()
            run = _Loss(replica, inputs, targets, dtype)
            some = learning[:: math.ceil(len(learning) / most)] if learning else []
            return list(_slopes(run, some, dtype, _stepped(optimiser)))
        except _NoSlopeError as reason:
            return str(reason)
        except Exception:
            if dtype is torch.float32:
                raise
            replica.model.float()  # a constant of 32 bits in the network or the loss
            with torch.no_grad():
                for name, one in _state(replica).items():
                    one.copy_(kept[name])
    raise AssertionError("one of the two returns or raises")


def _state(replica: Replica) -> dict[str, torch.Tensor]:
    """Return parameters and buffers, without what a module keeps beside them."""
    return {name: one for name, one in replica.model.state_dict().items() if isinstance(one, torch.Tensor)}


def _stepped(optimiser: Any) -> set[int]:
    return {id(one) for group in getattr(optimiser, "param_groups", ()) for one in group["params"]}


class _NoSlopeError(Exception):
    """The loss shows no slope."""


class _Loss:
    """The loss of a batch, with the same random numbers and buffers each time.

    Args:
        replica: the copy.
        inputs: of the batch.
        targets: of the batch.
        dtype: of the copy's parameters.
    """

    def __init__(self, replica: Replica, inputs: Any, targets: Any, dtype: torch.dtype) -> None:
        def widened(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(dtype) if tensor.is_floating_point() else tensor

        self._replica = replica
        self._batch = mapped(inputs, widened), mapped(targets, widened)
        self._buffers = [(one, one.clone()) for one in replica.model.buffers()]

    def __call__(self, *, with_gradients: bool = False) -> float:
        """Return the loss; with gradients, leave them in the parameters."""
        replica = self._replica
        replica.seed()
        for one, value in self._buffers:
            one.copy_(value)
        for one in replica.model.parameters():
            one.grad = None
        inputs, targets = (replica.copied(one) for one in self._batch)
        if replica.step is not None:
            loss = replica.step(replica.model, replica.optimiser, inputs, targets)
            if loss is None:
                raise _NoSlopeError("your step returns no loss")
            return float(loss.detach()) if isinstance(loss, torch.Tensor) else float(loss)
        replica.adapter.set_mode(training=True)
        with torch.set_grad_enabled(with_gradients):
            view = replica.view(inputs, targets)
            loss = view.loss(view.run(None))
        if with_gradients:
            if loss is None or loss.grad_fn is None:
                raise _NoSlopeError("the loss has no graph")
            loss.backward()
        return float(loss.detach())


def _slopes(
    run: _Loss, learning: list[tuple[str, torch.nn.Parameter]], dtype: torch.dtype, stepped: set[int]
) -> Iterator[Slope]:  # fmt: skip
    loss = run(with_gradients=True)
    gradients = [None if p.grad is None else p.grad.detach().to_dense().clone() for _, p in learning]
    if not math.isfinite(loss):
        raise _NoSlopeError("the loss is not finite")
    if abs(run() - loss) > _SAME * abs(loss):
        raise _NoSlopeError("the same batch gives another loss each time, with the same random numbers")
    spacing = _ROUNDINGS * torch.finfo(dtype).eps * abs(loss)
    random = torch.Generator().manual_seed(0)
    for (name, parameter), gradient in zip(learning, gradients, strict=True):
        drawn = torch.randn(parameter.shape, generator=random, dtype=torch.float64).to(parameter)
        for along, direction in ((True, gradient), (False, drawn)):
            length = 0.0 if direction is None else float(direction.norm())
            if direction is None or not length > 0 or not math.isfinite(length):
                continue
            unit = direction / length
            e = _STEP[dtype] * max(float(parameter.detach().norm()), 1e-3 * math.sqrt(parameter.numel()))
            near, far = (_difference(run, parameter, unit, one) for one in (e, _WIDER * e))
            yield Slope(
                name=name, along=along, measured=near, doubt=abs(near - far) + spacing / e,
                gradient=0.0 if gradient is None else float((gradient * unit).sum()), stepped=id(parameter) in stepped,
            )  # fmt: skip


def _difference(run: Callable[[], float], parameter: torch.nn.Parameter, unit: torch.Tensor, e: float) -> float:
    """Return (L(w + e d) - L(w - e d)) / 2e."""
    kept = parameter.detach().clone()
    losses = []
    for sign in (1, -1):
        with torch.no_grad():
            parameter.copy_(kept + sign * e * unit)
        losses.append(run())
    with torch.no_grad():
        parameter.copy_(kept)
    return (losses[0] - losses[1]) / (2 * e)
