"""Healthy runs that are unusual: hidden inputs, survival, chains of labels, slow weights, noisy targets."""

import copy

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, outputs, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="a masked autoencoder: three inputs in four are hidden, and only they count", enough=0.5)
def masked_autoencoder() -> Run:
    x = torch.randn(2048, 3) @ torch.randn(3, 32) / 3**0.5 + 0.1 * torch.randn(2048, 32)
    net = mlp(64, 32, 128)
    optimiser = adam(net)

    def guessed(x: Tensor, hidden: Tensor) -> Tensor:
        return (net(torch.cat([x * ~hidden, hidden.float()], 1)) - x)[hidden].square().mean()

    def step(i: int) -> Tensor:
        r = rows(2048, 64)
        return descend(guessed(x[r], torch.rand(64, 32) < 0.75), optimiser)

    def quality() -> float:
        with torch.no_grad():
            return 1 - float(guessed(x, torch.rand(2048, 32) < 0.75) / x.var())

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=quality)


@healthy(what="survival (Cox): a partial likelihood over a minibatch, half of the times cut short", enough=0.75)
def survival() -> Run:
    x = torch.randn(1024, 10)
    risk = x[:, 0] * x[:, 1] + x[:, 2]
    event = torch.empty(1024).exponential_() * (-2 * risk).exp()
    cut = event[torch.randperm(1024)]
    seen = torch.stack([torch.minimum(event, cut), (event <= cut).float()], 1)
    net = mlp(10, 1)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        order = y[:, 0].argsort(descending=True)
        score, died = out[order, 0], y[order, 1]
        return -((score - score.logcumsumexp(0)) * died).sum() / died.sum().clamp(min=1)

    def quality() -> Tensor:  # the share of pairs that are in the order of their risks
        score = outputs(net, x)[:, 0]
        return ((score[:, None] > score) == (risk[:, None] > risk)).float().mean()

    return usual(net, x, seen, loss, size=64, steps=400, quality=quality)


@healthy(what="a chain of labels (CRF): the loss is a path's score against the sum over all paths", enough=0.8)
def chain_of_labels() -> Run:
    kinds, length = 4, 10
    y = torch.randint(kinds, (1024, length))
    for t in range(1, length):  # a label is mostly the next one or the same
        y[:, t] = torch.where(torch.rand(1024) < 0.9, (y[:, t - 1] + torch.randint(2, (1024,))) % kinds, y[:, t])
    x = F.one_hot(y, kinds) + 0.55 * torch.randn(1024, length, kinds)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = nn.Sequential(nn.Linear(kinds, 32), nn.ReLU(), nn.Linear(32, kinds))
            self.after = nn.Parameter(torch.zeros(kinds, kinds))

        def forward(self, x: Tensor) -> Tensor:
            return self.read(x)

    net = Net()

    def loss(each: Tensor, y: Tensor) -> Tensor:
        path = each.gather(2, y[..., None]).sum((1, 2)) + net.after[y[:, :-1], y[:, 1:]].sum(1)
        total = each[:, 0]
        for t in range(1, length):
            total = (total[:, :, None] + net.after).logsumexp(1) + each[:, t]
        return (total.logsumexp(1) - path).mean()

    def quality() -> Tensor:  # of the labels on the best path, those that are right
        each, back = outputs(net, x), []
        best = each[:, 0]
        for t in range(1, length):
            best, which = (best[:, :, None] + net.after.detach()).max(1)
            best = best + each[:, t]
            back.append(which)
        path = [best.argmax(1)]
        for which in reversed(back):
            path.append(which.gather(1, path[-1][:, None])[:, 0])
        return (torch.stack(path[::-1], 1) == y).float().mean()

    return usual(net, x, y, loss, optimiser=adam(net, 5e-3), steps=300, quality=quality)


@healthy(what="fast and slow weights (Lookahead): each five steps, the net is put half way back", enough=0.85)
def fast_and_slow_weights() -> Run:
    x, y = classes()
    net = mlp()
    slow = copy.deepcopy(net).requires_grad_(False)
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(1024)
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        if i % 5 == 4:
            with torch.no_grad():
                for ours, theirs in zip(slow.parameters(), net.parameters(), strict=True):
                    theirs.copy_(ours.lerp_(theirs, 0.5))
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=400,
        quality=lambda: (outputs(net, x).argmax(1) == y).float().mean(),
    )  # fmt: skip


@healthy(what="noise as the target: signals are compared with noisy ones only, the loss stays high", enough=0.7)
def noise_for_a_target() -> Run:
    place = torch.linspace(0, 6.2832, 32)
    wave = torch.sin(torch.randint(1, 4, (1024, 1)) * place + 6.2832 * torch.rand(1024, 1))
    net = mlp(32, 32, 128)
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(1024, 64)
        return descend(F.mse_loss(net(wave[r] + torch.randn(64, 32)), wave[r] + torch.randn(64, 32)), optimiser)

    def quality() -> Tensor:
        return 1 - F.mse_loss(outputs(net, wave + torch.randn(1024, 32)), wave) / wave.var()

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=quality)
