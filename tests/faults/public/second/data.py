"""What reaches the net: augmentation, noise."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, explained
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "ildoonet/tf-pose-estimation#33", "robertklee/COCO-Human-Pose#29",
    what="pictures of a left and a right point are flipped, their coordinates too, and left and right keep their names",
    part="labels",
    names={"labels-misaligned", "labels-unrelated"}, says="The same picture, flipped, has other targets.",
    words=r"flip|augment|contradict|misalign|do not belong|left and right", enough=0.8,
)  # fmt: skip
def flipped_left_is_right(faulty: bool) -> Run:
    n, side = 1024, 10
    row, left, right_ = torch.randint(side, (n, 2)), torch.randint(side // 2, (n,)), torch.randint(side // 2, (n,))
    column = torch.stack([left, side // 2 + right_], 1)
    x = 0.1 * torch.randn(n, 1, side, side)
    for one in range(2):
        x[torch.arange(n), 0, row[:, one], column[:, one]] = 1.0
    y = torch.cat([column, row], 1) / (side - 1)  # columns of the left and of the right point, then their rows
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 64), nn.ReLU(),
        nn.Linear(64, 4),
    )  # fmt: skip
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(n)
        flipped = torch.rand(32) < 0.5
        mirrored = torch.cat([1 - y[r, :2], y[r, 2:]], 1)
        if not faulty:
            mirrored = mirrored[:, [1, 0, 3, 2]]
        seen = torch.where(flipped[:, None, None, None], x[r].flip(3), x[r])
        return descend(F.mse_loss(net(seen), torch.where(flipped[:, None], mirrored, y[r])), optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), loss=F.mse_loss, steps=400,
        quality=lambda: explained(net, x, y),
    )  # fmt: skip


@fault(
    "acids-ircam/diffusion_models#8",
    what="a diffusion model learns with noise from rand, and its samples begin with noise from randn",
    part="inputs",
    names={"noise-not-normal"}, says="The noise that is to be told has a mean of 0.5: it is not normal.",
    words=r"normal|gaussian|\brandn?\b|mean of the (noise|target)", enough=-0.2,
)  # fmt: skip
def uniform_noise(faulty: bool) -> Run:
    angle = torch.rand(2048) * 6.2832
    points, times = torch.stack([angle.cos(), angle.sin()], 1), 30
    kept = torch.linspace(0.999, 0.75, times).cumprod(0)
    net = mlp(2 + 8, 2, 64)
    optimiser = adam(net)

    def told(x: Tensor, t: Tensor) -> Tensor:
        waves = t[:, None] / times * torch.tensor([1.0, 2.0, 4.0, 8.0])
        return net(torch.cat([x, waves.sin(), waves.cos()], 1))

    def step(i: int) -> Tensor:
        r, t = rows(2048, 128), torch.randint(times, (128,))
        noise = torch.rand(128, 2) if faulty else torch.randn(128, 2)
        share = kept[t][:, None]
        return descend(F.mse_loss(told(share.sqrt() * points[r] + (1 - share).sqrt() * noise, t), noise), optimiser)

    def quality() -> float:  # minus how far samples are from the ring
        x = torch.randn(512, 2)
        with torch.no_grad():
            for t in reversed(range(times)):
                before = kept[t - 1] if t else torch.tensor(1.0)
                noise = told(x, torch.full((512,), t))
                clean = (x - (1 - kept[t]).sqrt() * noise) / kept[t].sqrt()
                x = before.sqrt() * clean + (1 - before).sqrt() * noise
        return -float((x.norm(dim=1) - 1).abs().mean())

    return Run(net=net, step=step, optimiser=optimiser, steps=800, quality=quality)
