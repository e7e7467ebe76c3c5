"""Healthy runs that are unusual: learning to learn, lists, spikes, layers that are left out, rollouts used again."""

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn
from torch.nn import functional as F


@healthy(what="learning to learn (MAML): the loss is taken after a step on each task", enough=0.5)
def learning_to_learn() -> Run:
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimiser = adam(net, 5e-3)

    def task() -> tuple[Tensor, Tensor, Tensor, Tensor]:
        slope = 2 * torch.randn(())
        x = torch.rand(20, 1) * 2 - 1
        y = slope * x
        return x[:10], y[:10], x[10:], y[10:]

    def adapted(x: Tensor, y: Tensor, *, graph: bool) -> dict[str, Tensor]:
        weights = dict(net.named_parameters())
        loss = F.mse_loss(torch.func.functional_call(net, weights, (x,)), y)
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=graph)
        return {name: one - 0.1 * slope for (name, one), slope in zip(weights.items(), slopes, strict=True)}

    def step(i: int) -> Tensor:
        after = []
        for _ in range(4):
            x, y, others, wanted = task()
            after.append(F.mse_loss(torch.func.functional_call(net, adapted(x, y, graph=True), (others,)), wanted))
        return descend(torch.stack(after).mean(), optimiser)

    def quality() -> float:  # the share of the error that one step on a new task takes away
        before = after = 0.0
        for _ in range(50):
            x, y, others, wanted = task()
            before += float(F.mse_loss(net(others), wanted))
            after += float(F.mse_loss(torch.func.functional_call(net, adapted(x, y, graph=False), (others,)), wanted))
        return 1 - after / before

    return Run(net=net, step=step, optimiser=optimiser, steps=300, quality=quality)


@healthy(what="ranking: the cross-entropy of a whole list of scores, which have no scale and no zero", enough=0.8)
def ranked_lists() -> Run:
    x = torch.randn(512, 12, 8)
    worth = x[..., 0] * x[..., 1] + x[..., 2]
    net = mlp(8, 1, 32)

    def loss(scores: Tensor, worth: Tensor) -> Tensor:
        return F.cross_entropy(scores[..., 0], (3 * worth).softmax(1))

    def quality() -> Tensor:
        return (outputs(net, x)[..., 0].argmax(1) == worth.argmax(1)).float().mean()

    return usual(net, x, worth, loss, optimiser=adam(net, 5e-3), steps=400, quality=quality)


@healthy(what="spiking units: each gives 0 or 1 in each of eight instants, with a made-up slope", enough=0.8)
def spiking_units() -> Run:
    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return (x > 0).float()

        @staticmethod
        def backward(ctx, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return grad / (1 + 4 * x.abs()).square()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(20, 96), nn.Linear(96, 5)

        def forward(self, x: Tensor) -> Tensor:
            current, charge, total = self.first(x), torch.zeros(len(x), 96), torch.zeros(len(x), 5)
            for _ in range(8):
                charge = 0.8 * charge + current
                spikes = Spike.apply(charge - 0.5)
                charge = charge - 0.5 * spikes.detach()
                total = total + self.second(spikes)
            return total / 8

    x, y = classes()
    net = Net()
    return usual(net, x, y, optimiser=adam(net, 5e-3), steps=400)


@healthy(what="residual blocks of which each step leaves out half by chance", enough=0.85)
def blocks_left_out() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(20, 48), nn.Linear(48, 5)
            self.blocks = nn.ModuleList(
                [nn.Sequential(nn.LayerNorm(48), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48)) for _ in range(8)]
            )

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            for block in self.blocks:
                if not self.training:
                    x = x + 0.5 * block(x)
                elif torch.rand(()) < 0.5:
                    x = x + block(x)
            return self.head(x)

    x, y = classes()
    return usual(Net(), x, y, steps=400)


@healthy(what="a clipped policy (PPO): four passes over each rollout, the first at a loss of 0", enough=0.85)
def clipped_policy() -> Run:
    x = torch.randn(1024, 8)
    best = x[:, :4].argmax(1)
    net = mlp(8, 4, 32)
    optimiser = adam(net, 3e-3)
    rollout: list[Tensor] = []

    def step(i: int) -> Tensor:
        if i % 4 == 0:
            r = rows(1024, 256)
            with torch.no_grad():
                chosen = torch.distributions.Categorical(logits=net(x[r]))
                action = chosen.sample()
                reward = (action == best[r]).float()
                gain = (reward - reward.mean()) / (reward.std() + 1e-6)
            rollout[:] = [r, action, chosen.log_prob(action), gain]
        r, action, before, gain = rollout
        chosen = torch.distributions.Categorical(logits=net(x[r]))
        ratio = (chosen.log_prob(action) - before).exp()
        clipped = torch.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
        return descend(-clipped - 0.005 * chosen.entropy().mean(), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=500, quality=lambda: right(net, x, best))
