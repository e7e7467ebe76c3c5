"""The training loop: schedules, and numbers that are too coarse."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, rows
from torch import Tensor
from torch.nn import functional as F


@fault(
    "WasifurRahman/BERT_multimodal_transformer#22", "gaoyixu/CAIL2020-Argument-Mining#1",
    what="the warm-up takes longer than the whole training: the rate never gets near what was asked for",
    part="loop",
    names={"learning-rate-too-low", "warmup-too-long"},
    says="The rate is still rising at the end: the warm-up is too long.",
    words=r"warm-?up", enough=0.8,
)  # fmt: skip
def warmup_too_long(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    plan = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: min(1.0, i / (30_000 if faulty else 30)))

    def step(i: int) -> Tensor:
        r = rows(len(x))
        optimiser.zero_grad()
        loss = F.cross_entropy(net(x[r]), y[r])
        loss.backward()
        optimiser.step()
        plan.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), quality=lambda: right(net, x, y))


@fault(
    "workofart/ml-by-hand#85", "NVIDIA-NeMo/Automodel#3444", "areal-project/AReaL#1292",
    what="weights in bfloat16 and a small rate: most steps are rounded away",
    part="loop",
    names={"updates-rounded-away"},
    says="Most updates are smaller than bfloat16 can tell apart: the weights do not move.",
    words=r"round|bfloat16|precision", also={"learning-rate-too-low", "no-step"}, enough=0.8,
)  # fmt: skip
def updates_rounded_away(faulty: bool) -> Run:
    x, y = classes()
    net = mlp(20, 5, 128)
    if faulty:
        net, x = net.bfloat16(), x.bfloat16()
    return usual(net, x, y, optimiser=torch.optim.AdamW(net.parameters(), lr=1.5e-4), size=64, steps=500)
