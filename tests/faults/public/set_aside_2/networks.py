"""Networks and their loops: sequences read from both ends, weights that were loaded, clipping, places in pictures."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, explained, losses, outputs, right, usual
from tests.faults.public.nets import cnn, mlp
from tests.faults.public.tasks import curve, pictures, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "yunjey/pytorch-tutorial#174", "aymericdamien/TensorFlow-Examples#201",
    what="of an LSTM that reads in both directions, the last place is taken: backwards it has read one word there",
    part="network",
    names={"backward-direction-unread", "input-ignored"},
    says="At the last place the backward direction has read one element: take its output at the first.",
    words=r"bidirectional|backward direction|reverse|both directions", enough=0.8, also={"not-learning"},
)  # fmt: skip
def backward_direction_at_the_end(faulty: bool) -> Run:
    ids = torch.randint(1, 9, (1024, 40))
    y = (ids[:, 0] + ids[:, 1]) % 8  # what a text is about is said at its beginning

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(9, 16)
            self.read = nn.LSTM(16, 32, batch_first=True, bidirectional=True)
            self.head = nn.Linear(64, 8)

        def forward(self, ids: Tensor) -> Tensor:
            out, _ = self.read(self.words(ids))
            return self.head(out[:, -1] if faulty else torch.cat([out[:, -1, :32], out[:, 0, 32:]], 1))

    net = Net()
    return usual(net, ids, y, optimiser=adam(net, 1e-2), steps=200)


@fault(
    "ImCharlesY/AdaInt#12", "zshn25/DINOv2_mmseg#1",
    what="pretrained weights are loaded, and after that a function that draws first weights is applied to all layers",
    part="network",
    names={"pretrained-weights-lost", "weights-at-their-first-values"},
    says="No layer has the weights that were loaded: all have those of a new net.",
    words=r"pre-?trained|loaded|new net|initiali[sz]", enough=0.73, also={"overfitting"},
)  # fmt: skip
def initialised_after_loading(faulty: bool) -> Run:
    x, kinds = pictures(1024, noise=0.6)
    before = cnn()
    before(x[:1])
    optimiser = adam(before)
    for _ in range(200):
        r = rows(1024)
        descend(F.cross_entropy(before(x[r]), kinds[r]), optimiser)

    (x, few), (held, many) = pictures(10, noise=0.6), pictures(256, noise=0.6)
    y, answers = (((one == 0) | (one == 3)).long() for one in (few, many))  # another question about such pictures
    net = cnn(2)
    net(x[:1])
    net.load_state_dict({name: one for name, one in before.state_dict().items() if name[0] != "6"}, strict=False)

    def first_weights(module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)

    (net if faulty else net[6]).apply(first_weights)
    return usual(
        net, x, y, size=10, optimiser=adam(net, 1e-3), steps=100, quality=lambda: right(net, held, answers),
        evaluate=lambda: losses(net, F.cross_entropy, (held, answers), (x, y)),
    )  # fmt: skip


@fault(
    "awslabs/graphstorm#1382", "VGraphRNN/VGRNN#4", "Cranial-XIX/FAMO#4",
    what="gradients are clipped after the step that they were for, where it changes nothing",
    part="loop",
    names={"clipped-after-step", "clipping-without-effect"},
    says="The step is taken with gradients that are not clipped.",
    words=r"clip", enough=0.6,
    also={"learning-rate-too-high", "exploding-gradients", "not-finite", "dead-units", "target-scale"},
)  # fmt: skip
def clipped_after_the_step(faulty: bool) -> Run:
    x, y = curve()
    far = torch.rand(1024) < 0.02  # a few measurements are grossly wrong
    seen = torch.where(far, 300 * torch.randn(1024), y)[:, None]
    net = mlp(6, 1)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = F.mse_loss(net(x[r]), seen[r])
        optimiser.zero_grad()
        loss.backward()
        if faulty:
            optimiser.step()
        nn.utils.clip_grad_norm_(net.parameters(), 0.3)
        if not faulty:
            optimiser.step()
        return loss

    def quality() -> Tensor:  # of what was measured rightly
        wrong = (outputs(net, x)[:, 0] - y)[~far].square().mean()
        return (1 - wrong / y[~far].var()).nan_to_num(-1.0)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=(x[:32], seen[:32]), loss=F.mse_loss, steps=600,
        quality=quality,
    )  # fmt: skip


@fault(
    "apache/mxnet#5780", "pytorch/pytorch#4085",
    what="grid_sample takes places from -1 to 1 and gets rows and columns: all lie beyond the picture and give zeros",
    part="network",
    names={"signal-constant", "input-ignored", "sampled-outside"},
    says="What grid_sample gives is 0 for all inputs: its places go from -1 to 1.",
    words=r"grid_sample|\[?-1(,| to) 1|(signal|output).*(constant|zeros?|same)|pictures?.*(ignored|no effect)",
    enough=0.7, also={"not-reached-by-gradient", "dead-units", "not-learning", "vanishing-gradients"},
)  # fmt: skip
def places_in_pixels(faulty: bool) -> Run:
    n, side = 1024, 12
    shown = torch.randn(n, 1, side, side)
    smooth = F.avg_pool2d(shown, 3, stride=1, padding=1) * 3
    places = torch.randint(side, (n, 2))  # columns and rows
    wanted = smooth[torch.arange(n), 0, places[:, 1], places[:, 0]][:, None]
    together = torch.cat([shown.flatten(1), places.float()], 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.see = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
            self.tell = nn.Sequential(nn.ReLU(), nn.Linear(8, 1))

        def forward(self, x: Tensor) -> Tensor:
            seen, at = self.see(x[:, :-2].reshape(-1, 1, side, side)), x[:, -2:]
            at = at if faulty else 2 * at / (side - 1) - 1
            found = F.grid_sample(seen, at[:, None, None], align_corners=True)
            return self.tell(found.flatten(1))

    net = Net()
    return usual(
        net, together, wanted, F.mse_loss, optimiser=adam(net, 1e-2), steps=300,
        quality=lambda: explained(net, together, wanted),
    )  # fmt: skip
