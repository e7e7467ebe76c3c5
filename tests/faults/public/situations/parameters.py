"""Parameters that are replaced while the net is watched, and those that cannot be measured."""

import copy

import torch
from tests.faults.public.case import Run, fault, healthy
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.situations.twins import left_out, rate_zero
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize, prune

REPLACED = {"not-in-optimiser"}
SAYS = "Parameters were replaced at step 20: the optimiser has the old ones."


def _changed_at_20(change) -> Run:
    """Return a run whose net is changed before step 20. Its quality is minus the loss."""
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        if i == 20:
            change(net, optimiser)
        r = rows(len(x))
        loss = F.cross_entropy(net(x[r]), y[r])
        net.zero_grad()
        return descend(loss, optimiser)

    def quality() -> float:
        return -float(F.cross_entropy(outputs(net, x), y))

    return Run(net=net, step=step, optimiser=optimiser, steps=200, quality=quality)


def _nothing(net: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Change nothing."""


@fault(what="load_state_dict(assign=True) at step 20", names=REPLACED, says=SAYS, words="replaced", enough=-0.5)
def assigned_while_watched(faulty: bool) -> Run:
    def change(net, _):
        net.load_state_dict({k: v.clone() for k, v in net.state_dict().items()}, assign=True)

    return _changed_at_20(change if faulty else _nothing)


@fault(what="a new head at step 20 that the optimiser is not told of", names=REPLACED, says=SAYS, words="replaced",
       enough=-0.15)  # fmt: skip
def new_head_while_watched(faulty: bool) -> Run:
    def change(net, optimiser):
        net[4] = nn.Linear(64, 5)
        if not faulty:
            optimiser.add_param_group({"params": list(net[4].parameters())})

    return _changed_at_20(change)


@healthy(what="all but the head is frozen at step 20", enough=-1.2)
def frozen_while_watched() -> Run:
    def change(net, _):
        net[:4].requires_grad_(False)

    return _changed_at_20(change)


@fault(what="weight norm is removed after the optimiser was made", names={"not-in-optimiser"}, enough=0.93)
def weight_norm_removed(faulty: bool) -> Run:
    net = mlp()
    parametrizations.weight_norm(net[0])
    optimiser = adam(net)
    if faulty:
        parametrize.remove_parametrizations(net[0], "weight")
    return usual(net, *classes(), optimiser=optimiser)


@fault(what="weight norm is removed while the net is watched", names=REPLACED, says=SAYS, words="replaced", enough=0.93)
def weight_norm_removed_while_watched(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    parametrizations.weight_norm(net[0])
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        if faulty and i == 1:
            parametrize.remove_parametrizations(net[0], "weight")
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=200, quality=lambda: right(net, x, y))


@fault(what="load_state_dict(assign=True) after the optimiser was made", names={"no-step", *REPLACED}, enough=0.8)
def assigned_after_the_optimiser(faulty: bool) -> Run:
    net = mlp()
    optimiser = adam(net)
    if faulty:
        net.load_state_dict({k: v.clone() for k, v in net.state_dict().items()}, assign=True)
    return usual(net, *classes(), optimiser=optimiser)


@fault(what="an embedding made larger after the optimiser was made", names={"not-in-optimiser"}, enough=0.9)
def embedding_made_larger(faulty: bool) -> Run:
    net = nn.Sequential(nn.Embedding(12, 4), nn.Linear(4, 12))
    optimiser = adam(net, 1e-2)
    if faulty:
        net[0] = nn.Embedding(16, 4)
        nn.init.zeros_(net[0].weight)
    x = torch.randint(12, (1024,))
    return usual(net, x, (x + 1) % 12, optimiser=optimiser)


@left_out("the output projection inside of MultiheadAttention is a layer whose hook never fires", 0.9)
def attention_layer() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.h = nn.MultiheadAttention(16, 4, batch_first=True), nn.Linear(16, 8)

        def forward(self, ids: Tensor) -> Tensor:
            places = torch.eye(8).expand(len(ids), 8, 8)
            x = torch.cat([F.one_hot(ids, 8).float(), places], 2) * 3
            return self.h(self.a(x, x, x, need_weights=False)[0][:, 0])

    x, net = torch.randint(8, (2048, 8)), Net()
    return usual(net, x, x[:, 3], optimiser=adam(net, 1e-2), steps=400)


@healthy(what="tied weights, deep-copied before the optimiser is made", enough=0.9)
def ties_copied() -> Run:
    net = nn.Sequential(nn.Embedding(12, 16), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 12, bias=False))
    nn.init.normal_(net[0].weight, std=0.3)
    net[3].weight = net[0].weight
    x = torch.randint(12, (1024,))
    return usual(copy.deepcopy(net), x, (x + 1) % 12, steps=400)


class With(nn.Module):
    """An MLP beside a frozen parameter of an unusual kind."""

    def __init__(self, extra: Tensor, *, trained: bool = False) -> None:
        super().__init__()
        self.body, self.extra = mlp(), nn.Parameter(extra, requires_grad=trained)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


@healthy(what="a frozen parameter in float8", enough=0.9)
def float8_parameter() -> Run:
    return usual(With(torch.randn(4, 4).to(torch.float8_e4m3fn)), *classes())


@healthy(what="a frozen parameter of truth values", enough=0.9)
def bool_parameter() -> Run:
    return usual(With(torch.ones(4, 4, dtype=torch.bool)), *classes())


@healthy(what="a frozen parameter of whole numbers", enough=0.9)
def integer_parameter() -> Run:
    return usual(With(torch.arange(4)), *classes())


@healthy(what="a parameter without elements", enough=0.9)
def empty_parameter() -> Run:
    return usual(With(torch.zeros(0, 4), trained=True), *classes(), optimiser=None)


@healthy(what="a parameter without axes, a learnt temperature", enough=0.9)
def scalar_parameter() -> Run:
    class Net(With):
        def forward(self, x: Tensor) -> Tensor:
            return self.body(x) * self.extra.exp()

    return usual(Net(torch.tensor(0.5), trained=True), *classes())


@rate_zero("complex weights in a spectral layer", 0.8)
def complex_parameters() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.body = nn.Parameter(torch.randn(11, dtype=torch.cfloat) * 0.5 + 1), mlp()

        def forward(self, x: Tensor) -> Tensor:
            return self.body(torch.fft.irfft(torch.fft.rfft(x) * self.w, n=20))

    return usual(Net(), *classes())


@healthy(what="complex inputs", enough=0.8)
def complex_inputs() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp(22)

        def forward(self, x: Tensor) -> Tensor:
            return self.body(torch.view_as_real(x).flatten(1))

    x = torch.randn(1024, 11, dtype=torch.cfloat)
    return usual(Net(), x, x.real[:, :5].argmax(1))


@healthy(what="net and batch on the meta device, examined", enough=0.0, refusable=True)
def on_meta() -> Run:
    net = mlp().to("meta")
    x, y = (one.to("meta") for one in classes())
    return usual(net, x, y, steps=0, quality=lambda: 1.0)


@rate_zero("weights in float64", 0.9)
def in_float64() -> Run:
    x, y = classes()
    return usual(mlp().double(), x.double(), y)


@rate_zero("half of the weights pruned", 0.8)
def pruned() -> Run:
    net = mlp()
    prune.l1_unstructured(net[2], "weight", amount=0.5)
    return usual(net, *classes())


@healthy(what="lazy layers, made by a first call", enough=0.9)
def lazy_layers() -> Run:
    x, y = classes()
    net = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(5))
    net(x[:2])
    return usual(net, x, y, steps=400)


@healthy(what="lazy layers that nobody has called", enough=0.0, refusable=True)
def lazy_layers_uncalled() -> Run:
    return usual(nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(5)), *classes(), optimiser=object(), steps=0,
                 quality=lambda: 1.0)  # fmt: skip
