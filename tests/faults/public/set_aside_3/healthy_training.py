"""Healthy runs that are unusual in how they are trained: in private, in parts, far apart, with weights taken away."""

import copy

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="in private (DP-SGD): each example's gradient is clipped, and noise is added to their sum", enough=0.8)
def trained_in_private() -> Run:
    x, y = classes(2048)
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    one = torch.func.grad(
        lambda weights, x, y: F.cross_entropy(torch.func.functional_call(net, weights, (x[None],)), y[None])
    )
    each = torch.func.vmap(one, in_dims=(None, 0, 0))

    def step(i: int) -> Tensor:
        r = rows(2048, 128)
        weights = {name: value.detach() for name, value in net.named_parameters()}
        gradients = each(weights, x[r], y[r])
        lengths = sum(one.flatten(1).square().sum(1) for one in gradients.values()).sqrt()
        shares = (1 / lengths).clamp(max=1)
        for name, value in net.named_parameters():
            clipped = torch.einsum("n,n...->...", shares, gradients[name])
            value.grad = (clipped + 0.7 * torch.randn_like(clipped)) / 128
        optimiser.step()
        with torch.no_grad():
            return F.cross_entropy(net(x[r]), y[r])

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=300,
        quality=lambda: right(net, x, y),
    )  # fmt: skip


@healthy(what="at half time nine weights in ten are taken away, the smallest ones, and stay 0", enough=0.85)
def weights_taken_away() -> Run:
    x, y = classes()
    net = mlp(20, 5, 128)
    optimiser = adam(net)
    kept: dict[nn.Parameter, Tensor] = {}

    def step(i: int) -> Tensor:
        if i == 250:
            for one in net.parameters():
                if one.ndim == 2:
                    kept[one] = one.detach().abs() >= one.detach().abs().flatten().quantile(0.9)
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        with torch.no_grad():
            for one, mask in kept.items():
                one.mul_(mask)
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=500,
        quality=lambda: right(net, x, y),
    )  # fmt: skip


@healthy(
    what="far apart (federated averaging): copies are trained on data of two classes each, and averaged", enough=0.8
)
def trained_far_apart() -> Run:
    x, y = classes(2048)
    theirs = [((y == kind) | (y == (kind + 1) % 5)).nonzero()[:, 0] for kind in range(5)]
    net = mlp()

    def step(i: int) -> float:
        told, states = [], []
        for own in theirs:
            mine = copy.deepcopy(net)
            optimiser = torch.optim.SGD(mine.parameters(), lr=0.2)
            for _ in range(5):
                r = own[rows(len(own))]
                told.append(float(descend(F.cross_entropy(mine(x[r]), y[r]), optimiser).detach()))
            states.append(mine.state_dict())
        net.load_state_dict({name: torch.stack([one[name] for one in states]).mean(0) for name in states[0]})
        return sum(told) / len(told)

    return Run(net=net, step=step, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=100,
               quality=lambda: right(net, x, y))  # fmt: skip


@healthy(
    what="a queue of what was seen before (MoCo): its first keys are those of a net that has learnt nothing", enough=0.8
)
def queue_of_keys() -> Run:
    things = torch.randn(512, 6) @ torch.randn(6, 20)
    net = mlp(20, 16)
    slow = copy.deepcopy(net).requires_grad_(False)
    optimiser = adam(net)
    queue = F.normalize(torch.randn(256, 16), dim=1)

    def view(x: Tensor) -> Tensor:
        return x + 0.5 * torch.randn_like(x)

    def step(i: int) -> Tensor:
        r = torch.randperm(512)[:32]
        query = F.normalize(net(view(things[r])), dim=1)
        key = F.normalize(slow(view(things[r])), dim=1)
        same = (query * key).sum(1, keepdim=True)
        loss = F.cross_entropy(torch.cat([same, query @ queue.T], 1) / 0.1, torch.zeros(32).long())
        descend(loss, optimiser)
        with torch.no_grad():
            for late, now in zip(slow.parameters(), net.parameters(), strict=True):
                late.lerp_(now, 0.02)
            place = 32 * i % 256
            queue[place : place + 32] = key
        return loss

    def quality() -> Tensor:  # how often the nearest of 512 other views is that of the same thing
        a, b = (F.normalize(outputs(net, view(things)), dim=1) for _ in range(2))
        return ((a @ b.T).argmax(1) == torch.arange(512)).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=400, quality=quality)


@healthy(what="one layer in turn: in each step one is trained, and the others wait", enough=0.85)
def one_layer_in_turn() -> Run:
    x, y = classes()
    net = mlp()
    layers = [one for one in net if isinstance(one, nn.Linear)]
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        for number, layer in enumerate(layers):
            layer.requires_grad_(number == i // 5 % 3)
        r = rows(len(x))
        loss = F.cross_entropy(net(x[r]), y[r])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=600,
        quality=lambda: right(net, x, y),
    )  # fmt: skip


@healthy(what="steps by the signs of the gradients alone (Lion), each weight moved by the same length", enough=0.85)
def steps_by_signs() -> Run:
    class Lion(torch.optim.Optimizer):
        def __init__(self, weights, lr: float) -> None:
            super().__init__(weights, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None) -> None:
            for group in self.param_groups:
                for one in group["params"]:
                    kept = self.state[one].setdefault("kept", torch.zeros_like(one))
                    one.mul_(1 - 0.1 * group["lr"]).sub_(group["lr"] * kept.lerp(one.grad, 0.1).sign())
                    kept.lerp_(one.grad, 0.01)

    net = mlp()
    return usual(net, *classes(), optimiser=Lion(net.parameters(), lr=1e-3), steps=400)
