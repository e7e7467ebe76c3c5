"""What the user tells of the loss, and masks that make it infinite while all is well."""

import torch
from tests.faults.public.case import Run, fault, healthy
from tests.faults.public.loops import adam, descend, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.situations.twins import left_out, rate_zero
from tests.faults.public.tasks import classes, padded, rows
from torch import Tensor, nn
from torch.nn import functional as F

NOT_FINITE = {"told-loss-not-finite"}
"""May be said of a loss that is told as NaN or infinity: it is true. That the rate is too high is not."""


def _untold(*, by_parts: bool = False) -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> None:
        h = x[r := rows(len(x))]
        if by_parts:
            for layer in net:
                h = layer(h)
        else:
            h = net(h)
        descend(F.cross_entropy(h, y[r]), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=150, quality=lambda: right(net, x, y))


@rate_zero("no loss is told, nobody calls the watcher's step", 0.8)
def loss_not_told() -> Run:
    return _untold()


@rate_zero("no loss is told, the net is called by its parts", 0.8)
def called_by_parts() -> Run:
    return _untold(by_parts=True)


@left_out("no loss is told, nobody calls the watcher's step", 0.88)
def loss_not_told_layer() -> Run:
    return _untold()


@healthy(what="one told loss of 150 is NaN: its batch has no targets and is skipped", enough=0.9, also=NOT_FINITE)
def one_loss_is_nan() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        targets = torch.full_like(y[r], -100) if i == 36 else y[r]
        loss = F.cross_entropy(net(x[r]), targets)
        return descend(loss, optimiser) if torch.isfinite(loss) else loss

    return Run(net=net, step=step, optimiser=optimiser, steps=150, quality=lambda: right(net, x, y))


class Masked(nn.Module):
    """Twelve outputs, two of which are never to be chosen."""

    def __init__(self, fill: float) -> None:
        super().__init__()
        self.body, self.fill = mlp(20, 12), fill

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).masked_fill(torch.arange(12) > 9, self.fill)


@healthy(what="two of twelve outputs are filled with -inf", enough=0.8)
def outputs_masked() -> Run:
    return usual(Masked(-torch.inf), *classes(kinds=10))


@healthy(what="two of twelve outputs are filled with -1000", enough=0.8)
def outputs_masked_by_thousand() -> Run:
    return usual(Masked(-1e3), *classes(kinds=10))


@healthy(what="two of twelve outputs are filled with -1e9", enough=0.8)
def outputs_masked_by_billion() -> Run:
    return usual(Masked(-1e9), *classes(kinds=10))


@healthy(what="outputs masked by -inf, and label smoothing: the told loss is infinite, the net learns", enough=0.8,
         also=NOT_FINITE)  # fmt: skip
def masked_and_smoothed() -> Run:
    return usual(Masked(-torch.inf), *classes(kinds=10), lambda o, y: F.cross_entropy(o, y, label_smoothing=0.1))


@healthy(what="outputs masked, smoothing, weight 0 for the masked: the told loss is NaN, the net learns", enough=0.8,
         also=NOT_FINITE)  # fmt: skip
def masked_smoothed_and_weighted() -> Run:
    weight = torch.ones(12)
    weight[10:] = 0
    return usual(
        Masked(-torch.inf), *classes(kinds=10), lambda o, y: F.cross_entropy(o, y, weight, label_smoothing=0.1)
    )


def _attention(*, need_weights: bool, empty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.a, self.h = (
                nn.Embedding(9, 32),
                nn.MultiheadAttention(32, 4, batch_first=True),
                nn.Linear(32, 8),
            )

        def forward(self, ids: Tensor) -> Tensor:
            x = self.e(ids)
            return self.h((x + self.a(x, x, x, key_padding_mask=ids == 0, need_weights=need_weights)[0])[:, 0])

    x, _ = padded(1024)
    if empty:
        x[5] = 0
    net = Net()
    kept = torch.arange(1024) != 5
    return usual(net, x, (x[:, 0] - 1).clamp(0), steps=200, quality=lambda: right(net, x[kept], (x[kept, 0] - 1)))


@fault(
    what="MultiheadAttention with need_weights=True and an example whose keys are all masked", enough=0.9,
    names={"not-finite"}, words=r"mask", also={"input-ignored"},
)  # fmt: skip
def masked_row_with_weights(faulty: bool) -> Run:
    return _attention(need_weights=True, empty=faulty)


@healthy(what="MultiheadAttention with need_weights=False and an example whose keys are all masked", enough=0.9)
def masked_row_without_weights() -> Run:
    return _attention(need_weights=False, empty=True)


@fault(
    what="the weights are NaN before the first step, from a broken checkpoint", enough=0.8, names={"not-finite"},
    words=r"weights? .*(not finite|NaN)",
)  # fmt: skip
def weights_nan_at_first(faulty: bool) -> Run:
    net = mlp()
    if faulty:
        net[2].weight.data[3, 3] = torch.nan
    return usual(net, *classes(), steps=150)


WEIGHTS = torch.linspace(0.5, 3, 5)
LOSSES = {
    "weighted": lambda o, y: F.cross_entropy(o, y, WEIGHTS),
    "smoothed": lambda o, y: F.cross_entropy(o, y, label_smoothing=0.1),
    "weighted_and_smoothed": lambda o, y: F.cross_entropy(o, y, WEIGHTS, label_smoothing=0.1),
    "of_probabilities": lambda o, y: F.cross_entropy(o, F.one_hot(y, 5).float(), WEIGHTS),
    "summed_and_divided": lambda o, y: F.cross_entropy(o, y, WEIGHTS, reduction="sum") / len(y),
    "focal": lambda o, y: ((1 - o.softmax(1).gather(1, y[:, None])[:, 0]) ** 2
                           * F.cross_entropy(o, y, reduction="none")).mean(),
    "half_ignored": lambda o, y: F.cross_entropy(o, torch.where(torch.arange(len(y)) % 2 == 0, y, -100)),
}  # fmt: skip


def _loss_cases():
    for name, loss in LOSSES.items():

        def make(loss=loss) -> Run:
            return usual(mlp(), *classes(), loss)

        make.__name__ = f"loss_{name}"
        yield rate_zero(f"a cross-entropy, {name.replace('_', ' ')}", 0.8)(make)


LOSS_CASES = tuple(_loss_cases())
