"""Networks whose parts are one, unconnected or the wrong way round; loops whose optimiser is not what it seems."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import mlp, over_time
from tests.faults.public.tasks import classes, curve, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "linkedin/Liger-Kernel#269", "yaoppeng/U-Net_v2#10", "acids-ircam/ddsp_pytorch#37",
    what="the heads of five tasks are made by [head] * 5: they are one head, and answer all tasks alike",
    part="network",
    names={"heads-shared", "layers-shared", "outputs-identical"},
    says="One module stands in the list five times: all five outputs are the same.",
    words=r"share|same (layer|module|head|weights?|output|value)|identical (layer|output|head)|one (layer|module)",
    enough=0.7, also={"identical-units", "not-learning"},
)  # fmt: skip
def heads_that_are_one(faulty: bool) -> Run:
    x = torch.randn(1024, 10)
    y = torch.stack([x[:, i] * x[:, i + 1] for i in range(5)], 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp(10, 48, 96)
            self.heads = nn.ModuleList([nn.Linear(48, 1)] * 5 if faulty else [nn.Linear(48, 1) for _ in range(5)])

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.body(x))
            return torch.cat([head(x) for head in self.heads], 1)

    net = Net()
    return usual(net, x, y, F.mse_loss, size=64, steps=500, quality=lambda: explained(net, x, y))


@fault(
    "neulab/xnmt#132", "bentrevett/pytorch-seq2seq#3",
    what="the decoder does not begin with the state in which the encoder ended: it knows nothing of the source",
    part="network",
    names={"input-ignored", "not-reached-by-gradient", "unused-layer", "encoder-unused"},
    says="What the encoder gives has no effect on the output.",
    words=r"encoder|(input|source|positions?).*(no effect|ignored)|never used|unused", enough=0.75,
    also={"not-learning"},
)  # fmt: skip
def decoder_of_no_source(faulty: bool) -> Run:
    vocab, length = 8, 5
    source = torch.randint(vocab, (1024, length))
    before = torch.cat([torch.full((1024, 1), vocab), source[:, :-1]], 1)  # what was written, after a first sign
    ids = torch.cat([source, before], 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Embedding(vocab + 1, 24)
            self.encoder, self.decoder = (nn.GRU(24, 64, batch_first=True) for _ in range(2))
            self.head = nn.Linear(64, vocab)

        def forward(self, ids: Tensor) -> Tensor:
            read, written = self.token(ids).split(length, 1)
            _, state = self.encoder(read)
            out, _ = self.decoder(written, None if faulty else state)
            return self.head(out)

    net = Net()
    return usual(net, ids, source, over_time, optimiser=adam(net, 1e-2), steps=400,
                 quality=lambda: right(net, ids, source))  # fmt: skip


@fault(
    "pyg-team/pytorch_geometric#126", "danielegrattarola/spektral#240",
    what="in a directed graph, messages are sent against the edges: each node hears from those that it points to",
    part="network",
    names={"edges-reversed", "messages-against-edges"}, says="The adjacency matrix has to be transposed.",
    words=r"transpos|edges?|direction|adjacen|source and target", enough=0.7,
    also={"not-learning", "overfitting"},
)  # fmt: skip
def against_the_edges(faulty: bool) -> Run:
    n, nodes = 1024, 6
    leads = (torch.rand(n, nodes, nodes) < 0.3).float() * (1 - torch.eye(nodes))  # from the row to the column
    own = torch.randn(n, nodes, 3)
    heard = leads.transpose(1, 2) @ own[..., :1].tanh()
    y = (heard * own[..., 1:2])[..., 0]
    x = torch.cat([own, leads], 2)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.message, self.tell = mlp(3, 16, 32), mlp(19, 1, 48)

        def forward(self, x: Tensor) -> Tensor:
            own, leads = x.split([3, nodes], 2)
            to = leads if faulty else leads.transpose(1, 2)
            return self.tell(torch.cat([own, to @ self.message(own)], 2))[..., 0]

    net = Net()
    return usual(net, x, y, F.mse_loss, optimiser=adam(net, 5e-3), steps=500, quality=lambda: explained(net, x, y))


@fault(
    "alan-turing-institute/deepsensor#47", "ZantFoundation/Z-Ant#107", "pythoncymetric/cymetric#4",
    what="the optimiser is made anew before each step: its momentum is that of one gradient",
    part="loop",
    names={"optimiser-remade", "momentum-lost"}, says="Each step is the first one of another optimiser.",
    words=r"optimi[sz]er.*(new|again|each|every|another|other|state|made|replaced)|momentum", enough=0.8,
    also={"learning-rate-too-low", "not-learning"},
)  # fmt: skip
def optimiser_made_each_step(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()

    def made() -> torch.optim.Optimizer:
        return torch.optim.SGD(net.parameters(), lr=4e-3, momentum=0.95)

    kept = None if faulty else made()

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), kept or made())

    return Run(
        net=net, step=step, batch=(x[:32], y[:32]), loss=F.cross_entropy, steps=400, quality=lambda: right(net, x, y),
    )  # fmt: skip


@fault(
    "huggingface/diffusers#1009", "ahrefs/ocannl#673",
    what="trained layers are frozen by gradients of 0, and given to AdamW all the same: its decay takes them to 0",
    part="loop",
    names={"frozen-but-decaying", "weight-decay-dominates"},
    says="Weights whose gradient is 0 shrink in each step: do not give them to the optimiser.",
    words=r"decay|frozen|requires_grad|shrink", enough=0.75,
    also={"vanishing-signal", "vanishing-gradients", "not-reached-by-gradient", "not-learning"},
)  # fmt: skip
def frozen_and_decayed(faulty: bool) -> Run:
    x, y = classes(2048, kinds=5)
    body, head = mlp(20, 32)[:4], nn.Linear(64, 5)
    before = nn.Sequential(body, head)
    optimiser = adam(before)
    for _ in range(250):
        r = rows(2048)
        descend(F.cross_entropy(before(x[r]), y[r]), optimiser)

    other = x[:, :5].argmin(1)  # another question, whose answer is in the same numbers
    net = nn.Sequential(body, nn.Linear(64, 5))
    if not faulty:
        body.requires_grad_(False)
    trained = [one for one in net.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=2e-2, weight_decay=0.5)

    def step(i: int) -> Tensor:
        r = rows(2048)
        loss = F.cross_entropy(net(x[r]), other[r])
        optimiser.zero_grad()
        loss.backward()
        for one in body.parameters():
            if one.grad is not None:
                one.grad.zero_()
        optimiser.step()
        return loss

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], other[:32]), loss=F.cross_entropy, steps=600,
        quality=lambda: right(net, x, other),
    )  # fmt: skip


@fault(
    "pytorch/examples#64", "wohlert/generative-query-network-pytorch#5",
    what="the falling rate is written into state_dict(), which is a copy: all steps are as long as the first",
    part="loop",
    names={"rate-not-changed", "schedule-without-effect", "learning-rate-too-high"},
    says="The learning rate that was computed never reaches the optimiser: write it to param_groups.",
    words=r"schedule|param_groups|(learning )?rate.*(high|large|same|never|constant|falls?)", enough=0.8,
    also={"dead-units", "saturated-units", "exploding-signal", "exploding-gradients", "not-learning", "not-finite"},
)  # fmt: skip
def rate_written_to_a_copy(faulty: bool) -> Run:
    x, y = curve()
    net = mlp(6, 1)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)

    def step(i: int) -> Tensor:
        groups = optimiser.state_dict()["param_groups"] if faulty else optimiser.param_groups
        for group in groups:
            group["lr"] = 0.2 * 0.1 ** (i / 160)
        r = rows(len(x))
        return descend(F.mse_loss(net(x[r]), y[r, None]), optimiser)

    def quality() -> Tensor:
        return (1 - (outputs(net, x)[:, 0] - y).square().mean() / y.var()).nan_to_num(-1.0)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32, None]), loss=F.mse_loss, steps=500,
        quality=quality,
    )  # fmt: skip
