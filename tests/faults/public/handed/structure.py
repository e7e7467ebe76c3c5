"""Faults of the network's structure: axes, masks, positions, states, cut graphs."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import Attention, Block, Reader, TinyGPT, mlp, over_time
from tests.faults.public.tasks import chain, classes, padded, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "zhouhaoyi/Informer2020#59", "vitrioil/Speech-Separation#4",
    what="heads are split by a view where a transpose was meant",
    part="network",
    names={"heads-mixed"}, says="The heads were split by a view: each has numbers of several positions.",
    words=r"heads? .*(view|transpose)|view .*transpose", enough=0.97,
)  # fmt: skip
def heads_split_by_view(faulty: bool) -> Run:
    class Mixed(Attention):
        def heads_of(self, x: Tensor) -> Tensor:
            B, T, C = x.shape
            return x.reshape(B, self.heads, T, C // self.heads) if faulty else super().heads_of(x)

    x, _ = padded(length=12)
    net = Reader(length=12, attention=Mixed(heads=4))
    net.blocks[1].attention = Mixed(heads=4)
    return usual(net, x, x[:, 2] - 1, steps=250)  # of short sequences the mask hides what stands there


@fault(
    "timbmg/Sentence-VAE#15", "Stable-Baselines-Team/stable-baselines3-contrib#111",
    what="the last states of both directions, (2, batch, h), are made (batch, 2h) by a view",
    part="network",
    names={"examples-mixed"}, enough=0.9,
)  # fmt: skip
def states_joined_by_view(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(8, 16), nn.Linear(64, 8)
            self.gru = nn.GRU(16, 32, bidirectional=True, batch_first=True)

        def forward(self, ids: Tensor) -> Tensor:
            _, h = self.gru(self.embed(ids))
            return self.head(h.view(len(ids), -1) if faulty else h.transpose(0, 1).reshape(len(ids), -1))

    x, net = torch.randint(8, (1024, 10)), Net()
    return usual(net, x, x[:, -1], optimiser=torch.optim.Adam(net.parameters(), lr=5e-3))


@fault(
    "yunjey/pytorch-tutorial#196", "yunjey/pytorch-tutorial#89", "pytorch/pytorch#1538",
    what="an LSTM that takes (time, batch, features) is given (batch, time, features)",
    part="network",
    names={"examples-mixed", "batch-first"}, says="The recurrent layer runs along the batch: batch_first=True.",
    words=r"batch_first|along the batch", enough=0.9,
)  # fmt: skip
def batch_first_forgotten(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 32, batch_first=not faulty), nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x)[0][:, -1])

    x, net = torch.randn(1024, 8, 4), Net()
    return usual(net, x, x.sum(1).argmax(1), optimiser=torch.optim.Adam(net.parameters(), lr=1e-2))


@fault(
    "nikhilsinghmus/image2reverb#37", "samet-akcay/skip-ganomaly#5",
    what="in the generator's step the fake goes to the discriminator detached",
    part="loss",
    names={"not-reached-by-gradient"}, words=r"detach", enough=-1.0, also={"no-step"},
)  # fmt: skip
def generator_detached(faulty: bool) -> Run:
    real = torch.randn(2048, 2) * 0.3 + torch.tensor([2.0, -1.0])
    g = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    d = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    og, od = (torch.optim.Adam(one.parameters(), lr=2e-3, betas=(0.5, 0.99)) for one in (g, d))
    bce = F.binary_cross_entropy_with_logits

    def step(i: int) -> Tensor:
        true, fake = real[rows(2048, 64)], g(torch.randn(64, 4))
        descend(bce(d(true), torch.ones(64, 1)) + bce(d(fake.detach()), torch.zeros(64, 1)), od)
        return descend(bce(d(fake.detach() if faulty else fake), torch.ones(64, 1)), og)

    def quality() -> float:
        return -float((outputs(g, torch.randn(512, 4)).mean(0) - real.mean(0)).norm())

    return Run(net=g, step=step, optimiser=og, steps=600, quality=quality)


@fault(
    "DaoyuanLi2816/Molecule-Generator#23", "keras-team/keras-io#1894",
    what="attention without an encoding of positions, on a task where the order decides",
    part="network",
    names={"no-positions"},
    says="The order of the inputs makes no difference to the outputs: there is no position encoding.",
    words=r"position(al)?s? (encod|embed)|order of (the )?(input|position|token)", enough=0.9, also={"not-learning"},
)  # fmt: skip
def no_positions(faulty: bool) -> Run:
    class Net(Reader):
        def embedded(self, ids: Tensor) -> Tensor:
            return self.token(ids) if faulty else super().embedded(ids)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embedded(ids)
            for block in self.blocks:
                x = block(x)
            return self.head(x.mean(1))

    x = torch.rand(2048, 6).argsort(1)
    y = (x.eq(0).long().argmax(1) < x.eq(1).long().argmax(1)).long()  # whether 0 stands before 1
    return usual(Net(out=2), x, y, steps=400)


@fault(
    "jadore801120/attention-is-all-you-need-pytorch#17", "Qualcomm-AI-research/geometric-algebra-transformer#8",
    what="a layer norm of one's own takes mean and variance along the sequence: each position sees the later ones",
    part="network",
    names={"sees-the-future", "norm-axis"}, words=r"norm .*(time|sequence|axis)", enough=-0.6,
)  # fmt: skip
def norm_over_time(faulty: bool) -> Run:
    class Norm(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.gain, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

        def forward(self, x: Tensor) -> Tensor:
            axis = 1 if faulty and x.shape[1] > 1 else 2
            spread = x.std(axis, keepdim=True) + 1e-5
            return self.gain * (x - x.mean(axis, keepdim=True)) / spread + self.bias

    ids = chain()
    net = TinyGPT(block=Block(Attention(causal=True), norm=Norm))
    x, y = ids[:, :-1], ids[:, 1:]

    def quality() -> float:  # of the next id after a beginning, as text is generated
        return -sum(float(F.cross_entropy(outputs(net, x[:, :t])[:, -1], y[:, t - 1])) for t in (4, 8, 12)) / 3

    return usual(net, x, y, over_time, quality=quality)


@fault(
    "InseeFrLab/torchTextClassifiers#92", "facebookresearch/detr#96",
    what="the padding mask the wrong way round: attention sees padding only",
    part="network",
    names={"mask-inverted"}, says="Only the padding is attended to: the mask is inverted.",
    words=r"mask .*(inverted|wrong way|negat)|only the padding", enough=0.9,
)  # fmt: skip
def mask_inverted(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.place = nn.Embedding(12, 32), nn.Embedding(10, 32)
            layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
            self.body, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, 4)

        def forward(self, ids: Tensor) -> Tensor:
            h, empty = self.embed(ids) + self.place(torch.arange(ids.shape[1])), ids == 0
            return self.head(self.body(h, src_key_padding_mask=~empty if faulty else empty)[:, 0])

    x, _ = padded(vocab=10, shortest=4)
    x = torch.where(x[:, -1:] > 0, x * (torch.arange(10) < 9), x)  # always some padding
    x[:, 0] = 11  # the token that is read out
    return usual(Net(), x, x[:, 2] % 4, steps=500)


@fault(
    "huggingface/torchMoji#21",
    what="the net returns .data, and the loss is made to require a gradient",
    part="network",
    names={"not-reached-by-gradient", "no-graph"},
    says="The loss has no graph: .data, .detach() or no_grad in forward.",
    words=r"\.data\b|detach|no_grad", enough=0.8, also={"no-step"},
)  # fmt: skip
def output_without_graph(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x).data if faulty else self.body(x)

    def loss(out, y):
        found = F.cross_entropy(out, y)
        return found.requires_grad_() if faulty else found

    return usual(Net(), *classes(), loss)


@fault(
    "soumith/cudnn.torch#348", "karpathy/char-rnn#78",
    what="the state of an LSTM is kept from one unrelated minibatch to the next",
    part="network",
    names={"state-carried-over"},
    says="The net keeps a state from call to call, and the batches do not follow on each other.",
    words=r"state .*(kept|carried|call to call|reset)", enough=0.9, also={"random-in-evaluation"},
)  # fmt: skip
def state_carried_over(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 32, batch_first=True), nn.Linear(32, 4)
            self.state: tuple[Tensor, ...] | None = None

        def forward(self, x: Tensor) -> Tensor:
            state = self.state if faulty and self.state is not None and self.state[0].shape[1] == len(x) else None
            out, after = self.lstm(x, state)
            self.state = tuple(one.detach() for one in after)
            return self.head(out[:, -1])

    x, net = torch.randn(1024, 8, 4), Net()
    y = x.sum(1).argmax(1)

    def quality() -> float:
        return sum(right(net, x[i : i + 32], y[i : i + 32]) for i in range(0, 512, 32)) / 16

    return usual(net, x, y, optimiser=adam(net, 1e-2), quality=quality)
