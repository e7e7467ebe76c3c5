"""Sequences: what a mask hides, and the order of rows."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, outputs, usual
from tests.faults.public.nets import Block, TinyGPT, over_time
from tests.faults.public.tasks import chain, padded
from torch import Tensor, nn


def _next_ids(net: nn.Module, ids: Tensor) -> Tensor:
    """Return the share of next ids that are right when nothing beyond them can be seen."""
    right = [outputs(net, ids[:, :t])[:, -1].argmax(1) == ids[:, t] for t in (6, 12, 18)]
    return torch.stack(right).float().mean()


@fault(
    "pytorch/pytorch#21518",
    what="a causal mask of zeros and ones for MultiheadAttention, which adds masks of floats to its scores",
    part="network",
    names={"sees-the-future"}, says="Outputs depend on later positions: the mask is added, it hides nothing.",
    words=r"mask|future|later position", enough=0.75,
)  # fmt: skip
def mask_is_added(faulty: bool) -> Run:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.MultiheadAttention(32, 2, batch_first=True)

        def forward(self, x: Tensor, empty: Tensor | None = None) -> Tensor:
            seen = torch.ones(x.shape[1], x.shape[1]).tril()
            return self.inner(x, x, x, attn_mask=seen if faulty else ~seen.bool(), need_weights=False)[0]

    ids, net = chain(), TinyGPT(block=Block(Attention()))
    return usual(
        net, ids[:, :-1], ids[:, 1:], over_time, optimiser=adam(net, 5e-3), steps=250,
        quality=lambda: _next_ids(net, ids),
    )  # fmt: skip


@fault(
    "fartashf/vsepp#36", "pytorch/pytorch#3584",
    what="a net sorts its sequences by length to pack them, and does not put its outputs back in order",
    part="network",
    names={"examples-mixed", "labels-misaligned"}, says="A row of the outputs depends on another row of the inputs.",
    words=r"order of|mixed|other (rows|examples)|unsort|rows", enough=0.8, also={"not-learning"},
)  # fmt: skip
def sorted_and_not_put_back(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.head = nn.Embedding(9, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 8)

        def forward(self, ids: Tensor) -> Tensor:
            lengths, order = (ids > 0).sum(1).sort(descending=True)
            packed = nn.utils.rnn.pack_padded_sequence(self.embed(ids[order]), lengths, batch_first=True)
            out = self.head(self.rnn(packed)[1][0])
            return out if faulty else out[order.argsort()]

    x, lengths = padded(1024, 8)
    net = Net()
    y = x.gather(1, lengths[:, None] - 1)[:, 0] - 1
    return usual(net, x, y, optimiser=adam(net, 1e-2), steps=250)
