"""Healthy runs whose loss is unusual."""

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import TinyGPT, mlp
from tests.faults.public.reports.losses import embedded_classes, neighbours
from tests.faults.public.tasks import chain, classes, curve, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="a mixture of experts with a term that balances them", enough=0.85)
def mixture_of_experts() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.experts = nn.Linear(20, 4), nn.ModuleList(mlp(20, 5, 24) for _ in range(4))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            share = self.gate(x).softmax(1)
            chosen = share.argmax(1)
            out = torch.zeros(len(x), 5)
            for k, expert in enumerate(self.experts):
                at = chosen == k
                if at.any():
                    out[at] = expert(x[at]) * share[at, k, None]
            used = F.one_hot(chosen, 4).float().mean(0)
            return out, 4 * (used * share.mean(0)).sum()

    x, y = classes()
    net = Net()

    def loss(out: tuple[Tensor, Tensor], y: Tensor) -> Tensor:
        return F.cross_entropy(out[0], y) + 0.1 * out[1]

    return usual(net, x, y, loss, size=64, steps=500, optimiser=adam(net, 5e-3),
                 quality=lambda: (outputs(net, x)[0].argmax(1) == y).float().mean())  # fmt: skip


@healthy(what="a codebook with straight-through gradients and a commitment term", enough=0.8)
def codebook() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode, self.decode = mlp(16, 4, 32), mlp(4, 16, 32)
            self.codes = nn.Parameter(torch.randn(16, 4) * 0.3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            z = self.encode(x)
            code = self.codes[torch.cdist(z, self.codes).argmin(1)]
            commitment = F.mse_loss(code, z.detach()) + 0.25 * F.mse_loss(z, code.detach())
            return self.decode(z + (code - z).detach()), commitment

    y = torch.randint(4, (1024,))
    x = torch.randn(4, 16)[y] + 0.1 * torch.randn(1024, 16)
    net = Net()

    def loss(out: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
        return F.mse_loss(out[0], x) + out[1]

    def quality() -> Tensor:
        return 1 - (outputs(net, x)[0] - x).square().mean() / x.var(0).mean()

    return usual(net, x, x, loss, size=64, optimiser=adam(net, 5e-3), steps=600, quality=quality)


@healthy(what="Huber's loss with outliers among the targets", enough=0.8)
def huber_with_outliers() -> Run:
    x, y = curve()
    seen = torch.where(torch.rand(1024) < 0.05, y + 30 * torch.randn(1024), y)
    net = mlp(6, 1)
    return usual(net, x, seen[:, None], F.huber_loss, steps=500, quality=lambda: explained(net, x, y))


@healthy(what="a Tweedie deviance of amounts that are mostly 0", enough=0.5)
def tweedie_amounts() -> Run:
    x, _ = curve()
    mean = (0.8 * x[:, 0]).exp()[:, None]
    y = torch.poisson(mean * 0.7) * torch.rand(1024, 1) * 2.8
    net = mlp(6, 1)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return 2 * (y * (-0.5 * out).exp() + (0.5 * out).exp()).mean()

    def quality() -> float:
        return float(1 - (outputs(net, x).exp() - mean).square().mean() / mean.var())

    return usual(net, x, y, loss, optimiser=adam(net, 1e-3), size=64, steps=500, quality=quality)


@healthy(what="twelve labels of which each is there in one example of a hundred", enough=0.8)
def labels_one_in_a_hundred() -> Run:
    x = torch.randn(4096, 20)
    y = (x[:, :12] > 2.3).float()
    net = mlp(20, 12)

    def quality() -> Tensor:
        return ((outputs(net, x) > 0) & (y > 0)).sum() / y.sum()

    return usual(
        net, x, y, F.binary_cross_entropy_with_logits, size=128, steps=600, optimiser=adam(net, 5e-3), quality=quality
    )


@healthy(what="weights for classes of which one is ten times rarer", enough=0.85)
def weighted_classes() -> Run:
    x, _ = classes(2048)
    y = (x[:, 0] + x[:, 1] > 1.8).long()
    weight = 1 / torch.bincount(y).float()
    net = mlp(out=2)

    def quality() -> float:
        return sum(right(net, x[y == k], y[y == k]) for k in (0, 1)) / 2

    return usual(net, x, y, lambda out, y: F.cross_entropy(out, y, weight / weight.mean()), quality=quality)


@healthy(what="a triplet loss, which is 0 for more and more of the triplets", enough=0.85)
def triplets() -> Run:
    x, y = embedded_classes()
    net = mlp(10, 8)
    optimiser = adam(net)
    alike = y[:, None] == y

    def step(i: int) -> Tensor:
        a = rows(1024, 64)
        p, n = alike[a].float().multinomial(1)[:, 0], (~alike[a]).float().multinomial(1)[:, 0]
        return descend(F.triplet_margin_loss(net(x[a]), net(x[p]), net(x[n])), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=400, quality=lambda: neighbours(net, x, y))


@healthy(what="preferences: differences of scores against those of a frozen copy, beginning at log 2", enough=0.9)
def preferences() -> Run:
    x = torch.randn(1024, 2, 12)
    better = (x[:, 0, 0] > x[:, 1, 0]).long()
    x = torch.where(better[:, None, None].bool(), x, x.flip(1))  # the first is the better one
    net = mlp(12, 1)
    frozen = mlp(12, 1)
    frozen.load_state_dict(net.state_dict())
    frozen.requires_grad_(False)

    def margin(pair: Tensor) -> Tensor:
        gain = net(pair) - frozen(pair)
        return (gain[:, 0] - gain[:, 1])[:, 0]

    optimiser = adam(net)

    def step(i: int) -> Tensor:
        return descend(-F.logsigmoid(0.5 * margin(x[rows(1024, 64)])).mean(), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: (margin(x) > 0).float().mean())


@healthy(what="an energy-based model by contrastive divergence: the loss hovers about 0", enough=1.0)
def energies() -> Run:
    x = torch.randn(2048, 2) * 0.3 + torch.where(torch.rand(2048, 1) < 0.5, 1.5, -1.5)
    net = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    optimiser = adam(net, 1e-3)

    def walked(z: Tensor) -> Tensor:
        for _ in range(10):
            z = z.detach().requires_grad_()
            (slope,) = torch.autograd.grad(net(z).sum(), z)
            z = z - 0.1 * slope.clamp(-3, 3) + 0.05 * torch.randn_like(z)
        return z.detach()

    def step(i: int) -> Tensor:
        near, far = net(x[rows(2048, 64)]), net(walked(torch.randn(64, 2) * 2))
        return descend(near.mean() - far.mean() + 0.05 * (near.square().mean() + far.square().mean()), optimiser)

    def quality() -> Tensor:  # how much lower the energy is where the points are
        return net(torch.tensor([[1.5, -1.5], [-1.5, 1.5]])).mean() - net(x[:512]).mean()

    return Run(net=net, step=step, optimiser=optimiser, quality=quality)


@healthy(what="text with teacher forcing, tied embeddings and smoothed labels", enough=0.8)
def smoothed_text() -> Run:
    net, ids = TinyGPT(), chain()
    nn.init.normal_(net.token.weight, std=0.2)
    net.head = nn.Linear(32, 12, bias=False)
    net.head.weight = net.token.weight

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(out.flatten(0, 1), y.flatten(), label_smoothing=0.1)

    return usual(net, ids[:, :-1], ids[:, 1:], loss)
