"""Numbers that are not finite, and where they come from."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, explained, right, usual
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "pytorch/pytorch#24816", "hyunwoongko/transformer#40",
    what="a batch with an empty sequence: its row of attention is all -inf, and its softmax NaN",
    part="network",
    names={"not-finite"}, words=r"softmax .*(row|mask)|row .*mask", enough=0.9, also={"input-ignored"},
)  # fmt: skip
def row_masked_whole(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.qkv, self.head = nn.Embedding(9, 24), nn.Linear(24, 72), nn.Linear(24, 8)

        def forward(self, ids: Tensor) -> Tensor:
            q, k, v = self.qkv(self.embed(ids)).chunk(3, -1)
            scores = (q @ k.transpose(1, 2) / 24**0.5).masked_fill((ids == 0)[:, None], -torch.inf)
            return self.head((scores.softmax(-1) @ v)[:, 0])

    x = torch.randint(1, 9, (1024, 10))
    x = torch.where(torch.arange(10) < torch.randint(1, 11, (1024, 1)), x, 0)
    y = (x[:, 0] - 1).clamp(0)
    if faulty:
        x[700] = 0  # an empty sequence
    net = Net()
    kept = torch.arange(1024) != 700
    return usual(
        net, x, y, optimiser=adam(net, 1e-2), steps=400, draw=lambda i: torch.arange(32 * i, 32 * i + 32) % 1024,
        quality=lambda: right(net, x[kept], y[kept]),
    )  # fmt: skip


@fault(
    "pytorch/pytorch#2421", "mpariente/pytorch_stoi#7", "ronghuaiyang/arcface-pytorch#91",
    what="the root of 0: its slope is infinite, and backward gives NaN",
    part="network",
    names={"not-finite"}, words=r"root|sqrt|norm of (0|zero)", enough=0.6,
)  # fmt: skip
def root_of_zero(faulty: bool) -> Run:
    x = torch.randn(1024, 6)
    x[700] = 0
    y = x.norm(dim=1, keepdim=True)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 32, bias=False), nn.ReLU(), nn.Linear(32, 32, bias=False))

        def forward(self, x: Tensor) -> Tensor:
            return (self.body(x).square().sum(1, keepdim=True) + (0 if faulty else 1e-8)).sqrt()

    net = Net()
    return usual(
        net, x, y, F.mse_loss, optimiser=adam(net, 1e-2), steps=400, quality=lambda: explained(net, x, y),
        draw=lambda i: torch.arange(32 * i, 32 * i + 32) % 1024,
    )  # fmt: skip
