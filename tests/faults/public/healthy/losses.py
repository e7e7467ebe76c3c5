"""Healthy runs whose loss is unusual: negative, weighted, of several terms, or no cross-entropy at all."""

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, curve, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="a mixture density network: the loss is a negative log-density, and falls below 0", enough=0.9)
def mixture_density() -> Run:
    x = torch.rand(2048, 1) * 2 - 1
    y = (2 * (torch.rand(2048, 1) < 0.5) - 1) * x.square() + 0.01 * torch.randn(2048, 1)
    net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 6))

    def loss(out: Tensor, y: Tensor) -> Tensor:
        share, mean, log_spread = out.split(2, 1)
        each = -log_spread - 0.919 - 0.5 * ((y - mean) / log_spread.exp()).square()
        return -(share.log_softmax(1) + each).logsumexp(1).mean()

    return usual(
        net, x, y, loss, optimiser=adam(net, 5e-3), size=64, steps=800, quality=lambda: -float(loss(outputs(net, x), y))
    )


@healthy(what="an actor and a critic in one net: a policy term, a squared error and an entropy", enough=0.9)
def actor_critic() -> Run:
    x = torch.randn(1024, 8)
    best = x[:, :4].argmax(1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.actor, self.critic = mlp(8, 32, 32), nn.Linear(32, 4), nn.Linear(32, 1)

        def forward(self, x: Tensor) -> Tensor:
            h = self.body(x).relu()
            return torch.cat([self.actor(h), self.critic(h)], 1)

    net = Net()
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(1024, 128)
        out = net(x[r])
        chosen = torch.distributions.Categorical(logits=out[:, :4])
        action = chosen.sample()
        reward, value = (action == best[r]).float(), out[:, 4]
        policy = -(chosen.log_prob(action) * (reward - value.detach())).mean()
        return descend(policy + 0.5 * F.mse_loss(value, reward) - 0.01 * chosen.entropy().mean(), optimiser)

    def quality() -> Tensor:
        return (outputs(net, x)[:, :4].argmax(1) == best).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=quality)


@healthy(what="a CTC loss", enough=0.8)
def ctc() -> Run:
    letters = torch.randint(1, 5, (1024, 5))
    x = F.one_hot(letters.repeat_interleave(3, 1), 5) + 0.3 * torch.randn(1024, 15, 5)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.head = nn.GRU(5, 32, bidirectional=True, batch_first=True), nn.Linear(64, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.gru(x)[0]).log_softmax(2)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.ctc_loss(out.transpose(0, 1), y, torch.full((len(y),), 15), torch.full((len(y),), 5))

    net = Net()

    def quality() -> float:
        best = outputs(net, x[:200]).argmax(2)
        read = [[int(k) for k in one.unique_consecutive() if k] for one in best]
        return sum(a == b for a, b in zip(read, letters[:200].tolist(), strict=True)) / 200

    return usual(net, x, letters, loss, optimiser=adam(net, 1e-2), quality=quality)


@healthy(what="quantiles by the pinball loss", enough=0.85)
def quantiles() -> Run:
    x, y = curve()
    y = y[:, None] + 0.3 * torch.randn(1024, 1)
    net, levels = mlp(6, 3), torch.tensor([0.1, 0.5, 0.9])

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return torch.maximum(levels * (y - out), (levels - 1) * (y - out)).mean()

    def quality() -> Tensor:  # how near the share below each is to its level
        return 1 - ((y <= outputs(net, x)).float().mean(0) - levels).abs().max()

    return usual(net, x, y, loss, steps=500, quality=quality)


@healthy(what="counts by a Poisson loss, which may be of either sign", enough=0.6)
def poisson_counts() -> Run:
    x, _ = curve()
    rate = (1 + x[:, 0]).exp()[:, None]
    y = torch.poisson(rate)
    net = mlp(6, 1)

    def quality() -> float:
        return float(1 - (outputs(net, x).exp() - rate).square().mean() / rate.var())

    return usual(net, x, y, F.poisson_nll_loss, steps=500, quality=quality)


@healthy(what="ordinal regression: cumulative logits against thresholds", enough=0.8)
def ordinal() -> Run:
    x, z = curve()
    y = (z[:, None] > torch.tensor([-1.0, 0.0, 1.0])).sum(1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.steps = mlp(6, 1), nn.Parameter(torch.tensor([-1.0, 0.0, 1.0]))

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x) - self.steps

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(out, (y[:, None] > torch.arange(3)).float())

    net = Net()
    return usual(net, x, y, loss, steps=600, quality=lambda: ((outputs(net, x) > 0).sum(1) == y).float().mean())


@healthy(what="distillation with temperature, the hard labels beside", enough=0.85)
def distillation() -> Run:
    x, y = classes()
    teacher, net = mlp(20, 5, 96), mlp(20, 5, 24)
    teach = adam(teacher, 1e-2)
    for _ in range(100):
        descend(F.cross_entropy(teacher(x), y), teach)
    teacher.requires_grad_(False).eval()
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        out = net(x[r])
        soft = F.kl_div((out / 4).log_softmax(1), (teacher(x[r]) / 4).softmax(1), reduction="batchmean") * 16
        return descend(0.7 * soft + 0.3 * F.cross_entropy(out, y[r]), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=400, quality=lambda: right(net, x, y))


@healthy(what="a normalising flow on 24 narrow dimensions: the loss ends at minus forty", enough=30.0)
def flow_far_below_zero() -> Run:
    x = 0.05 * torch.randn(2048, 24) @ torch.eye(24).roll(1, 0) + 0.3

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.log_scale, self.shift = nn.Parameter(torch.zeros(24)), nn.Parameter(torch.zeros(24))
            self.mix = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 12))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            z = (x - self.shift) * self.log_scale.exp()
            return torch.cat([z[:, :12], z[:, 12:] - self.mix(z[:, :12])], 1), self.log_scale.sum().expand(len(x))

    net = Net()

    def loss(out: tuple[Tensor, Tensor], _: Tensor) -> Tensor:
        z, volume = out
        return (0.5 * z.square().sum(1) + 24 * 0.919 - volume).mean()

    return usual(
        net,
        x,
        x,
        loss,
        optimiser=adam(net, 2e-2),
        size=128,
        steps=500,
        quality=lambda: -float(loss(outputs(net, x), x)),
    )


@healthy(
    what="two tasks whose weights are learnt as variances (Kendall et al., 2018): the loss falls below 0", enough=0.9
)
def weights_of_tasks_learnt() -> Run:
    x, y = curve()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.log_var = mlp(6, 2), nn.Parameter(torch.zeros(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x)

    both = torch.stack([y, 0.05 * x[:, 3]], 1)
    net = Net()

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return ((out - y).square().mean(0) * (-net.log_var).exp() + net.log_var).sum() / 2

    return usual(net, x, both, loss, steps=600, quality=lambda: explained(net.body, x, both))
