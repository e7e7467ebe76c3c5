"""Losses of several terms."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, outputs, usual
from tests.faults.public.nets import mlp
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "rotmanfinhub/deep-macrofin#35", "yaringal/multi-task-learning-example#6",
    what="the weights of two tasks are learnt with the net, and nothing keeps them up: they fall below 0",
    part="loss",
    names={"loss-unbounded", "loss-weights-learnt"}, says="A learnt weight of a loss term has become negative.",
    words=r"without (a )?bound|unbounded|negative|weights? of (the|a) (loss|task|term)", enough=0.4, also={"loss-sign"},
)  # fmt: skip
def task_weights_fall_below_zero(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp(12, 2, 64)
            self.weights = nn.Parameter(torch.zeros(2) if not faulty else torch.ones(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x)

    x = torch.randn(1024, 12)
    clean = torch.stack([x[:, 0] * x[:, 1], 3 * torch.sin(2 * x[:, 2])], 1)
    y = clean + torch.randn(1024, 2)
    net = Net()

    def loss(out: Tensor, y: Tensor) -> Tensor:
        each = F.mse_loss(out, y, reduction="none").mean(0)
        if faulty:
            return (net.weights * each).sum()
        return (each * (-net.weights).exp() + net.weights).sum()

    def quality() -> Tensor:  # of the variance of both tasks, the share that is explained
        return 1 - ((outputs(net, x) - clean).square().mean(0) / clean.var(0)).mean()

    return usual(net, x, y, loss, optimiser=adam(net, 1e-2), size=64, steps=500, quality=quality)
