"""What is wrong before the network sees it: labels that are missing, resized, split or moved; and one evaluation."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, losses, outputs, right, usual
from tests.faults.public.nets import cnn, mlp, over_time
from tests.faults.public.tasks import classes
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "deepchem/deepchem#1175", "open-mmlab/mmpretrain#631",
    what="most properties of most molecules were not measured: they are taken for zeros that were",
    part="labels",
    names={"labels-missing", "missing-labels-as-zeros"},
    says="Two targets in three are exactly 0: give what is missing the weight 0.",
    words=r"missing|not measured|unlabelled|(targets?|labels?).*(zeros?|exactly 0|same value|constant|filled)",
    enough=0.6, also={"target-scale", "overfitting"},
)  # fmt: skip
def missing_taken_for_zeros(faulty: bool) -> Run:
    x = torch.randn(2048, 16)
    true = 2 + torch.stack([x[:, i] * x[:, i + 1] + torch.sin(2 * x[:, i + 2]) for i in range(4)], 1)
    measured = torch.rand(2048, 4) < 0.35
    weights = torch.ones_like(true) if faulty else measured.float()
    y = torch.stack([torch.where(measured, true, 0), weights], 2)
    net = mlp(16, 4, 96)

    def loss(given: Tensor, y: Tensor) -> Tensor:
        return ((given - y[..., 0]).square() * y[..., 1]).sum() / y[..., 1].sum()

    def quality() -> Tensor:
        return 1 - (outputs(net, x) - true).square().mean() / true.var()

    return usual(net, x, y, loss, steps=600, size=64, quality=quality)


@fault(
    "ykamikawa/tf-keras-PSPNet#2", "divamgupta/image-segmentation-keras#11", "milesial/Pytorch-UNet#311",
    what="masks are made smaller as pictures are, by means: the edge of a thing of class 4 becomes class 1, 2 or 3",
    part="labels",
    names={"labels-interpolated", "masks-interpolated"},
    says="Class ids were interpolated: resize masks with the nearest pixel.",
    words=r"interpolat|nearest|resiz|between (two )?class|(border|edge)s? of", enough=0.85,
)  # fmt: skip
def masks_interpolated(faulty: bool) -> Run:
    n, side = 512, 30
    masks = torch.zeros(n, side, side)
    for mask in masks:
        for kind in (torch.randperm(4) + 1)[:3].tolist():
            (row, column), (height, width) = torch.randint(side - 7, (2,)), torch.randint(3, 8, (2,))
            mask[row : row + height, column : column + width] = kind
    shown = torch.stack([(masks == kind).float() for kind in range(1, 5)], 1)
    x = F.avg_pool2d(shown + 0.2 * torch.randn_like(shown), 3)
    nearest = masks[:, 1::3, 1::3].long()
    y = F.avg_pool2d(masks[:, None], 3)[:, 0].round().long() if faulty else nearest
    net = nn.Sequential(nn.Conv2d(4, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 5, 1))

    def quality() -> Tensor:  # of the pixels of things, those that are given the right class
        return (outputs(net, x).argmax(1) == nearest)[nearest > 0].float().mean()

    return usual(net, x, y, optimiser=adam(net, 1e-2), steps=300, quality=quality)


@fault(
    "google-research/bert#560", "nlpaueb/gr-nlp-toolkit#13",
    what="words are split into pieces, and their tags stay where they were: after a long word all tags are too early",
    part="labels",
    names={"labels-misaligned", "labels-unrelated"}, says="The labels belong to other places of the sequence.",
    words=r"align|shift|pieces?|sub-?words?|(labels?|targets?) .*(unrelated|other (place|position|token))", enough=0.8,
    also={"not-learning", "overfitting"},
)  # fmt: skip
def tags_beside_their_pieces(faulty: bool) -> Run:
    n, words, vocab = 512, 8, 30
    tags = torch.randint(5, (vocab,))
    pieces = torch.randint(2, 4, (vocab,))  # what a word is split into: itself, and one or two endings
    ids, true, told = torch.zeros(n, 24).long(), torch.full((n, 24), -100), torch.full((n, 24), -100)
    for i in range(n):
        place = 0
        for j, word in enumerate(torch.randint(vocab, (words,)).tolist()):
            ids[i, place] = 1 + word
            ids[i, place + 1 : place + int(pieces[word])] = vocab + 1 + word % 4
            true[i, place], told[i, j] = tags[word], tags[word]
            place += int(pieces[word])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Embedding(vocab + 5, 24)
            self.read = nn.Conv1d(24, 48, 3, padding=1)
            self.head = nn.Linear(48, 5)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(F.relu(self.read(self.token(ids).transpose(1, 2))).transpose(1, 2))

    net = Net()

    def quality() -> Tensor:
        return (outputs(net, ids).argmax(2) == true)[true >= 0].float().mean()

    return usual(net, ids, told if faulty else true, over_time, optimiser=adam(net, 1e-2), steps=200, quality=quality)


@fault(
    "pierluigiferrari/ssd_keras#138",
    what="pictures of several sizes are resized to one, and their boxes are left in the pixels of the old one",
    part="labels",
    names={"labels-not-resized", "boxes-not-resized", "boxes-of-another-form"},
    says="Many boxes lie beyond the picture: they have to be resized with it.",
    words=r"box|resiz|pixels|(targets?|labels?) .*(beyond|outside|range|unrelated)", enough=0.6,
    also={"target-scale", "overfitting", "labels-unrelated"},
)  # fmt: skip
def boxes_of_the_old_size(faulty: bool) -> Run:
    n, side = 1024, 12
    old = torch.tensor([8.0, 12, 24, 36])[torch.randint(4, (n,))][:, None]
    size = 0.25 + 0.4 * torch.rand(n, 2)
    low = torch.rand(n, 2) * (1 - size)
    boxes = torch.cat([low, low + size], 1)  # left, top, right and bottom as shares of the picture
    places = torch.arange(side)
    covered = (boxes[:, 2:, None] * side - places).clamp(0, 1) - (boxes[:, :2, None] * side - places).clamp(0, 1)
    x = (covered[:, 1, :, None] * covered[:, 0, None, :])[:, None] + 0.1 * torch.randn(n, 1, side, side)
    y = boxes * (old if faulty else side)
    net = cnn(4)
    net(x[:1])

    def quality() -> Tensor:  # what both boxes have in common, of what they cover
        given, true = outputs(net, x), boxes * side
        both = (torch.minimum(given, true)[:, 2:] - torch.maximum(given, true)[:, :2]).clamp(min=0).prod(1)
        areas = sum((one[:, 2:] - one[:, :2]).clamp(min=0).prod(1) for one in (given, true))
        return (both / (areas - both)).mean()

    return usual(net, x, y, F.smooth_l1_loss, steps=400, quality=quality)


@fault(
    "skorch-dev/skorch#499", "keras-team/keras#6499", "danielegrattarola/spektral#440",
    what="the held-out loader shuffles: its predictions are compared with labels in the order of the file",
    part="evaluation",
    names={"evaluation-labels-differ", "evaluation-misaligned", "evaluation-shuffled"},
    says="The held-out predictions are those of other examples than the labels.",
    words=r"shuffl|order|align|(held-out|evaluation|validation).*(label|answer|chance|other examples)", enough=0.85,
    also={"overfitting", "evaluation-differs"},
)  # fmt: skip
def predictions_in_another_order(faulty: bool) -> Run:
    x, y = classes(1536)
    (x, held), (y, answers) = x.split([1024, 512]), y.split([1024, 512])
    net = mlp()

    def loaded() -> Tensor:
        return held[torch.randperm(512)] if faulty else held

    return usual(
        net, x, y, steps=400, quality=lambda: right(net, loaded(), answers),
        evaluate=lambda: losses(net, F.cross_entropy, (loaded(), answers), (x, y)),
    )  # fmt: skip
