"""What reaches the net: loaders, samplers, augmentation, the scale of inputs and targets."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, losses, outputs, right, usual
from tests.faults.public.nets import cnn, mlp, pixelwise
from tests.faults.public.tasks import blobs, classes, pictures, rows
from torch import Tensor
from torch.nn import functional as F

REPEATED = "The same minibatches come again and again: few different inputs were seen."


@fault(
    "pytorch/pytorch#5059", "xingyizhou/CenterNet#233",
    what="each worker of the loader starts each epoch with the same random numbers: augmentations repeat",
    part="inputs",
    names={"inputs-repeat"}, says=REPEATED, words=r"(same|identical) (input|minibatch|augment|random)|repeat",
    also={"overfitting"}, enough=0.78,
)  # fmt: skip
def workers_share_a_seed(faulty: bool) -> Run:
    clean, y = pictures(64, noise=0)
    held, answers = pictures(512, noise=0.8)
    net = cnn()
    net(clean[:2])
    optimiser = adam(net)

    def augmented(i: int) -> tuple[Tensor, Tensor]:
        epoch, worker = divmod(i, 4)
        chance = torch.Generator().manual_seed(0 if faulty else 10_000 + 4 * epoch + worker)
        r = torch.arange(16) + 16 * worker
        return clean[r] + 0.8 * torch.randn(16, 1, 10, 10, generator=chance), y[r]

    def step(i: int) -> Tensor:
        x, targets = augmented(i)
        return descend(F.cross_entropy(net(x), targets), optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=augmented(0), steps=400,
        quality=lambda: right(net, held, answers),
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), augmented(0)),
    )  # fmt: skip


@fault(
    "ZhaoJ9014/face.evoLVe#39", "wandb/examples#444",
    what="next(iter(loader)) in each step, of a loader that does not shuffle: always the first minibatch",
    part="inputs",
    names={"inputs-repeat"}, says=REPEATED, words=r"(same|one) minibatch|repeat", also={"overfitting"}, enough=0.8,
)  # fmt: skip
def first_batch_only(faulty: bool) -> Run:
    x, y = classes(1536)
    (x, held), (y, answers) = x.split(1024), y.split(1024)
    net = mlp()
    return usual(
        net, x, y, draw=lambda i: torch.arange(32) if faulty else rows(1024), steps=200,
        quality=lambda: right(net, held, answers),
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x[:32], y[:32])),
    )  # fmt: skip


@fault(
    "pytorch/vision#2497", "pytorch/pytorch#53959",
    what="class masks go through ToTensor, which divides by 255, and are made whole numbers again: all 0",
    part="labels",
    names={"labels-constant"}, enough=0.6,
)  # fmt: skip
def masks_through_to_tensor(faulty: bool) -> Run:
    x, y = blobs()
    net = pixelwise(out=2)

    def quality() -> Tensor:  # of what is bright, the share that is found
        return (outputs(net, x).argmax(1) * y).sum() / y.sum()

    return usual(net, x, (y / 255).long() if faulty else y, optimiser=adam(net, 1e-2), steps=150, quality=quality)


@fault(
    "udacity/CarND-Traffic-Sign-Classifier-Project#46", "LCAV/LenslessPiCam#173",
    what="the mean is subtracted from pictures while they are still bytes: what is darker wraps around",
    part="inputs",
    names={"inputs-wrap"}, says="The inputs jump from one end of their range to the other: bytes overflowed.",
    words=r"overflow|wrap", enough=0.95,
)  # fmt: skip
def bytes_overflow(faulty: bool) -> Run:
    x, y = pictures(2048)
    stored = (x * 30 + 120).clamp(0, 255).to(torch.uint8)
    scaled = (stored - 128 if faulty else stored.float() - 128) / 128
    (x, held), (y, answers) = scaled.split(1536), y.split(1536)
    net = cnn()
    net(x[:2])
    return usual(net, x, y, optimiser=adam(net, 1e-3), steps=200, quality=lambda: right(net, held, answers))


@fault(
    "xudonmao/VMT#1",
    what="mixup with one permutation for the inputs and another for the labels",
    part="labels",
    names={"labels-unrelated", "labels-misaligned"}, says="Part of the labels do not belong to their inputs.",
    words=r"(labels|targets) .*(belong|align|order|permut)", enough=-0.3,
)  # fmt: skip
def mixup_of_two_permutations(faulty: bool) -> Run:
    x, y = classes()
    net, wanted = mlp(), F.one_hot(y, 5).float()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r, share = rows(len(x), 64), torch.rand(64, 1)
        others = r[torch.randperm(64)]
        theirs = r[torch.randperm(64)] if faulty else others
        mixed = share * x[r] + (1 - share) * x[others], share * wanted[r] + (1 - share) * wanted[theirs]
        return descend(F.cross_entropy(net(mixed[0]), mixed[1]), optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:64], wanted[:64]), steps=400,
        quality=lambda: -float(F.cross_entropy(outputs(net, x), y)),
    )  # fmt: skip


@fault(
    "milesial/Pytorch-UNet#78", "milesial/Pytorch-UNet#65",
    what="masks of 0 and 255 are the targets of a binary cross-entropy",
    part="labels",
    names={"target-scale", "targets-outside-range"}, says="Targets of a binary cross-entropy lie outside of 0 to 1.",
    words=r"targets? .*\b1\b|(0 (to|and|or) 1)", enough=0.85,
)  # fmt: skip
def masks_of_255(faulty: bool) -> Run:
    x, y = blobs()
    net = pixelwise()
    wanted = y[:, None].float() * (255 if faulty else 1)

    def quality() -> Tensor:
        return ((outputs(net, x)[:, 0] > 0) == y).float().mean()

    return usual(
        net, x, wanted, F.binary_cross_entropy_with_logits, optimiser=adam(net, 1e-2), steps=150, quality=quality
    )
