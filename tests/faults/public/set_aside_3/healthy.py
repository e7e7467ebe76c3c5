"""Healthy runs that are unusual in their networks: without activations, with zeros, of no fixed depth, in pairs."""

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, explained, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, curve, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(
    what="each block is multiplied by a number that begins at 0 (ReZero): inside, no gradient at first", enough=0.85
)
def blocks_that_begin_at_zero() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(20, 48), nn.Linear(48, 5)
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48)) for _ in range(12)
            )
            self.shares = nn.Parameter(torch.zeros(12))

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            for share, block in zip(self.shares, self.blocks, strict=True):
                x = x + share * block(x)
            return self.head(x)

    return usual(Net(), *classes(), steps=250)


@healthy(what="no activation anywhere: layers are multiplied by each other", enough=0.8)
def products_of_layers() -> Run:
    class Product(nn.Module):
        def __init__(self, ins: int, outs: int) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(ins, outs), nn.Linear(ins, outs)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) * self.b(x)

    x, y = curve()
    net = nn.Sequential(Product(6, 48), Product(48, 48), nn.Linear(48, 1))
    return usual(net, x, y[:, None], F.mse_loss, size=64, steps=600, quality=lambda: explained(net, x, y))


@healthy(what="the errors go back by fixed random matrices (feedback alignment), not by the weights", enough=0.85)
def errors_by_random_matrices() -> Run:
    class Aligned(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, back: Tensor) -> Tensor:
            ctx.save_for_backward(x, back)
            return F.linear(x, weight, bias)

        @staticmethod
        def backward(ctx, error: Tensor):
            x, back = ctx.saved_tensors
            return error @ back, error.T @ x, error.sum(0), None

    class Layer(nn.Linear):
        def __init__(self, ins: int, outs: int) -> None:
            super().__init__(ins, outs)
            self.register_buffer("back", torch.randn(outs, ins) / outs**0.5)

        def forward(self, x: Tensor) -> Tensor:
            return Aligned.apply(x, self.weight, self.bias, self.back)

    return usual(nn.Sequential(Layer(20, 64), nn.Tanh(), Layer(64, 64), nn.Tanh(), Layer(64, 5)), *classes(), steps=400)


@healthy(
    what="depth without end: a layer is applied until nothing moves, the gradient is that of the last time", enough=0.85
)
def moved_until_at_rest() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.given, self.again, self.head = nn.Linear(20, 64), nn.Linear(64, 64, bias=False), nn.Linear(64, 5)
            with torch.no_grad():
                self.again.weight.mul_(0.5)

        def forward(self, x: Tensor) -> Tensor:
            given = self.given(x)
            with torch.no_grad():
                state = torch.zeros_like(given)
                for _ in range(15):
                    state = torch.tanh(given + self.again(state))
            return self.head(torch.tanh(given + self.again(state)))

    return usual(Net(), *classes(), steps=400)


@healthy(
    what="the answer is a place in the input (pointer): as many classes as there are things, from 3 to 10", enough=0.85
)
def answers_that_are_places() -> Run:
    n, length = 1024, 10
    things = torch.randn(n, length, 6)
    empty = torch.arange(length) >= torch.randint(3, length + 1, (n, 1))
    sought = torch.randn(n, 1, 3)
    y = (things[..., :3] * sought).sum(2).masked_fill(empty, -torch.inf).argmax(1)
    x = torch.cat([things, sought.expand(n, length, 3), empty[..., None].float()], 2)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.key, self.query = mlp(6, 16, 32), mlp(3, 16, 32)

        def forward(self, x: Tensor) -> Tensor:
            things, sought, empty = x.split([6, 3, 1], 2)
            scores = (self.key(things) * self.query(sought[:, :1])).sum(2)
            return scores.masked_fill(empty[..., 0] > 0, -torch.inf)

    net = Net()
    return usual(net, x, y, optimiser=adam(net, 5e-3), steps=400)


@healthy(
    what="a bag of 12 things has one label, that of its rarest thing: attention says which of them count", enough=0.85
)
def labels_of_bags() -> Run:
    n, things = 1024, 12
    x = torch.randn(n, things, 8)
    y = torch.randint(2, (n,))
    for bag in y.nonzero()[:, 0].tolist():
        x[bag, torch.randint(things, (1,)), :2] = torch.tensor([3.0, -3.0])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.see, self.weigh, self.tell = nn.Linear(8, 32), nn.Linear(32, 1), nn.Linear(32, 1)

        def forward(self, x: Tensor) -> Tensor:
            seen = torch.tanh(self.see(x))
            return self.tell((self.weigh(seen).softmax(1) * seen).sum(1))[:, 0]

    net = Net()

    def quality() -> Tensor:
        return ((outputs(net, x) > 0) == (y > 0)).float().mean()

    return usual(
        net, x, y.float(), F.binary_cross_entropy_with_logits, optimiser=adam(net, 1e-2), steps=400, quality=quality,
    )  # fmt: skip


@healthy(what="neural process: a function is told by a few of its points, others of them are asked for", enough=0.7)
def functions_told_by_points() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode, self.decode = mlp(2, 48, 64), mlp(49, 2, 64)

        def forward(self, told: Tensor, asked: Tensor) -> Tensor:
            known = self.encode(told).mean(1, keepdim=True).expand(-1, asked.shape[1], -1)
            return self.decode(torch.cat([known, asked], 2))

    def drawn(n: int) -> tuple[Tensor, Tensor, Tensor]:
        height, start = 0.5 + torch.rand(n, 1, 1), 6.2832 * torch.rand(n, 1, 1)
        places = 4 * torch.rand(n, 24, 1) - 2
        values = height * torch.sin(1.5 * places + start)
        return torch.cat([places, values], 2)[:, :12], places[:, 12:], values[:, 12:]

    net = Net()
    optimiser = adam(net)
    held, wanted, answers = drawn(256)

    def step(i: int) -> Tensor:
        told, asked, values = drawn(32)
        mean, deviation = net(told, asked).chunk(2, 2)
        loss = -torch.distributions.Normal(mean, 0.05 + F.softplus(deviation)).log_prob(values).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    def quality() -> Tensor:
        with torch.no_grad():
            mean = net(held, wanted)[..., :1]
        return 1 - (mean - answers).square().mean() / answers.var()

    return Run(net=net, step=step, optimiser=optimiser, steps=600, quality=quality)


@healthy(what="two nets, four labels in ten wrong: each learns from what the other finds easiest", enough=0.85)
def two_that_choose_for_each_other() -> Run:
    x, truth = classes(2048)
    wrong = torch.rand(2048) < 0.4
    y = torch.where(wrong, torch.randint(5, (2048,)), truth)
    net = nn.ModuleList([mlp(), mlp()])
    optimiser = adam(net, 2e-3)

    def step(i: int) -> Tensor:
        r = rows(2048, 128)
        each = [F.cross_entropy(one(x[r]), y[r], reduction="none") for one in net]
        count = 128 - min(i // 2, 44)
        loss = sum(
            mine[theirs.argsort()[:count]].mean()
            for mine, theirs in zip(each, reversed([one.detach() for one in each]), strict=True)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=400, quality=lambda: right(net[0], x, truth))
