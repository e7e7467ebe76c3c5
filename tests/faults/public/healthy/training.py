"""Healthy runs that are trained in unusual ways, or whose network is unusual."""

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, curve, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="sharpness-aware minimisation: two passes a step, the second on weights that were moved", enough=0.8)
def sharpness_aware() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        first = F.cross_entropy(net(x[r]), y[r])
        first.backward()
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in net.parameters()]).norm()
            moves = [p.grad * (0.05 / norm) for p in net.parameters()]
            for p, move in zip(net.parameters(), moves, strict=True):
                p.add_(move)
        optimiser.zero_grad()
        F.cross_entropy(net(x[r]), y[r]).backward()
        with torch.no_grad():
            for p, move in zip(net.parameters(), moves, strict=True):
                p.sub_(move)
        optimiser.step()
        optimiser.zero_grad()
        return first

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@healthy(what="a curriculum that gets harder: the loss goes up as the examples do", enough=0.8)
def curriculum() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)
    sure = x[:, :5].topk(2, 1).values.diff(dim=1).neg()[:, 0].argsort(descending=True)

    def step(i: int) -> Tensor:
        r = sure[rows(max(64, len(x) * (i + 100) // 600))]
        return descend(F.cross_entropy(net(x[r]), y[r]), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=lambda: right(net, x, y))


@healthy(what="two examples a step, with layer norm", enough=0.8)
def two_examples_a_step() -> Run:
    x, y = classes()
    net = nn.Sequential(nn.Linear(20, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 5))
    return usual(net, x, y, size=2, steps=1500, optimiser=adam(net, 1e-3))


@healthy(what="forty residual blocks with layer norm", enough=0.85)
def forty_blocks() -> Run:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.layer = nn.LayerNorm(32), nn.Linear(32, 32)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.layer(self.norm(x)).relu() / 6

    net = nn.Sequential(nn.Linear(20, 32), *(Block() for _ in range(40)), nn.LayerNorm(32), nn.Linear(32, 5))
    return usual(net, *classes(), optimiser=adam(net, 1e-3), steps=200)


@healthy(what="an autograd function of one's own: signs forward, the identity backward", enough=0.7)
def straight_through_signs() -> Run:
    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return torch.where(x >= 0, 1.0, -1.0)

        @staticmethod
        def backward(ctx, grad: Tensor) -> Tensor:
            return grad * (ctx.saved_tensors[0].abs() <= 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(20, 128), nn.Linear(128, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(Sign.apply(self.a(x)))

    return usual(Net(), *classes(), steps=500)


@healthy(what="steps of which each layer's are a fixed share of its weights (LARS)", enough=0.85)
def layerwise_rates() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9)

    def step(i: int) -> Tensor:
        r = rows(len(x), 64)
        optimiser.zero_grad()
        loss = F.cross_entropy(net(x[r]), y[r])
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p.grad.mul_(0.004 * p.norm() / (p.grad.norm() + 1e-9))
        optimiser.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=400, quality=lambda: right(net, x, y))


@healthy(what="gradients that are always clipped, on purpose: the rate is set for steps of one length", enough=0.85)
def clip_that_always_acts() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 400, 0.05)

    def step(i: int) -> Tensor:
        r = rows(len(x), 64)
        optimiser.zero_grad()
        loss = F.cross_entropy(net(x[r]), y[r])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimiser.step()
        plan.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=400, quality=lambda: right(net, x, y))


@healthy(
    what="a differential equation: the derivatives of the output are in the loss, there are no targets", enough=-0.05
)
def differential_equation() -> Run:
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:  # y' = -2 y, y(0) = 1
        t = torch.rand(64, 1).requires_grad_()
        y = net(t)
        (slope,) = torch.autograd.grad(y.sum(), t, create_graph=True)
        return descend((slope + 2 * y).square().mean() + (net(torch.zeros(1, 1)) - 1).square().mean(), optimiser)

    def quality() -> Tensor:
        t = torch.linspace(0, 1, 50)[:, None]
        return -(outputs(net, t) - (-2 * t).exp()).abs().max()

    return Run(net=net, step=step, optimiser=optimiser, steps=600, quality=quality)


@healthy(what="one layer applied again and again, as in a neural differential equation", enough=0.8)
def one_layer_again_and_again() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.slope, self.last = nn.Linear(20, 32), nn.Linear(32, 32), nn.Linear(32, 5)

        def forward(self, x: Tensor) -> Tensor:
            h = self.first(x)
            for _ in range(10):
                h = h + 0.1 * torch.tanh(self.slope(h))
            return self.last(h)

    return usual(Net(), *classes())


@healthy(
    what="an evolution of the weights under no_grad: nothing goes backward, nothing steps", enough=0.6, also={"no-step"}
)
def evolution() -> Run:
    x, y = classes(512)
    net = nn.Linear(20, 5)

    def loss() -> Tensor:
        return F.cross_entropy(net(x), y)

    @torch.no_grad()
    def step(i: int) -> Tensor:
        before = loss()
        vector = nn.utils.parameters_to_vector(net.parameters())
        noise = torch.randn(20, len(vector))
        scores = []
        for one in noise:
            nn.utils.vector_to_parameters(vector + 0.1 * one, net.parameters())
            scores.append(-loss())
        ranked = torch.stack(scores).argsort().argsort().float() / 19 - 0.5
        nn.utils.vector_to_parameters(vector + 0.2 * (ranked[:, None] * noise).mean(0) / 0.1, net.parameters())
        return before

    return Run(net=net, step=step, steps=200, quality=lambda: right(net, x, y))


@healthy(what="eight examples learnt by heart, on purpose", enough=1.0)
def learnt_by_heart() -> Run:
    x, _ = classes(8)
    return usual(mlp(), x, torch.randint(5, (8,)), size=8, draw=lambda i: torch.arange(8), steps=200)


@healthy(what="targets around a thousand, which the last bias knows from the start", enough=0.9)
def targets_with_an_offset() -> Run:
    x, y = curve()
    net = mlp(6, 1)
    nn.init.constant_(net[-1].bias, 1000.0)
    return usual(net, x, y[:, None] + 1000, F.mse_loss, steps=500, quality=lambda: explained(net, x, y + 1000))
