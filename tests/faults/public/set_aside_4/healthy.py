"""Healthy runs: weights of two values, energies, tables of ids, kernels, several exits, only the hardest examples."""

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, curve, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="weights are -1 or 1 when they are used (BinaryConnect): gradients go to numbers behind them", enough=0.8)
def weights_of_two_values() -> Run:
    x, y = classes()

    class Signs(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            signs = self.weight + (self.weight.sign() - self.weight).detach()
            return F.linear(x, signs, self.bias) / self.in_features**0.5

    net = nn.Sequential(Signs(20, 128), nn.LayerNorm(128), nn.ReLU(), Signs(128, 128), nn.ReLU(), nn.Linear(128, 5))
    optimiser = adam(net)

    def step(_: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        with torch.no_grad():
            for layer in net:
                if isinstance(layer, Signs):
                    layer.weight.clamp_(-1, 1)
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=400,
        quality=lambda: right(net, x, y),
    )  # fmt: skip


@healthy(what="motion by an energy (Hamiltonian network): what is compared is the slope of its output", enough=0.9)
def motion_by_an_energy() -> Run:
    x = torch.rand(1024, 2) * 4 - 2
    y = torch.stack([x[:, 1], -torch.sin(x[:, 0])], 1)

    class Energy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.energy = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))

        def forward(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                slope = torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)[0]
            return torch.stack([slope[:, 1], -slope[:, 0]], 1)

    net = Energy()
    return usual(net, x, y, F.mse_loss, steps=500, quality=lambda: 1 - (outputs(net, x) - y).square().mean() / y.var())


@healthy(
    what="vectors of words by pairs that stand together, against words drawn by chance; sparse gradients", enough=0.3
)
def words_that_stand_together() -> Run:
    words, topics = 60, 6
    topic = torch.arange(words) % topics

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.centre, self.context = (nn.Embedding(words, 16, sparse=True) for _ in range(2))
            nn.init.zeros_(self.context.weight)

        def forward(self, centre: Tensor, context: Tensor) -> Tensor:
            return (self.centre(centre)[:, None] * self.context(context)).sum(-1)

    net = Words()
    optimiser = torch.optim.SparseAdam(net.parameters(), lr=0.02)

    def step(_: int) -> Tensor:
        centre = torch.randint(words, (64,))
        beside = (centre + topics * torch.randint(1, words // topics, (64,))) % words
        score = net(centre, torch.cat([beside[:, None], torch.randint(words, (64, 5))], 1))
        return descend(-F.logsigmoid(score[:, 0]).mean() - F.logsigmoid(-score[:, 1:]).sum(1).mean(), optimiser)

    def quality() -> float:
        v = F.normalize(net.centre.weight.detach(), dim=1)
        near, same = v @ v.T, topic[:, None] == topic
        return float(near[same & ~torch.eye(words).bool()].mean() - near[~same].mean())

    return Run(net=net, step=step, optimiser=optimiser, steps=600, quality=quality)


@healthy(what="marks of users for films: two tables multiplied, no layer and no activation", enough=0.7)
def marks_of_users() -> Run:
    users, films = torch.randn(80, 3), torch.randn(60, 3)
    x = torch.stack([torch.randint(80, (4096,)), torch.randint(60, (4096,))], 1)
    y = 3 + (users[x[:, 0]] * films[x[:, 1]]).sum(1) / 1.7 + 0.2 * torch.randn(len(x))

    class Marks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.user, self.film = nn.Embedding(80, 8), nn.Embedding(60, 8)
            self.mean = nn.Parameter(torch.zeros(()))
            for table in (self.user, self.film):
                nn.init.normal_(table.weight, std=0.3)

        def forward(self, x: Tensor) -> Tensor:
            return (self.user(x[:, 0]) * self.film(x[:, 1])).sum(1) + self.mean

    net = Marks()
    return usual(
        net, x, y, F.mse_loss, size=128, steps=600, optimiser=adam(net, 0.02), quality=lambda: explained(net, x, y)
    )


@healthy(what="a kernel over learnt features (Gaussian process): one likelihood of all targets together", enough=0.8)
def likelihood_of_all_targets() -> Run:
    x, y = curve(160, 4)
    held, truth = curve(200, 4)

    class Kernel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 6))
            self.log_noise, self.log_scale = nn.Parameter(torch.tensor(-1.0)), nn.Parameter(torch.tensor(0.0))

        def between(self, a: Tensor, b: Tensor) -> Tensor:
            return self.log_scale.exp() * (-0.5 * torch.cdist(a, b).square()).exp()

        def forward(self, x: Tensor) -> Tensor:
            h = self.features(x)
            return self.between(h, h) + (self.log_noise.exp() + 1e-4) * torch.eye(len(x))

    def loss(spread: Tensor, y: Tensor) -> Tensor:
        return -torch.distributions.MultivariateNormal(torch.zeros(len(y)), spread).log_prob(y) / len(y)

    net = Kernel()

    def quality() -> float:
        with torch.no_grad():
            weights = torch.linalg.solve(net(x), y)
            guess = net.between(net.features(held), net.features(x)) @ weights
        return float(1 - (guess - truth).square().mean() / truth.var())

    return usual(
        net, x, y, loss, size=len(x), draw=lambda _: torch.arange(len(x)), optimiser=adam(net, 1e-2), steps=200,
        quality=quality,
    )  # fmt: skip


@healthy(what="three exits, each with an answer of its own: the losses are added up", enough=0.8)
def three_exits() -> Run:
    x, y = classes()

    class Exits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(nn.Linear(20 if i == 0 else 48, 48) for i in range(3))
            self.heads = nn.ModuleList(nn.Linear(48, 5) for _ in range(3))

        def forward(self, x: Tensor) -> list[Tensor]:
            answers = []
            for part, head in zip(self.parts, self.heads, strict=True):
                x = part(x).relu()
                answers.append(head(x))
            return answers

    net = Exits()
    return usual(
        net, x, y, lambda out, y: sum(F.cross_entropy(one, y) for one in out), steps=300,
        quality=lambda: (outputs(net, x)[-1].argmax(1) == y).float().mean(),
    )  # fmt: skip


@healthy(what="bumps: each unit answers to its own neighbourhood, most are near 0 for most examples", enough=0.8)
def bumps() -> Run:
    x = torch.rand(2048, 2) * 4 - 2
    y = torch.sin(2 * x[:, 0]) * torch.cos(2 * x[:, 1]) * 2

    class Bumps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.centres = nn.Parameter(torch.rand(100, 2) * 4 - 2)
            self.log_width = nn.Parameter(torch.full((100,), -1.0))
            self.head = nn.Linear(100, 1)

        def forward(self, x: Tensor) -> Tensor:
            near = torch.cdist(x, self.centres).square() * (-2 * self.log_width).exp()
            return self.head((-0.5 * near).exp())[:, 0]

    net = Bumps()
    return usual(
        net, x, y, F.mse_loss, size=64, steps=800, optimiser=adam(net, 0.02), quality=lambda: explained(net, x, y)
    )


@healthy(what="only the hardest quarter of each minibatch counts, and is what the loss tells", enough=0.8)
def hardest_quarter() -> Run:
    x, y = classes(2048)
    net = mlp()

    def loss(out: Tensor, y: Tensor) -> Tensor:
        each = F.cross_entropy(out, y, reduction="none")
        return each.topk(len(each) // 4).values.mean()

    return usual(net, x, y, loss, size=128, steps=500)
