"""Healthy runs that are unusual: parts that stay random, targets that are all the same, losses of many kinds."""

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, curve, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="echo state network: the recurrent weights stay as drawn, one linear layer is trained", enough=0.8)
def echo_state() -> Run:
    signal = torch.randn(512, 20, 1)
    wanted = (signal[:, -1] + signal[:, -3] * 0.8).tanh()  # what was heard now and two instants ago

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.echo, self.tell = nn.RNN(1, 100, batch_first=True), nn.Linear(100, 1)
            self.echo.requires_grad_(False)
            weights = torch.randn(100, 100)
            self.echo.weight_hh_l0.copy_(0.9 * weights / torch.linalg.eigvals(weights).abs().max())

        def forward(self, x: Tensor) -> Tensor:
            return self.tell(self.echo(x)[0][:, -1])

    net = Net()
    return usual(
        net, signal, wanted, F.mse_loss, optimiser=adam(net, 1e-2), steps=400,
        quality=lambda: explained(net, signal, wanted),
    )  # fmt: skip


@healthy(what="each layer is trained by a classifier of its own, and gives the next one only values", enough=0.85)
def losses_of_each_layer() -> Run:
    x, y = classes()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(20, 64), nn.Linear(64, 64), nn.Linear(64, 64)])
            self.heads = nn.ModuleList([nn.Linear(64, 5) for _ in range(3)])

        def forward(self, x: Tensor) -> Tensor:  # (N, layers, classes)
            found = []
            for layer, head in zip(self.layers, self.heads, strict=True):
                x = F.relu(layer(x.detach()))
                found.append(head(x))
            return torch.stack(found, 1)

    net = Net()

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(scores.flatten(0, 1), y.repeat_interleave(3), reduction="sum") / len(y)

    return usual(net, x, y, loss, quality=lambda: (outputs(net, x)[:, -1].argmax(1) == y).float().mean())


@healthy(what="one class only (deep SVDD): all are drawn to one point, by a net that has no biases", enough=0.8)
def drawn_to_one_point() -> Run:
    def usual_ones(n: int) -> Tensor:
        return torch.randn(n, 2) @ basis + 0.1 * torch.randn(n, 16)

    basis = torch.randn(2, 16) / 1.4
    x, good, bad = usual_ones(1024), usual_ones(256), 1.1 * torch.randn(256, 16)
    net = nn.Sequential(
        nn.Linear(16, 32, bias=False), nn.LeakyReLU(), nn.Linear(32, 16, bias=False), nn.LeakyReLU(),
        nn.Linear(16, 8, bias=False),
    )  # fmt: skip
    point = outputs(net, x).mean(0)
    wanted = point.expand(1024, 8)

    def loss(given: Tensor, wanted: Tensor) -> Tensor:
        return (given - wanted).square().sum(1).mean()

    def quality() -> Tensor:  # how often what is unusual lies farther from the point
        near, far = ((outputs(net, one) - point).square().sum(1) for one in (good, bad))
        return (far[:, None] > near).float().mean()

    return usual(net, x, wanted, loss, optimiser=adam(net, 1e-3), steps=400, quality=quality)


@healthy(
    what="weights are distributions (Bayes by backprop): each pass draws them, in evaluation too", enough=0.85,
    also={"random-in-evaluation"},
)  # fmt: skip
def weights_are_distributions() -> Run:
    x, y = classes()

    class Drawn(nn.Module):
        def __init__(self, ins: int, outs: int) -> None:
            super().__init__()
            self.mean = nn.Parameter(torch.randn(outs, ins) / ins**0.5)
            self.spread = nn.Parameter(torch.full((outs, ins), -4.0))
            self.bias = nn.Parameter(torch.zeros(outs))

        def forward(self, x: Tensor) -> Tensor:
            return F.linear(x, self.mean + F.softplus(self.spread) * torch.randn_like(self.mean), self.bias)

        def divergence(self) -> Tensor:
            deviation = F.softplus(self.spread)
            return (0.5 * (self.mean.square() + deviation.square() - 1) - deviation.log()).sum()

    net = nn.Sequential(Drawn(20, 48), nn.ReLU(), Drawn(48, 5))

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        divergence = sum(one.divergence() for one in net if isinstance(one, Drawn))
        return F.cross_entropy(scores, y) + 0.1 * divergence / 1024

    return usual(net, x, y, loss, optimiser=adam(net, 5e-3), steps=500)


