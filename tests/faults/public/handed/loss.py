"""Faults of the loss: what it is given, and how it is added up."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import VAE, TinyGPT, kl, mlp
from tests.faults.public.tasks import chain, classes, curve, products, rows
from torch import nn
from torch.nn import functional as F

PROBABILITIES = "The loss wants log-probabilities and is given probabilities."


@fault(
    "MicrosoftDocs/pytorchfundamentals#21", "DeepReinforcementLearning/DeepReinforcementLearningInAction#32",
    what="log_softmax over the batch in place of the classes",
    part="loss",
    names={"examples-mixed", "softmax-axis"}, words=r"softmax .*(axis|batch|dim)", enough=0.8,
)  # fmt: skip
def log_softmax_over_the_batch(faulty: bool) -> Run:
    x, y = classes()
    net = mlp(20, 5, 64, nn.LogSoftmax(dim=0 if faulty else 1))

    def quality() -> float:  # one at a time, as it is used
        return float((torch.cat([outputs(net, one[None]) for one in x[:200]]).argmax(1) == y[:200]).float().mean())

    return usual(net, x, y, F.nll_loss, optimiser=torch.optim.SGD(net.parameters(), lr=0.1), steps=600, quality=quality)


@fault(
    "yanx27/Pointnet_Pointnet2_pytorch#30", "AnubhavGupta3377/Text-Classification-Models-Pytorch#9",
    what="nll_loss is given probabilities, not their logarithms",
    part="loss",
    names={"loss-of-probabilities"}, says=PROBABILITIES, words=r"log-?probabilit|log_softmax", enough=0.9,
)  # fmt: skip
def nll_of_probabilities(faulty: bool) -> Run:
    x, y = classes()
    net = mlp(20, 5, 64, nn.Softmax(dim=1) if faulty else nn.LogSoftmax(dim=1))
    return usual(net, x, y, F.nll_loss, optimiser=torch.optim.SGD(net.parameters(), lr=0.1), steps=500)


@fault(
    "avBuffer/UNet3plus_pth#23", "yudi-mars/daisyRec#15",
    what="a sigmoid at the end of the net, and a loss that takes one too",
    part="loss",
    names={"sigmoid-twice"}, says="A sigmoid is applied twice: the loss takes one too.",
    words=r"sigmoid (is applied )?twice|two sigmoids|sigmoid .* already", enough=-0.3,
)  # fmt: skip
def sigmoid_twice(faulty: bool) -> Run:
    x, y = products()
    net = mlp(20, 1, 64, *([nn.Sigmoid()] if faulty else []))
    loss = F.binary_cross_entropy_with_logits

    def quality() -> float:  # minus the loss of what it is used as: a probability
        return -float(loss(outputs(net, x), y))

    return usual(net, x, y, loss, optimiser=torch.optim.Adam(net.parameters(), lr=1e-2), steps=400, quality=quality)


@fault(
    "microsoft/ProDA#20", "AberHu/Knowledge-Distillation-Zoo#12",
    what="distillation by kl_div of the student's probabilities, not their logarithms",
    part="loss",
    names={"loss-of-probabilities"},
    says=PROBABILITIES, words=r"log-?probabilit|log_softmax|never negative", enough=-0.09,
)  # fmt: skip
def kl_div_of_probabilities(faulty: bool) -> Run:
    x, y = classes()
    teacher, net = mlp(20, 5, 32), mlp(20, 5, 32)
    teach = adam(teacher, 1e-2)
    for _ in range(150):
        descend(F.cross_entropy(teacher(x), y), teach)
    wanted = (teacher(x) / 2).softmax(1).detach()

    def loss(out, p):
        return F.kl_div((out / 2).softmax(1) if faulty else (out / 2).log_softmax(1), p, reduction="batchmean")

    def quality() -> float:
        return -float((outputs(net, x) / 2).softmax(1).sub(wanted).abs().sum(1).mean())

    return usual(net, x, wanted, loss, optimiser=adam(net, 1e-2), quality=quality)


@fault(
    "vitrioil/Speech-Separation#4", "pytorch/pytorch#27626",
    what="logits (batch, classes, time) flattened by view(-1, classes): rows have numbers of several places",
    part="loss",
    names={"logits-mixed"}, says="The logits were flattened without moving the classes to the end first.",
    words=r"permute|transpose|flattened|mixes? (axes|classes)", enough=0.9, also={"not-learning"},
)  # fmt: skip
def logits_flattened_wrongly(faulty: bool) -> Run:
    x = torch.randn(1024, 3, 16)
    y = x.argmax(1)
    net = nn.Sequential(nn.Conv1d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv1d(32, 3, 1))

    def loss(out, y):
        return F.cross_entropy((out if faulty else out.transpose(1, 2)).reshape(-1, 3), y.reshape(-1))

    return usual(
        net, x, y, loss, optimiser=torch.optim.Adam(net.parameters(), lr=1e-2), quality=lambda: right(net, x, y, 1)
    )


@fault(
    "huggingface/transformers#2759", "lucidrains/DALLE-pytorch#57",
    what="the loss counts the padding, four ids in five",
    part="loss",
    names={"padding-counted"}, says="Most targets are the id that fills up the inputs: leave them out of the loss.",
    words=r"padding|ignore_index", enough=-0.6,
)  # fmt: skip
def padding_counted(faulty: bool) -> Run:
    ids = torch.cat([chain(length=8) + 1, torch.zeros(512, 40, dtype=torch.long)], 1)
    x, y = ids[:, :-1], ids[:, 1:]
    net = TinyGPT(vocab=13, length=48)

    def real(logits, y):
        return F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=0)

    def loss(logits, y):
        return F.cross_entropy(logits.flatten(0, 1), y.flatten()) if faulty else real(logits, y)

    return usual(net, x, y, loss, steps=50, quality=lambda: -float(real(outputs(net, x), y)))


@fault(
    "AppliedDataSciencePartners/WorldModels#12", "YannDubs/disentangling-vae#50",
    what="a VAE whose reconstruction is a mean and whose KL is a sum: its latents go unused",
    part="loss",
    names={"output-constant", "loss-terms"},
    says="The outputs do not differ between examples: one term of the loss outweighs.",
    words=r"outputs? (do|does) not (differ|depend)|outweigh|collapse", enough=0.5, also={"not-learning"},
)  # fmt: skip
def kl_outweighs(faulty: bool) -> Run:
    x = torch.tanh(torch.randn(1024, 3) @ torch.randn(3, 64))
    net = VAE()

    def loss(out, x):
        again, mean, logvar = out
        squares = (again - x).square()
        return (squares.mean() if faulty else squares.sum(1).mean()) + kl(mean, logvar)

    def quality() -> float:  # share of the inputs' spread that the outputs have
        return float(outputs(net, x)[0].std(0).mean() / x.std(0).mean())

    return usual(
        net, x, x, loss, size=64, optimiser=torch.optim.Adam(net.parameters(), lr=2e-3), steps=600, quality=quality,
        examined_after=True,
    )  # fmt: skip


@fault(
    "ProteomicsML/ProteomicsML#203", "jvargasmu/population_estimation#68",
    what="a ReLU on the output of a regression whose targets are of both signs",
    part="network",
    names={"output-range"}, says="The output cannot reach many of the targets: its last layer is a ReLU.",

    words=r"cannot reach|range of the (output|last)|(ReLU|activation) (at the end|on the output|after the last)",
    enough=0.8,
)  # fmt: skip
def relu_at_the_end(faulty: bool) -> Run:
    x, y = curve()
    net = mlp(6, 1, 64, *([nn.ReLU()] if faulty else []))
    return usual(net, x, y[:, None], F.mse_loss, steps=500, quality=lambda: explained(net, x, y))


@fault(
    "fastai/fastai#3023", "paiml/aprender#2123",
    what="the gradients of 16 minibatches are added up and not divided by their number",
    part="loop",
    names={"accumulation-not-averaged"},
    says="The gradients of several backward passes are summed: divide the loss by their number.",
    words=r"divide .*(number|passes|loss)|accumulat", enough=0.8, also={"learning-rate-too-high"},
)  # fmt: skip
def accumulation_not_averaged(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)

    def step(i: int) -> float:
        optimiser.zero_grad()
        total = 0.0
        for _ in range(16):
            r = rows(len(x), 8)
            loss = F.cross_entropy(net(x[r]), y[r])
            (loss if faulty else loss / 16).backward()
            total += loss.item() / 16
        optimiser.step()
        return total

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], y[:32]), steps=120, quality=lambda: right(net, x, y)
    )
