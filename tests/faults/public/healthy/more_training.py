"""Healthy runs that are trained in unusual ways, or whose network is unusual."""

import copy

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, pictures, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="adversarial training: each minibatch is moved uphill first", enough=0.8)
def adversarial_examples() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        a = x[r].clone().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(net(a), y[r]), a)
        return descend(F.cross_entropy(net(x[r] + 0.1 * slope.sign()), y[r]), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@healthy(what="all four thousand examples in each step", enough=0.9)
def all_examples_each_step() -> Run:
    x, y = classes(4096)
    net = mlp()
    return usual(net, x, y, size=4096, draw=lambda i: torch.arange(4096), steps=120, optimiser=adam(net, 1e-2))


@healthy(what="a long sequence in windows, the state carried and detached", enough=0.9)
def windows_with_a_state() -> Run:
    signal = torch.randint(4, (32, 40))
    y = signal.repeat_interleave(12, 1)
    first = (torch.arange(480) % 12 == 0).float()
    x = torch.cat([F.one_hot(y, 4) * first[:, None], first[:, None].expand(32, 480, 1)], 2)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(5, 32, batch_first=True), nn.Linear(32, 4)
            self.state: tuple[Tensor, ...] | None = None

        def forward(self, x: Tensor) -> Tensor:
            out, state = self.lstm(x, self.state)
            self.state = tuple(one.detach() for one in state)
            return self.head(out)

    net = Net()
    optimiser = adam(net, 1e-2)

    def step(i: int) -> Tensor:
        part = slice(6 * i % 480, 6 * i % 480 + 6)
        if part.start == 0:
            net.state = None
        return descend(F.cross_entropy(net(x[:, part]).flatten(0, 1), y[:, part].flatten()), optimiser)

    def quality() -> Tensor:
        net.state = None
        return (net(x).argmax(2) == y).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=quality)


@healthy(what="a loss that is multiplied by 1024, gradients divided by it before the step", enough=0.9)
def scaled_by_hand() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        optimiser.zero_grad()
        loss = F.cross_entropy(net(x[r]), y[r])
        (1024 * loss).backward()
        for p in net.parameters():
            p.grad.div_(1024)
        optimiser.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@healthy(what="warm restarts: the rate jumps up, and the loss with it", enough=0.7)
def warm_restarts() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    plan = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, 100)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        plan.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=400, quality=lambda: right(net, x, y))


def _views(x: Tensor) -> Tensor:
    return x + 0.4 * torch.randn_like(x)


def _self_supervised(*, averaged: bool) -> Run:
    y = torch.randint(6, (1024,))
    x = torch.randn(6, 16)[y] * 1.5 + torch.randn(1024, 16) * 0.3

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode = nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 16))
            self.predict = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))

        def forward(self, x: Tensor) -> Tensor:
            return self.predict(self.encode(x))

    net = Net()
    target = copy.deepcopy(net.encode).requires_grad_(False) if averaged else net.encode
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(1024, 128)
        a, b = _views(x[r]), _views(x[r])
        terms = [F.cosine_similarity(net(one), target(other).detach()).mean() for one, other in ((a, b), (b, a))]
        loss = descend(-(terms[0] + terms[1]) / 2, optimiser)
        if averaged:
            with torch.no_grad():
                for p, q in zip(target.parameters(), net.encode.parameters(), strict=True):
                    p.lerp_(q, 0.02)
        return loss

    def quality() -> Tensor:  # of the nearest neighbours in the embedding, those of the same class
        z = F.normalize(outputs(net.encode, x), dim=1)
        return (y[(z @ z.T - 2 * torch.eye(len(z))).argmax(1)] == y).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, quality=quality)


@healthy(what="self-supervision against an average of the net (BYOL): a negative loss", enough=0.9)
def byol() -> Run:
    return _self_supervised(averaged=True)


@healthy(what="self-supervision with a stopped gradient (SimSiam): a negative loss", enough=0.9)
def simsiam() -> Run:
    return _self_supervised(averaged=False)


@healthy(what="a network that makes the weights of another", enough=0.8)
def hypernetwork() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.make = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 20 * 5))
            self.code = nn.Parameter(torch.randn(3, 4))

        def forward(self, x: Tensor, task: Tensor) -> Tensor:
            weights = self.make(self.code[task]).view(-1, 20, 5) / 3
            return (x[:, None] @ weights)[:, 0]

    x, y = classes()
    task = torch.randint(3, (1024,))
    y = (y + task) % 5
    net = Net()
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(1024)
        return descend(F.cross_entropy(net(x[r], task[r]), y[r]), optimiser)

    def quality() -> Tensor:
        return (net(x, task).argmax(1) == y).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, batch=((x[:32], task[:32]), y[:32]), quality=quality, steps=400)


@healthy(what="sets: the same layer for each element, then the maximum", enough=0.8)
def sets() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.each, self.all = mlp(2, 32, 32), nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.all(self.each(x).amax(1))

    x = torch.randn(1024, 7, 2)
    farthest = x.norm(dim=2).argmax(1)
    corner = (x[torch.arange(1024), farthest] > 0).long()
    net = Net()
    return usual(net, x, corner[:, 0] + 2 * corner[:, 1], steps=600)


@healthy(what="sines in place of ReLUs, with the first weights that they want (SIREN)", enough=0.85)
def sines() -> Run:
    class Sine(nn.Module):
        def __init__(self, a: int, b: int, bound: float, omega: float) -> None:
            super().__init__()
            self.layer, self.omega = nn.Linear(a, b), omega
            nn.init.uniform_(self.layer.weight, -bound, bound)

        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(self.omega * self.layer(x))

    pixels = torch.cartesian_prod(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32))
    y = (torch.sin(9 * pixels[:, :1]) * torch.cos(7 * pixels[:, 1:])).detach()
    net = nn.Sequential(Sine(2, 64, 0.5, 15.0), Sine(64, 64, (6 / 64) ** 0.5 / 15, 15.0), nn.Linear(64, 1))

    def quality() -> Tensor:
        return 1 - (outputs(net, pixels) - y).square().mean() / y.var()

    return usual(net, pixels, y, F.mse_loss, optimiser=adam(net, 1e-3), size=256, steps=400, quality=quality)


@healthy(what="a head that is trained alone first, the body let loose at half time", enough=0.85)
def unfrozen_at_half_time() -> Run:
    x, y = pictures(768)
    body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    net = nn.Sequential(body, nn.Linear(400, 4))
    body.requires_grad_(False)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3)

    def step(i: int) -> Tensor:
        if i == 150:
            body.requires_grad_(True)
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))
