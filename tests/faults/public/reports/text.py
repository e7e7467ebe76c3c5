"""Text and other sequences: ids, padding, masks, states."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, explained, outputs, usual
from tests.faults.public.nets import TinyGPT
from tests.faults.public.tasks import padded, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "mlabonne/llm-course#33", "deepseek-ai/DeepSeek-Coder#163",
    what="the id that ends a text also fills up the batch, and is left out of the loss: the end is never learnt",
    part="labels",
    names={"id-never-counted"}, says="The id 0 is among the inputs, and is never a target that counts.",
    words=r"never (a target|counted|learn)|left out of the loss|ignore", enough=0.8,
)  # fmt: skip
def end_never_learnt(faulty: bool) -> Run:
    lengths = torch.randint(2, 7, (1024,))
    ids = (lengths[:, None] - torch.arange(10)).clamp(0)  # counts down to its end, which is 0
    x, y = ids[:, :-1], ids[:, 1:]
    counted = torch.where(y > 0, y, -100)
    ends = (x > 0) & (y == 0)
    if not faulty:
        counted[ends] = 0
    net = TinyGPT(vocab=8, length=10)

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())

    return usual(
        net, x, counted, loss, steps=150, quality=lambda: (outputs(net, x).argmax(2)[ends] == 0).float().mean()
    )


@fault(
    "ibalazevic/TuckER#17", "hyunwoongko/transformer#2",
    what="padding_idx=0 where 0 is a thing like others: its embedding stays 0",
    part="network",
    names={"padding-idx-used"}, says="The row of padding_idx is read and never learns: 0 is a real id here.",
    words=r"padding_idx", enough=0.9,
)  # fmt: skip
def padding_index_is_a_word(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Embedding(8, 16, padding_idx=0 if faulty else None)
            self.other = nn.Embedding(8, 16, padding_idx=0 if faulty else None)

        def forward(self, pairs: Tensor) -> Tensor:  # how well two things go together
            return (self.one(pairs[:, 0]) * self.other(pairs[:, 1])).sum(1)

    x = torch.randint(8, (2048, 2))
    y = (torch.rand(8, 8) < 0.5).float()[x[:, 0], x[:, 1]]
    net = Net()
    with_0 = (x == 0).any(1)

    def quality() -> Tensor:  # on pairs with the thing 0
        return ((outputs(net, x[with_0]) > 0) == y[with_0]).float().mean()

    return usual(net, x, y, F.binary_cross_entropy_with_logits, optimiser=adam(net, 2e-2), quality=quality)


@fault(
    "autoliuweijie/BERT-whitening-pytorch#13", "jsboige/CoursIA#15045", "dbiir/UER-py#190",
    what="the mean over a sequence takes in its padding",
    part="network",
    names={"reads-padding"}, says="The outputs depend on the padding: the mean is taken over it too.",
    words=r"padding", enough=0.9,
)  # fmt: skip
def mean_over_padding(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 16), nn.Linear(16, 1)

        def forward(self, ids: Tensor) -> Tensor:
            real = torch.ones_like(ids)[..., None] if faulty else (ids > 0).long()[..., None]
            return self.head((self.embed(ids) * real).sum(1) / real.sum(1))

    x, lengths = padded(length=24, shortest=2)
    y = (x.sum(1) / lengths - 4.5)[:, None]
    net = Net()
    return usual(net, x, y, F.mse_loss, optimiser=adam(net, 1e-2), steps=500, quality=lambda: explained(net, x, y))


@fault(
    "lucidrains/flamingo-pytorch#10", "huggingface/transformers#35162", "opendilab/DI-engine#333",
    what="scores.masked_fill(...) whose result is dropped: the mask of padding has no effect",
    part="network",
    names={"input-ignored", "mask-without-effect"}, says="The mask that the net is given makes no difference.",
    words=r"mask", enough=0.9,
)  # fmt: skip
def mask_result_dropped(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.score, self.head = nn.Embedding(9, 32), nn.Linear(32, 1), nn.Linear(32, 2)

        def forward(self, ids: Tensor, empty: Tensor) -> Tensor:
            h = self.embed(ids)
            scores = self.score(h)[..., 0]
            hidden = scores.masked_fill(empty, -torch.inf)
            weights = (scores if faulty else hidden).softmax(1)
            return self.head((weights[..., None] * h).sum(1))

    kept, _ = padded(length=16, shortest=2)
    y = ((kept > 4).sum(1) > (kept > 0).sum(1) / 2).long()
    leftover = torch.randint(1, 9, kept.shape)  # what stood in the buffer before
    empty = kept == 0
    x, net = torch.where(empty, leftover, kept), Net()
    optimiser = adam(net, 1e-2)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r], empty[r]), y[r]), optimiser)

    def quality() -> Tensor:
        return (net(x, empty).argmax(1) == y).float().mean()

    return Run(
        net=net, step=step, optimiser=optimiser, batch=((x[:32], empty[:32]), y[:32]), steps=300, quality=quality
    )


@fault(
    "OpenNMT/OpenNMT-py#1164", "lmjohns3/theanets#132",
    what="a long sequence is learnt in windows, and each window begins with an empty state",
    part="loop",
    names={"state-not-carried"},
    says="The windows follow on each other, and the state is not carried from one to the next.",
    words=r"state .*(carr|kept|window|reset|begin)", enough=0.9,
)  # fmt: skip
def state_not_carried(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.head = nn.GRU(5, 32, batch_first=True), nn.Linear(32, 4)

        def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
            out, state = self.gru(x, state)
            return self.head(out), state

    signal = torch.randint(4, (32, 40))  # one for each 12 steps, shown at the first of them, asked for at all
    y = signal.repeat_interleave(12, 1)
    first = (torch.arange(480) % 12 == 0).float()
    x = torch.cat([F.one_hot(y, 4) * first[:, None], first[:, None].expand(32, 480, 1)], 2)
    net = Net()
    optimiser = adam(net, 1e-2)
    held: list[Tensor | None] = [None]

    def step(i: int) -> Tensor:
        part = slice(4 * i % 480, 4 * i % 480 + 4)
        out, state = net(x[:, part], held[0])
        held[0] = None if faulty else state.detach()
        return descend(F.cross_entropy(out.flatten(0, 1), y[:, part].flatten()), optimiser)

    def quality() -> Tensor:  # the whole sequence at once
        return (net(x)[0].argmax(2) == y).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, steps=600, quality=quality)
