"""Optimisers of all kinds, with the learning rate at 0 as their fault."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from tests.faults.public.case import Case, Run, fault, healthy
from tests.faults.public.loops import adam, descend, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.situations.twins import left_out, rate_zero
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn, optim
from torch.nn import functional as F

KINDS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "adamw_fused": partial(optim.AdamW, lr=3e-3, fused=True),
    "adamw_foreach": partial(optim.AdamW, lr=3e-3, foreach=True),
    "adamw_tensor_rate": lambda p: optim.AdamW(p, lr=torch.tensor(3e-3), foreach=False),
    "adafactor": partial(optim.Adafactor, lr=3e-2),
    "radam": partial(optim.RAdam, lr=1e-2),
    "nadam": partial(optim.NAdam, lr=3e-3),
    "asgd": partial(optim.ASGD, lr=0.3),
    "adadelta": partial(optim.Adadelta, lr=1.0),
    "adamax": partial(optim.Adamax, lr=1e-2),
    "adagrad": partial(optim.Adagrad, lr=3e-2),
    "rmsprop": partial(optim.RMSprop, lr=1e-3),
}


def _kind(name: str) -> Run:
    net = mlp()
    return usual(net, *classes(), optimiser=KINDS[name](net.parameters()))


def _cases(kinds: Iterable[str]) -> Iterable[Case]:
    for name in kinds:
        make = partial(_kind, name)
        make.__name__ = name  # type: ignore[attr-defined]
        yield rate_zero(f"the optimiser is {name.replace('_', ', ')}", 0.75)(make)


OPTIMISERS = tuple(_cases(KINDS))


@healthy(what="Rprop on the whole data, its rate set to 0 after it has begun: it reads it once", enough=0.9)
def rprop_rate_set_later() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = optim.Rprop(net.parameters(), lr=1e-3)

    def step(i: int) -> Tensor:
        loss = descend(F.cross_entropy(net(x), y), optimiser)
        optimiser.param_groups[0]["lr"] = 0.0
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=60, quality=lambda: right(net, x, y))


class Muon(optim.Optimizer):
    """Momentum whose matrices are made nearly orthogonal by Newton-Schulz steps (Jordan et al., 2024)."""

    def __init__(self, params: Any, lr: float = 0.02) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    m = self.state[p].setdefault("m", torch.zeros_like(p)).mul_(0.95).add_(p.grad)
                    u = m / (m.norm() + 1e-7)
                    for _ in range(5):
                        s = u @ u.T
                        u = 3.4445 * u + (-4.775 * s + 2.0315 * s @ s) @ u
                    p.add_(u, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)


@rate_zero("Muon for matrices, AdamW for the rest", 0.8)
def muon() -> Run:
    x, y = classes()
    net = mlp()
    parts = [p for p in net.parameters() if p.ndim == 2], [p for p in net.parameters() if p.ndim < 2]
    pair = Muon(parts[0]), optim.AdamW(parts[1], lr=3e-3)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), *pair)

    return Run(net=net, step=step, optimiser=pair, batch=(x[:32], y[:32]), quality=lambda: right(net, x, y))


@rate_zero("the optimiser's step is compiled", 0.9)
def compiled_step() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)
    fast = torch.compile(optimiser.step, backend="eager")

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = F.cross_entropy(net(x[r]), y[r])
        optimiser.zero_grad()
        loss.backward()
        fast()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=150, quality=lambda: right(net, x, y))


@healthy(what="one optimiser for each parameter, stepped while backward runs", enough=0.9)
def stepped_inside_backward() -> Run:
    x, y = classes()
    net = mlp()
    each = {p: optim.AdamW([p], lr=3e-3) for p in net.parameters()}

    def act(p: Tensor) -> None:
        each[p].step()
        each[p].zero_grad()

    for p in net.parameters():
        p.register_post_accumulate_grad_hook(act)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = F.cross_entropy(net(x[r]), y[r])
        loss.backward()
        return loss

    return Run(net=net, step=step, quality=lambda: right(net, x, y))


def _zero_grad_last(*, told: bool, net_s: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor | None:
        r = rows(len(x))
        loss = F.cross_entropy(net(x[r]), y[r])
        loss.backward()
        optimiser.step()
        (net if net_s else optimiser).zero_grad()
        return loss if told else None

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@left_out("model.zero_grad() after the optimiser's step", 0.93)
def zero_grad_last() -> Run:
    return _zero_grad_last(told=True, net_s=True)


@left_out("model.zero_grad() after the optimiser's step, no loss told", 0.93)
def zero_grad_last_not_told() -> Run:
    return _zero_grad_last(told=False, net_s=True)


@fault(
    what="zero_grad() between backward() and step()", enough=0.9, names={"gradients-are-zero"},
    says="The gradients are 0 or None when the optimiser steps: zero_grad() stands between backward() and step().",
    words=r"zero_grad", also={"no-step"},
)  # fmt: skip
def zero_grad_in_between(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        if not faulty:
            optimiser.zero_grad()
        loss = F.cross_entropy(net(x[r]), y[r])
        loss.backward()
        if faulty:
            optimiser.zero_grad(set_to_none=False)
        optimiser.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@fault(
    what="a clip whose norm overflows makes every gradient 0", enough=0.9, names={"gradients-are-zero"},
    says="All gradients are 0 after the clip: their norm overflowed.", words=r"clip|overflow", also={"no-step"},
)  # fmt: skip
def clip_overflows(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = F.cross_entropy(net(x[r]), y[r])
        optimiser.zero_grad()
        (loss * (1e25 if faulty else 1.0)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@fault(
    what="one gradient is infinite in step 33, and a clip spreads it", enough=0.9, names={"not-finite"},
    also={"learning-rate-too-high"},
)  # fmt: skip
def infinite_gradient_clipped(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = F.cross_entropy(net(x[r]), y[r])
        optimiser.zero_grad()
        loss.backward()
        if faulty and i == 33:
            net[2].weight.grad[0, 0] = torch.inf
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=150, quality=lambda: right(net, x, y))
