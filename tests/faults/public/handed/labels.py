"""Faults of the labels: which ones there are, and which inputs they belong to."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, explained, losses, right, usual
from tests.faults.public.nets import TinyGPT, mlp, over_time
from tests.faults.public.tasks import chain, classes, curve
from torch import nn
from torch.nn import functional as F


@fault(
    "huggingface/transformers#46898",
    what="targets are the next ids already, and the loss shifts them once more",
    part="labels",
    names={"labels-shifted"}, says="The targets are the ids two places on: they were shifted twice.",
    words=r"shifted twice|two places|shift(ed)? once more", enough=0.8,
)  # fmt: skip
def labels_shifted_twice(faulty: bool) -> Run:
    ids, net = chain(), TinyGPT()
    x, y = ids[:, :-1], ids[:, 1:]

    def loss(logits, y):
        return over_time(logits[:, :-1], y[:, 1:]) if faulty else over_time(logits, y)

    return usual(net, x, y, loss)


@fault(
    "KempnerInstitute/KempnerForge#154",
    what="the targets of a language model are the ids that it reads",
    part="labels",
    names={"labels-shifted"}, says="The targets are the ids that the net reads: shift them by one.",
    words=r"not shifted|shift (them|the targets) by one|targets are the inputs?", enough=0.8,
)  # fmt: skip
def labels_not_shifted(faulty: bool) -> Run:
    ids, net = chain(), TinyGPT()
    x, following = ids[:, :-1], ids[:, 1:]
    return usual(net, x, x if faulty else following, over_time, quality=lambda: right(net, x, following))


@fault(
    "DrexelChatbotGroup/DrexelChatbot#15",
    what="a regression whose inputs are shuffled and whose targets are not",
    part="labels",
    names={"labels-unrelated"}, enough=0.8, also={"not-learning"},
)  # fmt: skip
def targets_in_another_order(faulty: bool) -> Run:
    x, y = curve(4096)
    if faulty:
        x = x[torch.randperm(len(x))]
    net = mlp(6, 1, 32)
    return usual(net, x, y[:, None], F.mse_loss, steps=500, quality=lambda: explained(net, x, y))


@fault(
    "facebookresearch/pycls#21", "pytorch/vision#680", "GengDavid/pytorch-cpn#9",
    what="what is done to an example is done to the stored one, again in each epoch: the inputs fade",
    part="inputs",
    names={"inputs-drift"},
    says="The inputs shrink steadily while the net is trained: stored examples are changed in place.",
    words=r"in place|inputs? (fade|shrink|change)", enough=0.8,
)  # fmt: skip
def augmented_in_place(faulty: bool) -> Run:
    x, y = classes(256)
    x = x * 2 + 1
    kept, net = x.clone(), mlp(20, 5, 32)
    optimiser = adam(net, 1e-3)

    def step(i: int) -> torch.Tensor:
        r = torch.arange(32 * i, 32 * i + 32) % 256
        if faulty:
            x[r] = x[r].sub_(1).div_(2)
        return descend(F.cross_entropy(net(x[r] if faulty else x[r].sub(1).div(2)), y[r]), optimiser)

    batch = kept[:32].sub(1).div(2), y[:32]
    return Run(
        net=net, step=step, optimiser=optimiser, batch=batch, steps=400,
        quality=lambda: right(net, kept.sub(1).div(2), y),
    )  # fmt: skip


@fault(
    "wkentaro/pytorch-fcn#57", "asyml/texar-pytorch#310",
    what="eval() for the first evaluation, and no train() after it",
    part="loop",
    names={"evaluation-mode"}, enough=1.0,
)  # fmt: skip
def evaluation_mode_left_on(faulty: bool) -> Run:
    x, y = classes(400)
    x, y, held = x[:200], y[:200], (x[200:], y[200:])
    net = nn.Sequential(nn.Linear(20, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 5))

    def evaluate() -> tuple[float, float]:
        told = losses(net, F.cross_entropy, held, (x, y))
        net.train(not faulty)
        return told

    return usual(net, x, y, optimiser=adam(net, 1e-2), evaluate=evaluate, quality=lambda: net.training)
