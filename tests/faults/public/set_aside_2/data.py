"""What is wrong before the network sees it: labels, pictures, sounds, times, texts, graphs."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, explained, losses, outputs, right, usual
from tests.faults.public.nets import TinyGPT, mlp
from tests.faults.public.tasks import rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "deepchem/deepchem#5017", "seathiefwang/RankPose#4",
    what="a hinge loss expects -1 and 1 and gets 0 and 1: the examples of class 0 have no gradient",
    part="labels",
    names={"hinge-labels", "labels-not-signed"}, says="The labels are 0 and 1; a hinge loss needs -1 and 1.",
    words=r"hinge|-1 (and|or) \+?1|(labels?|targets?|class).*(no gradient|sign)", enough=0.85, also={"single-output"},
)  # fmt: skip
def hinge_of_zero_and_one(faulty: bool) -> Run:
    x = torch.randn(1024, 20)
    side = (x[:, 0] * x[:, 1] + x[:, 2] > 0).float()[:, None]
    net = mlp(20, 1)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return (1 - y * scores).clamp(min=0).mean()

    def quality() -> Tensor:
        return ((outputs(net, x) > 0) == (side > 0)).float().mean()

    return usual(net, x, side if faulty else 2 * side - 1, loss, steps=400, quality=quality)


@fault(
    "Selen-Suyue/DensePolicy2D#3", "ehoogeboom/multinomial_diffusion#1",
    what="pictures stored as rows, columns, channels are brought into PyTorch's order by reshape: pixels are mixed",
    part="inputs",
    names={"inputs-scrambled", "channels-last"},
    says="The channels of the pictures are mixed: use permute, not reshape.",
    words=r"permute|reshape|channels?.*(last|order|mixed)|scrambled", enough=0.85, also={"overfitting"},
)  # fmt: skip
def pixels_reshaped(faulty: bool) -> Run:
    def drawn(n: int) -> tuple[Tensor, Tensor]:
        y = torch.randint(3, (n,))
        x = torch.rand(n, 16, 16, 3)
        for one, colour, (row, column) in zip(x, y, torch.randint(12, (n, 2)), strict=True):
            one[row : row + 4, column : column + 4, colour] += 1.0
        return x, y

    (x, y), (held, answers) = drawn(768), drawn(256)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 3),
    )  # fmt: skip

    def ordered(pictures: Tensor) -> Tensor:
        return pictures.reshape(-1, 3, 16, 16) if faulty else pictures.permute(0, 3, 1, 2).contiguous()

    x, held = ordered(x), ordered(held)
    return usual(
        net, x, y, size=32, steps=300, quality=lambda: right(net, held, answers),
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "JaesungHuh/voice-gender-classifier#4", "MTG/essentia#1152",
    what="recordings of another sampling rate are evaluated without being resampled: everything sounds lower",
    part="evaluation",
    names={"evaluation-differs", "evaluation-inputs-differ"},
    says="The inputs in evaluation differ from those in training.",
    words=r"sampl(e|ing) rate|(evaluat|held-out).*(differ|other|shift)|(differ|other|shift).*(evaluat|held-out)",
    enough=0.85, also={"overfitting"},
)  # fmt: skip
def heard_at_another_rate(faulty: bool) -> Run:
    pitches = 40 * 1.3 ** torch.arange(6)  # in hertz; recordings last half a second

    def recorded(n: int, rate: int) -> tuple[Tensor, Tensor]:
        y = torch.randint(6, (n,))
        instants = torch.arange(rate // 2) / rate
        waves = torch.sin(2 * torch.pi * (pitches[y, None] * instants + torch.rand(n, 1)))
        return waves + 0.3 * torch.randn(n, rate // 2), y

    (x, y), (held, answers) = recorded(1024, 800), recorded(256, 1200)
    held = held[:, :400] if faulty else F.interpolate(held[:, None], size=400, mode="linear")[:, 0]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classify = mlp(101, 6, 48)

        def forward(self, waves: Tensor) -> Tensor:
            return self.classify(torch.fft.rfft(waves).abs()[:, :101].log1p())

    net = Net()
    return usual(
        net, x, y, steps=300, quality=lambda: right(net, held, answers),
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "open-mmlab/mmdetection3d#296", "facebookresearch/fairo#537",
    what="seconds since 1970 in float32, which knows moments 128 seconds from each other: differences are lost",
    part="inputs",
    names={"time-in-float32", "input-precision"}, says="A feature is too large for its precision: subtract first.",
    words=r"precision|float32|float64|(large|offset).*(feature|input|values)", enough=0.8,
    also={"input-scale", "input-ignored", "duplicates", "single-output"},
)  # fmt: skip
def time_in_float32(faulty: bool) -> Run:
    n = 1024
    before = 1.7e9 + 1e7 * torch.rand(n, dtype=torch.float64)
    passed = 1 + 9 * torch.rand(n, dtype=torch.float64)
    after = before + passed
    way, wind = torch.randn(2, n)
    if faulty:
        before, after = before.float(), after.float()
    between = (after - before).float()
    x = torch.stack([way, wind, between / 5 - 1], 1)
    speed = (3 * way / passed.float() + 0.3 * wind)[:, None]
    net = mlp(3, 1)
    return usual(net, x, speed, F.mse_loss, steps=400, quality=lambda: explained(net, x, speed))


@fault(
    "verl-project/verl#785", "huggingface/trl#6668",
    what="texts are cut at a maximum length and lose their answers, which alone count: some minibatches have none",
    part="labels",
    names={"labels-all-ignored", "labels-ignored"}, says="No label of the minibatch counts: the mean is 0 / 0.",
    words=r"ignore|-100|no labels|labels.*(none|missing|cut|trunc)", enough=0.8,
    also={"not-finite"},
)  # fmt: skip
def answers_cut_off(faulty: bool) -> Run:
    n, asks, ends = 512, 9, 10
    ids, answers = torch.full((n, 18), ends), torch.zeros(n, 18)
    firsts, lengths = torch.randint(1, 9, (n,)), torch.randint(5, 16, (n,))
    for i, (first, length) in enumerate(zip(firsts.tolist(), lengths.tolist(), strict=True)):
        ids[i, :length] = torch.randint(1, 9, (length,))
        ids[i, 0], ids[i, length], ids[i, length + 1] = first, asks, first
        answers[i, length : length + 2] = 1  # what follows the question, and what follows the answer
    following = torch.stack([ids.roll(-1, 1), answers.long()], 2)
    limit = 8 if faulty else 18
    net = TinyGPT(12, 18)

    def loss(logits: Tensor, y: Tensor) -> Tensor:
        each = F.cross_entropy(logits.flatten(0, 1), y[..., 0].flatten(), reduction="none")
        return (each * y[..., 1].flatten()).sum() / y[..., 1].sum()

    def quality() -> Tensor:
        given = outputs(net, ids)[torch.arange(n), lengths]
        return (given.argmax(1) == firsts).float().mean()

    return usual(
        net, ids[:, :limit], following[:, :limit], loss, optimiser=adam(net, 5e-3), size=8, steps=300, causal=True,
        quality=quality,
    )  # fmt: skip


@fault(
    "pyg-team/pytorch_geometric#1499",
    what="graphs are put together for a minibatch, their edges keep their numbers: all join nodes of the first graph",
    part="inputs",
    names={"edges-not-shifted", "examples-mixed", "input-ignored"},
    says="The edges of all graphs join nodes of the first: add the number of nodes before each graph.",
    words=r"edge|offset|(most|other) (nodes|examples).*(no effect|ignored)|first (graph|example)", enough=0.7,
    also={"not-learning", "overfitting"},
)  # fmt: skip
def edges_of_the_first_graph(faulty: bool) -> Run:
    graphs, nodes, links = 512, 6, 8
    features = torch.randn(graphs, nodes, 4)
    edges = torch.randint(nodes, (graphs, 2, links))
    number = torch.arange(graphs)[:, None]
    y = (features[number, edges[:, 0], 0] * features[number, edges[:, 1], 1]).sum(1) / links**0.5

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.message, self.tell = mlp(8, 16, 48), nn.Linear(16, 1)

        def forward(self, x: Tensor, edges: Tensor, graph: Tensor) -> Tensor:
            sent = self.message(torch.cat([x[edges[0]], x[edges[1]]], 1))
            received = torch.zeros(len(x), 16).index_add(0, edges[1], sent)
            return self.tell(torch.zeros(len(x) // nodes, 16).index_add(0, graph, received))[:, 0]

    def together(r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before = torch.zeros(len(r)) if faulty else nodes * torch.arange(len(r))
        moved = edges[r] + before.long()[:, None, None]
        graph = torch.arange(len(r)).repeat_interleave(nodes)
        return features[r].flatten(0, 1), moved.transpose(0, 1).flatten(1), graph

    net = Net()
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(graphs)
        return descend(F.mse_loss(net(*together(r)), y[r]), optimiser)

    def quality() -> Tensor:
        with torch.no_grad():
            return 1 - (net(*together(torch.arange(graphs))) - y).square().mean() / y.var()

    return Run(net=net, step=step, optimiser=optimiser, steps=300, quality=quality)
