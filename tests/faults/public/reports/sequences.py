"""Text and other sequences: masked ids, padding, positions, attention, alignment."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, outputs, usual
from tests.faults.public.nets import Attention, Block, Reader, TinyGPT
from tests.faults.public.tasks import chain, padded
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "huggingface/transformers#20797", "huggingface/transformers#4840",
    what="a masked language model whose loss counts all ids, not only those that were hidden",
    part="labels",
    names={"copies-inputs", "labels-shifted"}, says="Most targets are the ids that the net reads at their very places.",
    words=r"(targets?|labels?) .*(inputs?|reads|same place)|copy|hidden|masked", enough=0.7,
)  # fmt: skip
def all_ids_counted(faulty: bool) -> Run:
    ids = chain(2048)
    hidden = torch.rand(ids.shape) < 0.04
    hidden[:, 0] = hidden[:, -1] = False
    x = torch.where(hidden, 12, ids)
    y = ids if faulty else torch.where(hidden, ids, -100)
    net = TinyGPT(vocab=13, block=Block(Attention()))

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())

    def quality() -> Tensor:
        return (outputs(net, x).argmax(2) == ids)[hidden].float().mean()

    return usual(net, x, y, loss, optimiser=adam(net, 6e-3), quality=quality, causal=False)


@fault(
    "vgel/repeng#38", "thtrieu/qclass_dl#1",
    what="the last output of a recurrent net is taken, which for most sequences stands at padding",
    part="network",
    names={"reads-padding"}, says="The output is read where most examples have padding.", words=r"padding|lengths",
    enough=0.9,
)  # fmt: skip
def last_output_at_padding(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.head = nn.Embedding(9, 16), nn.RNN(16, 32, batch_first=True), nn.Linear(32, 8)

        def forward(self, ids: Tensor) -> Tensor:
            out, _ = self.rnn(self.embed(ids))
            last = torch.full((len(ids),), -1) if faulty else (ids > 0).sum(1) - 1
            return self.head(out[torch.arange(len(ids)), last])

    x, lengths = padded(length=40)
    return usual(Net(), x, x.gather(1, lengths[:, None] - 1)[:, 0] - 1)


@fault(
    "cmu-l3/anlp-fall2025-code#1", "tanjimin/C.Origami#42", "AkiRusProd/numpy-transformer#1",
    what="positions are numbered along the batch, not along the sequence",
    part="network",
    names={"no-positions", "examples-mixed", "position-axis"},
    says="An example's outputs depend on its place in the batch: positions run along the batch.",
    words=r"position|order of|place in the batch", enough=0.9, also={"not-learning"},
)  # fmt: skip
def positions_along_the_batch(faulty: bool) -> Run:
    class Net(Reader):
        def embedded(self, ids: Tensor) -> Tensor:
            place = torch.arange(ids.shape[0])[:, None] % 64 if faulty else torch.arange(ids.shape[1])
            return self.token(ids) + self.place(place)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embedded(ids)
            for block in self.blocks:
                x = block(x)
            return self.head(x.mean(1))

    x = torch.rand(2048, 6).argsort(1)
    y = (x.eq(0).long().argmax(1) < x.eq(1).long().argmax(1)).long()  # whether 0 stands before 1
    return usual(Net(out=2, length=64), x, y, steps=400)


@fault(
    "esceptico/perceiver-io#9",
    what="scores of attention are multiplied by the root of the width where they should be divided",
    part="network",
    names={"attention-saturated", "saturated-units"},
    says="Attention looks at one position only from the start: its scores are too large.",
    words=r"attention .*(satur|scale|one (position|key)|large)|sqrt|root of", enough=0.9,
)  # fmt: skip
def scores_scaled_up(faulty: bool) -> Run:
    class Sharp(Attention):
        def scores(self, q: Tensor, k: Tensor) -> Tensor:
            return super().scores(q, k) * (q.shape[-1] if faulty else 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(8, 64), nn.Embedding(16, 64)
            self.norm, self.attention = nn.LayerNorm(64), Sharp(64, 1)
            self.head = nn.Sequential(nn.GELU(), nn.Linear(64, 8))

        def forward(self, ids: Tensor) -> Tensor:
            x = self.norm(self.token(ids) + self.place(torch.arange(16)))
            return self.head(self.attention(x)[:, 0])

    x = torch.randint(8, (2048, 16))
    x[:, 0] = torch.randint(4, (2048,))  # tells which of the next ones is the answer
    return usual(Net(), x, x.gather(1, x[:, :1] + 1)[:, 0], steps=300)


@fault(
    "SeanNaren/deepspeech.pytorch#354",
    what="the blank of a CTC loss is the first index, and the labels take it for the last",
    part="loss",
    names={"ctc-blank"}, says="Targets of the CTC loss contain its blank.", words=r"blank", enough=0.8,
)  # fmt: skip
def blank_at_the_wrong_index(faulty: bool) -> Run:
    letters = torch.randint(4, (1024, 5))
    x = F.one_hot(letters.repeat_interleave(3, 1), 4) + 0.3 * torch.randn(1024, 15, 4)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.head = nn.GRU(4, 32, bidirectional=True, batch_first=True), nn.Linear(64, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.gru(x)[0]).log_softmax(2)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        sizes = torch.full((len(y),), 15), torch.full((len(y),), 5)
        return F.ctc_loss(out.transpose(0, 1), y, *sizes, blank=0 if faulty else 4)

    net = Net()

    def quality() -> float:  # the share read without an error; 4 is the blank
        best = outputs(net, x[:200]).argmax(2)
        read = [[int(k) for k in one.unique_consecutive() if k != 4] for one in best]
        return sum(a == b for a, b in zip(read, letters[:200].tolist(), strict=True)) / 200

    return usual(net, x, letters, loss, optimiser=adam(net, 1e-2), quality=quality)
