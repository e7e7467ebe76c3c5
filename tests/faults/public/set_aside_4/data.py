"""Inputs that lost what they tell, labels of another moment, minibatches that come again and again."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, explained, outputs, right, usual
from tests.faults.public.nets import cnn, mlp
from tests.faults.public.tasks import classes, pictures, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "NVIDIA/Isaac-GR00T#758",
    what="readings are whole numbers, and what scales them to -1 to 1 writes into an array of whole numbers",
    part="inputs",
    names={"inputs-truncated"}, says="Scaled inputs that take two values only: a fraction was cut off.",
    words=r"truncat|rounded|(two|few) (different )?values|nearly (constant|all)|whole numbers",
    also={"input-ignored"}, enough=0.8,
)  # fmt: skip
def scaled_in_whole_numbers(faulty: bool) -> Run:
    readings = torch.randint(0, 11, (1024, 6))
    exact = readings / 10 * 2 - 1
    y = exact[:, 0] * exact[:, 1] * 2 + torch.sin(3 * exact[:, 2]) + exact[:, 3]
    y = (y - y.mean()) / y.std()
    x = ((readings / 10).long() * 2 - 1).float() if faulty else exact
    net = mlp(6, 1, 64, nn.Flatten(0))
    return usual(net, x, y, F.mse_loss, steps=400, quality=lambda: explained(net, x, y))


@fault(
    "facebookresearch/InterHand2.6M#110", "zejinwang/Blind2Unblind#16",
    what="ToTensor has divided the pixels by 255, and the data set divides them once more: all are below 1/255",
    part="inputs",
    names={"input-scale", "vanishing-signal"}, says="The inputs are very small.",
    words=r"inputs? .*(small|near 0|close to 0|scale)", also={"learning-rate-too-low"}, enough=0.9,
)  # fmt: skip
def divided_by_255_twice(faulty: bool) -> Run:
    x, y = pictures(1024)
    x = x - x.amin()
    x = x / x.amax() / (255 if faulty else 1)
    net = cnn()
    net(x[:2])
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    return usual(net, x, y, optimiser=optimiser, steps=500)


@fault(
    "conglu1997/v-d4rl#8",
    what="the replay memory gives a state and an action with the reward of the step after",
    part="labels",
    names={"labels-shifted", "labels-unrelated"}, says="The targets belong to the examples one place further.",
    words=r"(targets|labels) .*(shift|one (place|step|row)|neighbour|misaligned|another example)", enough=0.8,
)  # fmt: skip
def reward_of_the_next_step(faulty: bool) -> Run:
    n = 2048
    state, action = torch.randn(n, 3), torch.randn(n, 2)
    for t in range(1, n):
        state[t] = 0.7 * state[t - 1] + 0.7 * state[t]
    reward = 1 - state[:, :2].square().sum(1) - action[:, 0] * state[:, 2] + action[:, 1]
    reward = (reward - reward.mean()) / reward.std()
    x = torch.cat([state, action], 1)
    net = mlp(5, 1, 64, nn.Flatten(0))
    given = reward.roll(-1) if faulty else reward
    return usual(net, x, given, F.mse_loss, steps=500, quality=lambda: explained(net, x, reward))


@fault(
    "timsainb/vocalization-segmentation#3", "spotify/basic-pitch#190",
    what="frames are counted with a step that is a little too long: labels fall behind as a recording goes on",
    part="labels",
    names={"labels-shifted", "labels-unrelated"}, says="Labels fit at the start of a sequence and not at its end.",
    words=r"(targets|labels) .*(shift|drift|late|early|misaligned)|worse .*(end|later)", enough=0.85,
)  # fmt: skip
def labels_fall_behind(faulty: bool) -> Run:
    n, length = 384, 48
    change = torch.rand(n, length) < 0.25
    kinds = torch.randint(5, (n, length))
    y = torch.gather(kinds, 1, torch.where(change, torch.arange(length), 0).cummax(1).values)
    x = F.one_hot(y, 5).float() @ torch.randn(5, 8) + 0.5 * torch.randn(n, length, 8)
    given = y[:, (torch.arange(length) * 0.85).long()] if faulty else y

    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv1d(8, 32, 3, padding=1),
                nn.ReLU(),
                nn.Conv1d(32, 32, 3, padding=1),
                nn.ReLU(),
                nn.Conv1d(32, 5, 1),
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x.mT)

    net = Frames()
    return usual(net, x, given, size=16, steps=400, quality=lambda: right(net, x, y, 1))


@fault(
    "dscripka/openWakeWord#202",
    what="each worker of the loader counts for itself: the same minibatch comes sixty times, then the next one",
    part="loop",
    names={"few-examples", "not-shuffled"}, says="The same examples come in step after step.",
    words=r"same (mini)?batch|same examples|few examples|again and again|repeat", also={"overfitting"}, enough=0.7,
)  # fmt: skip
def minibatch_sixty_times(faulty: bool) -> Run:
    x, y = classes(4096)
    held = torch.randn(1024, 20)
    kinds = held[:, :5].argmax(1)
    net = mlp()
    order = torch.randperm(len(x))

    def draw(i: int) -> Tensor:
        return order[32 * (i // 60) : 32 * (i // 60) + 32] if faulty else rows(len(x))

    quality = lambda: float((outputs(net, held).argmax(1) == kinds).float().mean())  # noqa: E731
    return usual(net, x, y, draw=draw, optimiser=adam(net), quality=quality)