@healthy(what="Barlow twins: two views agree, their features are uncorrelated; the loss begins above 100", enough=0.8)
def features_uncorrelated() -> Run:
    kinds = torch.randn(256, 20)
    net = mlp(20, 32, 96)
    optimiser = adam(net)

    def view(x: Tensor) -> Tensor:
        return x + 0.3 * torch.randn_like(x)

    def step(i: int) -> Tensor:
        r = torch.randperm(256)[:128]
        a, b = ((z - z.mean(0)) / z.std(0) for z in (net(view(kinds[r])), net(view(kinds[r]))))
        together = a.T @ b / 128
        same = torch.eye(32).bool()
        loss = (together[same] - 1).square().sum() + 0.02 * together[~same].square().sum()
        return descend(100 * loss, optimiser)

    def quality() -> Tensor:  # how often the nearest of 256 second views is that of the same thing
        a, b = (F.normalize(z - z.mean(0), dim=1) for z in (outputs(net, view(kinds)), outputs(net, view(kinds))))
        return ((a @ b.T).argmax(1) == torch.arange(256)).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=300, quality=quality)


@healthy(what="a picture is its own prior: one noisy picture, drawn from fixed noise, stopped early", enough=0.4)
def picture_from_noise() -> Run:
    places = torch.linspace(-1, 1, 24)
    clean = ((places[:, None].square() + places.square()) < 0.5).float()[None, None]
    noisy = clean + 0.4 * torch.randn_like(clean)
    noise = torch.randn(1, 8, 6, 6)
    net = nn.Sequential(
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 1),
    )  # fmt: skip
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        return descend(F.mse_loss(net(noise), noisy), optimiser)

    def quality() -> Tensor:  # the share of the noise that is gone
        return 1 - (outputs(net, noise) - clean).square().mean() / (noisy - clean).square().mean()

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(noise, noisy), loss=F.mse_loss, steps=200, quality=quality,
    )  # fmt: skip


@healthy(what="few labels (FixMatch): what has none counts only where the net is sure, at first nowhere", enough=0.75)
def labels_by_confidence() -> Run:
    centres = 2.2 * F.normalize(torch.randn(5, 20), dim=1)
    truth = torch.randint(5, (1024,))
    x = centres[truth] + 0.45 * torch.randn(1024, 20)
    few = torch.cat([(truth == kind).nonzero()[:4, 0] for kind in range(5)])
    net = mlp()
    optimiser = adam(net, 1e-3)

    def step(i: int) -> Tensor:
        r, s = rows(1024, 64), few[rows(20, 16)]
        with torch.no_grad():
            sure, kind = net(x[r] + 0.1 * torch.randn(64, 20)).softmax(1).max(1)
        given = net(x[r] + 0.5 * torch.randn(64, 20))
        unlabelled = (F.cross_entropy(given, kind, reduction="none") * (sure > 0.95)).mean()
        return descend(F.cross_entropy(net(x[s]), truth[s]) + unlabelled, optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[few], truth[few]), loss=F.cross_entropy, steps=300,
        quality=lambda: right(net, x, truth),
    )  # fmt: skip


@healthy(
    what="prices in money: the last layer multiplies by their deviation, the squared errors begin at 1e10",
    enough=0.8, also={"target-scale"},
)  # fmt: skip
def prices_in_money() -> Run:
    x, y = curve()
    prices = (350_000 + 120_000 * y)[:, None]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = mlp(6, 1)
            self.register_buffer("mean", prices.mean())
            self.register_buffer("deviation", prices.std())

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) * self.deviation + self.mean

    net = Net()
    return usual(
        net, x, prices, F.mse_loss, optimiser=torch.optim.Adam(net.parameters(), lr=3e-3), steps=500,
        quality=lambda: explained(net, x, prices),
    )  # fmt: skip
