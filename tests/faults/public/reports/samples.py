"""What reaches the net: loaders, samplers, augmentation, vocabularies, leaks."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, explained, losses, outputs, right, usual
from tests.faults.public.nets import mlp, pixelwise
from tests.faults.public.tasks import blobs, classes, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "deep-voice/soundbay#49",
    what="WeightedRandomSampler gets a weight for each class: only the first examples are drawn",
    part="inputs",
    names={"inputs-repeat", "few-examples-seen"}, says="Only two different examples were seen in all steps.",
    words=r"(few|two|2|same) (different )?(example|input|minibatch)|sampler|repeat", also={"overfitting"}, enough=0.85,
)  # fmt: skip
def sampler_given_class_weights(faulty: bool) -> Run:
    x, _ = classes(2048)
    y = (x[:, 0] + x[:, 1] > 1.8).long()  # one in ten
    (x, held), (y, answers) = x.split(1536), y.split(1536)
    inverse = 1 / torch.bincount(y).float()
    weights = inverse if faulty else inverse[y]
    net = mlp(out=2)

    def quality() -> float:  # the mean over both classes
        return sum(right(net, held[answers == k], answers[answers == k]) for k in (0, 1)) / 2

    return usual(
        net, x, y, draw=lambda i: torch.multinomial(weights, 32, replacement=True), quality=quality,
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "zalandoresearch/fashion-mnist#5",
    what="examples sorted by class and not shuffled: each minibatch has one class",
    part="inputs",
    names={"batches-of-one-class", "not-shuffled"}, says="Each minibatch has one label only: shuffle the examples.",
    words=r"shuffl|one (label|class)|sorted", enough=0.8,
)  # fmt: skip
def sorted_by_class(faulty: bool) -> Run:
    x, y = classes(1600)
    order = y.argsort() if faulty else torch.randperm(1600)
    x, y = x[order], y[order]
    net = mlp()
    return usual(
        net, x, y, optimiser=torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), steps=400,
        draw=lambda i: (torch.arange(32) + 32 * i) % 1600,
    )  # fmt: skip


@fault(
    "fastai/fastai#245",
    what="pictures are flipped at random and their masks are not",
    part="labels",
    names={"labels-unrelated", "labels-misaligned"}, says="The masks do not lie where the pictures say.",
    words=r"(labels|targets|masks?) .*(belong|align|flip|same (transform|way))", also={"not-learning"}, enough=0.93,
)  # fmt: skip
def flipped_without_the_mask(faulty: bool) -> Run:
    x, y = blobs()
    net = pixelwise()
    optimiser = adam(net, 1e-2)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(out[:, 0], y.float())

    def step(i: int) -> Tensor:
        r, flip = rows(len(x)), torch.rand(()) < 0.5
        seen, wanted = (x[r].flip(3), y[r] if faulty else y[r].flip(2)) if flip else (x[r], y[r])
        return descend(loss(net(seen), wanted), optimiser)

    def quality() -> Tensor:
        return ((outputs(net, x)[:, 0] > 0) == y).float().mean()

    batch = x[:32].flip(3) if faulty else x[:32], y[:32]
    return Run(net=net, step=step, optimiser=optimiser, batch=batch, loss=loss, steps=200, quality=quality)


@fault(
    "JeasunLok/ResNet-pytorch#1", "mlpack/examples#213", "jchen42703/kits19-cnn#22",
    what="training inputs are normalised, held-out inputs are not",
    part="evaluation",
    names={"evaluation-inputs-differ"}, says="The inputs in evaluation have another scale than those in training.",
    words=r"(evaluation|held-out) .*(scale|normali)|normali[sz]ed? .*(evaluation|held)", enough=0.8,
)  # fmt: skip
def evaluated_without_normalising(faulty: bool) -> Run:
    x, y = classes(1536)
    (x, held), (y, answers) = x.split(1024), y.split(1024)
    held = held * 40 + 120 if faulty else held
    net = mlp()
    return usual(
        net, x, y, quality=lambda: right(net, held, answers),
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "shmsw25/qa-hard-em#14",
    what="the vocabulary is of lower case and the text is not: nearly all ids are the unknown one",
    part="inputs",
    names={"input-constant", "one-id"}, says="Nearly all inputs are one id.",
    words=r"one id|same (id|input|token)|unknown|constant",
    also={"not-learning", "labels-unrelated"}, enough=0.8,
)  # fmt: skip
def words_unknown(faulty: bool) -> Run:
    words = ["Alpha", "Beta", "Gamma", "Delta", "Kappa", "Sigma", "Omega", "of"]
    known = {word.lower(): i + 1 for i, word in enumerate(words)}
    text = [[words[k] for k in line] for line in torch.randint(8, (1024, 6)).tolist()]
    x = torch.tensor([[known.get(word if faulty else word.lower(), 0) for word in line] for line in text])
    y = torch.tensor([words.index(line[0]) for line in text])
    net = nn.Sequential(nn.Embedding(9, 16), nn.Flatten(), mlp(96, 8))
    return usual(net, x, y)


@fault(
    "sktime/pytorch-forecasting#182", "etna-team/etna#400",
    what="the value that is to be forecast stands among the inputs",
    part="inputs",
    names={"input-contains-target"}, says="One of the inputs is the target.",
    words=r"input .*(is|contains|equals) the target|leak|target .*(among|in) the inputs", enough=0.5,
)  # fmt: skip
def target_among_the_inputs(faulty: bool) -> Run:
    noise = torch.randn(1024, 30)
    series = torch.zeros(1024, 30)
    for t in range(2, 30):
        series[:, t] = 1.2 * series[:, t - 1] - 0.6 * series[:, t - 2] + 0.4 * noise[:, t]
    x = torch.stack([series[:, 9:-1], series[:, 10:] if faulty else series[:, 8:-2]], 2)
    y = series[:, 10:]
    used = torch.stack([series[:, 9:-1], series[:, 8:-2]], 2)  # when it is used, the value is not there yet

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.head = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.gru(x)[0])[..., 0]

    net = Net()
    return usual(net, x, y, F.mse_loss, optimiser=adam(net, 1e-2), quality=lambda: explained(net, used, y))
