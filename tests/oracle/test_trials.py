"""Each trial on a small network with a fault that it shows, and on one without; and nothing is changed by any."""

import copy
import io
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tests.oracle.architectures import ARCHITECTURES, Architecture
from tests.oracle.test_examining import state_of
from torch import nn
from torch.nn import functional as F  # noqa: N812  (the field's name)

from backlight.core import ConfigError
from backlight.health import examine
from backlight.health.trials import ranked, run_trials
from backlight.health.trials.answer import answer
from backlight.health.trials.by_heart import by_heart
from backlight.health.trials.dependence import dependence
from backlight.health.trials.gradient import gradient
from backlight.health.trials.loss import loss as loss_of_answers
from backlight.health.trials.outcome import outcome
from backlight.health.trials.saved import saved
from backlight.health.trials.subject import Budget, Subject
from backlight.health.trials.weights import weights
from backlight.models import MLP, MLPConfig
from backlight.optim import AdamW
from backlight.watch.api import adapter_for
from backlight.watch.torch_nn.replica import TorchReplica

ROWS, FEATURES, CLASSES = 256, 12, 4


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks as small as these are slower on two
    yield
    torch.set_num_threads(threads)


def table() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(ROWS, FEATURES)
    return x, x[:, :CLASSES].argmax(1)


def mlp(*more: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), *more, nn.Linear(32, CLASSES))


def subject(model: nn.Module, data: tuple[Any, Any], *, rate: float = 1e-2, **given: Any) -> Subject:
    """Return a network with a batch of its data, as `examine` makes it."""
    x, y = data
    sgd = given.pop("optimiser", None) or torch.optim.SGD(model.parameters(), rate)
    loss, step = given.pop("loss", None), given.pop("step", None)
    settings = {
        "inputs": x[:32], "targets": y[:32], "data": (x, y), "make": None, "causal": None, "kind": "cross_entropy",
        "budget": Budget(minutes=2),
    }  # fmt: skip
    return Subject(
        model=model, loss=loss, optimiser=sgd, step=step, **settings | given,
        copy=lambda: TorchReplica(model, optimiser=sgd, loss=loss, step=step),
    )  # fmt: skip


def trained(model: nn.Module, data: tuple[torch.Tensor, torch.Tensor], steps: int = 200) -> nn.Module:
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        out = model(data[0])
        F.cross_entropy(out.flatten(0, -2), data[1].flatten()).backward()
        optimiser.step()
    return model


# -- gradient ----------------------------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.read, self.tell = nn.LSTM(3, 8, batch_first=True), nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tell(self.read(x.view(len(x), -1, 3))[0][:, -1])


class OfFloat32(nn.Module):
    """A constant of 32 bits in the network, so that it cannot be computed in 64."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x) @ torch.eye(CLASSES)


@pytest.mark.parametrize(
    "net", [mlp, lambda: mlp(nn.BatchNorm1d(32), nn.Dropout(0.3)), Recurrent, OfFloat32],
    ids=["mlp", "batch norm and dropout", "lstm", "float32"],
)  # fmt: skip
def test_a_gradient_that_is_that_of_the_loss(net: Callable[[], nn.Module]) -> None:
    told = gradient(subject(net(), table()))
    assert told.showed == ("the loss changes by what the gradients say",)
    assert told.points_to == {}
    assert told.number("weights that were moved") > 3


class Cube(torch.autograd.Function):
    """x to the power of 3, with a slope of 2 x^2."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return 2 * g * ctx.saved_tensors[0] ** 2


class Joined(nn.Module):
    """Two layers with something in between."""

    def __init__(self, between: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.one, self.two, self.between = nn.Linear(FEATURES, 16), nn.Linear(16, CLASSES), between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(self.between(self.one(x)))


@pytest.mark.parametrize(
    "between", [Cube.apply, lambda h: h + (h.round() - h).detach(), lambda h: h.detach() + 0.1 * h.relu()],
    ids=["a wrong backward", "straight through", "partly detached"],
)  # fmt: skip
def test_a_gradient_that_is_another_is_said_and_not_blamed(between: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """A backward pass that is wrong cannot be told from one that is meant to be another."""
    told = gradient(subject(Joined(between), table()))
    assert told.where == ("one.weight", "one.bias")
    assert told.points_to == {}
    assert "on purpose" in told.showed[0]


def test_a_gradient_that_is_cut_off_in_the_network() -> None:
    told = gradient(subject(Joined(lambda h: h.detach()), table()))
    assert told.where == ("one.weight", "one.bias")
    assert list(told.points_to) == ["network"]


def test_weights_that_the_optimiser_does_not_step_may_have_no_gradient() -> None:
    """As those of a target network, which is an average of others."""
    net = Joined(lambda h: h.detach())
    told = gradient(subject(net, table(), optimiser=torch.optim.SGD(net.two.parameters(), 0.1)))
    assert told.where == ("one.weight", "one.bias")
    assert told.points_to == {}


def _of_derivatives(*, graph: bool) -> Callable[[Any, Any, Any, Any], torch.Tensor]:
    def step(model: nn.Module, optimiser: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x = x.requires_grad_()
        energy = model(x)[:, 0]
        (force,) = torch.autograd.grad(energy.sum(), x, create_graph=graph, retain_graph=True)
        loss = F.mse_loss(energy, y[:, 0]) + F.mse_loss(force, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    return step


@pytest.mark.parametrize("graph", [True, False])
def test_a_term_of_the_loss_without_a_graph(graph: bool) -> None:
    net = nn.Sequential(nn.Linear(FEATURES, 16), nn.Tanh(), nn.Linear(16, 1))
    data = torch.randn(ROWS, FEATURES), torch.randn(ROWS, FEATURES)
    told = gradient(subject(net, data, step=_of_derivatives(graph=graph), kind="mse"))
    assert told.points_to == {}
    assert ("a term of the loss has no graph" in told.showed[0]) is not graph


def test_gradients_that_the_step_clips_are_a_multiple() -> None:
    def step(model: nn.Module, optimiser: Any, x: torch.Tensor, y: torch.Tensor) -> float:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimiser.step()
        return loss.item()

    told = gradient(subject(mlp(), table(), step=step))
    assert told.points_to == {}
    assert 0 < told.number("gradients as a multiple of the loss's slope") < 0.5


@pytest.mark.parametrize(
    ("net", "given", "why"),
    [
        (mlp().bfloat16(), {"loss": lambda out, y: F.cross_entropy(out.float(), y)}, "half precision"),
        (mlp(), {"loss": lambda out, y: F.cross_entropy(out.detach(), y)}, "no graph"),
        (mlp(), {"step": lambda *_: None}, "returns no loss"),
        (mlp(), {"loss": lambda out, y: F.cross_entropy(out / 0, y)}, "not finite"),
    ],
)  # fmt: skip
def test_slopes_that_show_nothing(net: nn.Module, given: dict[str, Any], why: str) -> None:
    x, y = table()
    told = gradient(subject(net, (x.to(next(net.parameters()).dtype), y), **given))
    assert why in told.not_run


@pytest.mark.parametrize("one", [one for one in ARCHITECTURES if one.name in {"embedding bag", "tied GPT", "siamese"}])
def test_sparse_gradients_tied_weights_and_two_inputs(one: Architecture) -> None:
    x, y = one.batch()
    sgd = torch.optim.SGD((model := one.make()).parameters(), 0.01)
    made = Subject(
        model=model, inputs=x, targets=y, loss=one.loss, optimiser=sgd, step=None, data=None, make=None, causal=None,
        kind=None, budget=Budget(minutes=2), copy=lambda: TorchReplica(model, optimiser=sgd, loss=one.loss, step=None),
    )  # fmt: skip
    told = gradient(made)
    assert told.showed == ("the loss changes by what the gradients say",)


# -- the loss ----------------------------------------------------------------------------------------------------------


def _focal(out: torch.Tensor, y: torch.Tensor, *, wrong: bool) -> torch.Tensor:
    p = out.sigmoid()
    no = (1 - p if wrong else p).square() * F.softplus(out)
    return ((1 - p).square() * F.softplus(-out) * y + no * (1 - y)).mean()


def _nearest(out: torch.Tensor, y: torch.Tensor, *, both: bool) -> torch.Tensor:
    apart = torch.cdist(out, y)
    return apart.amin(2).mean() + (apart.amin(1).mean() if both else 0.0)


def _binary() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(ROWS, FEATURES)
    return x, (x[:, :1] > 0.5).float()


def _points() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(ROWS, FEATURES), torch.randn(ROWS, 5, 2)


def _margin(scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.multi_margin_loss(scores, y)


@pytest.mark.parametrize(
    ("data", "out", "loss", "kind", "blamed"),
    [
        (table, CLASSES, None, "cross_entropy", False),
        (table, CLASSES, _margin, None, False),
        (_binary, 1, F.binary_cross_entropy_with_logits, "binary_cross_entropy", False),
        (_binary, 1, lambda out, y: _focal(out, y, wrong=False), None, False),
        (_binary, 1, lambda out, y: _focal(out, y, wrong=True), None, True),
        (_binary, 1, F.huber_loss, None, False),
        (_points, 10, lambda out, y: _nearest(out, y, both=True), None, False),
        (_points, 10, lambda out, y: _nearest(out, y, both=False), None, True),
    ],
    ids=["cross-entropy", "margin", "binary", "focal", "focal, inverted", "Huber", "both ways", "one way"],
)  # fmt: skip
def test_a_loss_tells_right_answers_from_one_for_all(
    data: Any, out: int, loss: Any, kind: str | None, blamed: bool
) -> None:  # fmt: skip
    shape = (5, 2) if out == 10 else (out,)
    net = nn.Sequential(nn.Linear(FEATURES, out), nn.Unflatten(1, shape))
    told = loss_of_answers(subject(net, data(), loss=loss, kind=kind))
    assert list(told.points_to) == (["loss"] if blamed else [])
    assert told.not_run == ""
    assert told.number("what is right costs") is not None


@pytest.mark.parametrize(("share", "blamed"), [(0.009, True), (0.012, False)])
def test_an_answer_for_all_that_costs_nearly_as_little(share: float, blamed: bool) -> None:
    """The loss of one class of four, by far the most frequent in what the others cost, counts this much."""
    x, _ = table()
    y = torch.arange(ROWS) % 2
    net = nn.Linear(FEATURES, 2)
    told = loss_of_answers(
        subject(net, (x, y), loss=lambda out, y: F.cross_entropy(out, y, torch.tensor([share, 1 - share])))
    )
    assert list(told.points_to) == (["loss"] if blamed else [])


@pytest.mark.parametrize(("rare", "blamed"), [(3, False), (4, True)])
def test_an_answer_that_is_right_for_nearly_all_is_no_wrong_one(rare: int, blamed: bool) -> None:
    x, _ = table()
    y = torch.zeros(ROWS, dtype=torch.int64)
    y[:rare] = 1  # of a batch of 32
    told = loss_of_answers(
        subject(nn.Linear(FEATURES, 2), (x, y), loss=lambda out, y: F.cross_entropy(out, y, torch.tensor([1.0, 0.0])))
    )
    assert list(told.points_to) == (["loss"] if blamed else [])


@pytest.mark.parametrize(
    ("loss", "out", "why"),
    [
        (F.poisson_nll_loss, 2, "is not known"),
        (lambda out, y: F.mse_loss(out, y.roll(1, 1)), 2, "is not known"),
        (lambda out, y: (out.mean(1) - y.mean(1)).square().mean(), 3, "it is made where"),
    ],
)
def test_outputs_of_unknown_meaning(loss: Any, out: int, why: str) -> None:
    data = torch.randn(ROWS, FEATURES), torch.rand(ROWS, 2) + 0.5
    assert why in loss_of_answers(subject(nn.Linear(FEATURES, out), data, loss=loss, kind=None)).not_run


@pytest.mark.parametrize(("at_least", "is_known"), [(0.008, True), (0.013, False)])
def test_a_loss_whose_lowest_value_is_not_0(at_least: float, is_known: bool) -> None:
    x = torch.randn(ROWS, FEATURES)
    y = torch.where(torch.arange(ROWS) % 32 < 16, 1.0, -1.0)[:, None]  # the answer of a row 16 further is 2 away
    net = nn.Linear(FEATURES, 1)
    told = loss_of_answers(subject(net, (x, y), loss=lambda out, y: F.mse_loss(out, y) / 4 + at_least, kind="mse"))
    assert (not told.not_run) is is_known


def test_a_loss_that_compares_outputs_with_the_next_ids() -> None:
    """As the losses of language models do that get the ids themselves."""
    ids = torch.randint(5, (ROWS, 8))
    told = loss_of_answers(
        subject(
            nn.Embedding(5, 5), (ids, ids), loss=lambda out, y: F.cross_entropy(out[:, :-1].mT, y[:, 1:]), kind=None
        )
    )
    assert "is not known" in told.not_run


# -- twins among the outputs -------------------------------------------------------------------------------------------


class Heads(nn.Module):
    def __init__(self, *, apart: float) -> None:
        super().__init__()
        self.body, self.head, self.apart = nn.Linear(FEATURES, 16), nn.Linear(16, 1), apart

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.body(x).relu()
        return torch.cat([self.head(h), self.head(h) * (1 + self.apart)], 1)


@pytest.mark.parametrize(("apart", "blamed"), [(0.0, True), (1e-5, False)])
def test_outputs_that_are_the_same(apart: float, blamed: bool) -> None:
    x = torch.randn(ROWS, FEATURES)
    told = dependence(subject(Heads(apart=apart), (x, x[:, :2]), loss=F.mse_loss, kind="mse"))
    assert list(told.points_to) == (["network"] if blamed else [])


def test_outputs_with_the_same_targets_may_be_the_same() -> None:
    x = torch.randn(ROWS, FEATURES)
    told = dependence(subject(Heads(apart=0.0), (x, x[:, :1].repeat(1, 2)), loss=F.mse_loss, kind="mse"))
    assert told.points_to == {}


# -- by heart ----------------------------------------------------------------------------------------------------------


def test_eight_examples_are_learnt_by_a_healthy_network() -> None:
    told = by_heart(subject(mlp(), table(), rate=0.5))
    assert told.points_to == {}
    assert set(told.excludes) == {"loss", "loop"}
    assert told.number("your step: right") == 100


def test_a_rate_that_is_too_low_is_the_loops() -> None:
    told = by_heart(subject(mlp(), table(), rate=1e-7))
    assert list(told.points_to) == ["loop"]
    assert "learning-rate-too-low" in told.likelier
    assert told.excludes == {}


def test_a_slow_step_that_still_falls_is_not_blamed() -> None:
    """By 300 steps it has not learnt them, and Adam has; the loss is on its way."""
    assert by_heart(subject(mlp(), table(), rate=1e-3)).points_to == {}


def test_an_attempt_that_was_cut_short_says_nothing() -> None:
    told = by_heart(subject(mlp(), table(), rate=1e-7, budget=Budget(minutes=2, steps=30)))
    assert told.points_to == {}
    assert "not learnt when the time was up in 50 steps" in told.showed[0]
    assert "not tried" in told.showed[1]
    cut = answer(subject(Deaf(), table(), budget=Budget(minutes=2, steps=30)))
    assert cut.points_to == {}


def test_a_rate_that_warms_up_is_tried_at_its_height() -> None:
    x, y = table()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), 0.5)
    torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: step / 1000)
    found = examine(net, x[:32], y[:32], trials=True, optimiser=optimiser, minutes=0.5)
    told = next(one for one in found.trials if one.name == "by heart")
    assert told.number("your step: right") == 100
    assert optimiser.param_groups[0]["lr"] == 0


def test_weights_that_are_dead_are_the_networks() -> None:
    net = mlp()
    with torch.no_grad():
        net[0].bias.fill_(-100)
    told = by_heart(subject(net, table(), rate=0.5))
    assert list(told.points_to) == ["network"]
    assert "fresh weights" in told.points_to["network"]


def test_a_loss_that_cannot_be_learnt_from_is_the_losss() -> None:
    told = by_heart(subject(mlp(), table(), loss=lambda out, y: -F.cross_entropy(out, y)))
    assert list(told.points_to) == ["loss"]


class Deaf(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x * 0)


def test_what_no_optimiser_or_loss_can_teach_is_the_networks() -> None:
    told = by_heart(subject(Deaf(), table(), rate=0.1))
    assert list(told.points_to) == ["network"]
    assert "no weights, optimiser or loss" in told.points_to["network"]


def test_the_end_of_an_unknown_loss_is_not_guessed() -> None:
    told = by_heart(subject(mlp(), table(), loss=lambda out, y: out.square().mean() + 5 + 0 * y.sum(), kind=None))
    assert told.points_to == told.excludes == {}
    assert "not known" in told.showed[0]


def test_the_users_own_step_is_taken() -> None:
    def forgets_to_step(model: Any, optimiser: Any, x: Any, y: Any) -> Any:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    told = by_heart(subject(mlp(), table(), rate=0.5, step=forgets_to_step))
    assert list(told.points_to) == ["loop"]


# -- the answer in the inputs ------------------------------------------------------------------------------------------


def test_targets_that_are_in_the_inputs() -> None:
    told = answer(subject(mlp(), table(), rate=0.3))
    assert told.points_to == {}
    assert set(told.excludes) == {"inputs", "labels"}


def test_targets_that_are_not() -> None:
    x, y = table()
    told = answer(subject(mlp(), (x, y[torch.randperm(ROWS)])))
    assert list(told.points_to) == ["labels"]
    assert told.excludes == {}


@pytest.mark.parametrize("by", [-1, 1])
def test_targets_of_the_row_beside_theirs(by: int) -> None:
    x, y = table()
    told = answer(subject(mlp(), (x, y.roll(by))))
    assert "shifted" in told.points_to["labels"]


def test_a_network_that_does_worse_than_a_linear_model() -> None:
    told = answer(subject(Deaf(), table()))
    assert "a simple model" in told.points_to["network"]
    assert "labels" in told.excludes


def test_a_step_that_does_worse_than_adam() -> None:
    assert list(answer(subject(mlp(), table(), rate=1e-7)).points_to) == ["loop"]


def test_a_regression() -> None:
    x, _ = table()
    net = nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, 1))
    told = answer(subject(net, (x, x[:, :1] * 3), rate=0.01, kind="mse"))
    assert set(told.excludes) == {"inputs", "labels"}
    assert told.number("a linear model: squared error, of the variance") < 5


@pytest.mark.parametrize("signed", [False, True])
def test_a_loss_that_teaches_less_than_the_usual_one(signed: bool) -> None:
    """A hinge loss of labels 0 and 1 knows the examples of class 1 only."""
    x = torch.randn(1024, 20)
    y = (x[:, :1] * x[:, 1:2] + x[:, 2:3] > 0).float()
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

    def hinge(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (1 - y * out).clamp(min=0).mean()

    told = answer(subject(net, (x, 2 * y - 1 if signed else y), loss=hinge, kind=None))
    assert list(told.points_to) == ([] if signed else ["loss"])


def test_what_it_needs_is_said() -> None:
    x, y = table()
    assert "64 different examples" in answer(subject(mlp(), (x[:32], y[:32]))).not_run


# -- dependence --------------------------------------------------------------------------------------------------------


class Mixing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x - x.mean(0))


class OwnLoss(nn.Module):
    """Called with a dict, as networks of transformers are, and returns its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.net(x)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def test_a_network_that_returns_its_loss() -> None:
    x, y = table()
    net = OwnLoss()
    optimiser = torch.optim.SGD(net.parameters(), 0.5)
    found = examine(net, {"x": x[:32], "labels": y[:32]}, trials=True, optimiser=optimiser, minutes=0.5)
    assert {one.name for one in found.trials if one.not_run} == {"loss", "outcome", "answer in the inputs"}
    told = next(one for one in found.trials if one.name == "by heart")
    assert "loop" in told.excludes
    assert not any(one.standing == "pointed at" for one in found.candidates)
    without = examine(mlp(), x[:32], trials=True, optimiser=optimiser)
    assert sum("it needs targets" in one.not_run for one in without.trials) == 3


class Partial(nn.Module):
    def __init__(self, read: int) -> None:
        super().__init__()
        self.read = read
        self.net = nn.Linear(read, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x[:, : self.read])


def test_an_output_that_depends_on_its_own_example_only() -> None:
    told = dependence(subject(mlp(), table()))
    assert told.points_to == {}
    assert "The output depends on every part of axis 1".lower() in [one.lower() for one in told.showed]
    assert "examples-mixed" in told.less_likely
    assert "in training mode two examples alone give what they give in the batch" in told.showed
    told = dependence(subject(mlp(nn.BatchNorm1d(32)), table()))
    assert "in training mode two examples alone give something else than in the batch" in told.showed
    assert told.points_to == {}


def test_an_output_that_depends_on_the_others() -> None:
    told = dependence(subject(Mixing(), table()))
    assert "others in its batch" in told.points_to["network"]


class Neighbours(nn.Module):
    """Adds to each row of a table those beside it, by a matrix (N, N) that belongs to the network, or by rule."""

    def __init__(self, around: torch.Tensor, *, held: bool) -> None:
        super().__init__()
        self.net = mlp()
        self.register_buffer("around", around if held else None)
        self.rule = (lambda n: self.around[:n, :n]) if held else (lambda n: around[:n, :n])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x + self.rule(len(x)) @ x)


@pytest.mark.parametrize("held", [True, False])
def test_rows_that_belong_together_may_depend_on_each_other(held: bool) -> None:
    around = torch.diag(torch.ones(31), 1)
    told = dependence(subject(Neighbours(around, held=held), table()))
    assert any("an example alone gives something else" in one for one in told.showed)
    assert ("network" in told.points_to) == (not held)


def test_an_output_that_begins_with_zeros_points_nowhere() -> None:
    net = mlp()
    nn.init.zeros_(net[-1].weight)
    told = dependence(subject(net, table()))
    assert told.points_to == {}
    assert "the same for all examples" in told.showed[0]


def test_inputs_that_are_not_read() -> None:
    assert "most of axis 1" in dependence(subject(Partial(4), table())).points_to["network"]
    told = dependence(subject(Partial(10), table()))
    assert told.points_to == {}  # said, and not blamed: a part may be left out on purpose
    assert any("10, 11" in one for one in told.showed)


class Characters(nn.Module):
    """Ids (B, T) to logits (B, T, V), by a recurrent layer in one or both directions, or by a layer at each place."""

    def __init__(self, kind: str = "forward") -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, 16)
        self.layer = nn.GRU(16, 16, batch_first=True, bidirectional=kind == "both") if kind != "alone" else None
        self.out = nn.Linear(32 if kind == "both" else 16, CLASSES)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids)
        return self.out(x if self.layer is None else self.layer(x)[0])


def texts() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(CLASSES, (ROWS, 9))
    return ids[:, :-1], ids[:, 1:]


def test_the_future() -> None:
    causal = dependence(subject(Characters(), texts()))
    assert causal.points_to == {}
    assert "no output depends on later places of the sequence" in causal.showed
    seeing = dependence(subject(Characters("both"), texts()))
    assert "sees-the-future" in seeing.likelier
    told = dependence(subject(Characters("both"), (texts()[0], texts()[0] % 2), causal=None))
    assert "an output depends on later places of the sequence" in told.showed
    assert told.points_to == {}  # a fact: nobody said that it must not
    alone = dependence(subject(Characters("alone"), texts()))
    assert any("nothing goes from one place to the next" in one for one in alone.showed)
    assert any("positions are not told apart" in one for one in alone.showed)


def test_targets_that_are_moved() -> None:
    ids = texts()[0]
    net = trained(Characters("alone"), (ids, ids))
    assert not any("go better" in one for one in dependence(subject(net, (ids, ids), causal=False)).showed)
    told = dependence(subject(net, (ids, ids.roll(-1, 1)), causal=False))
    assert any("go better with targets moved by +1 along axis 1" in one for one in told.showed)


class Pooled(nn.Module):
    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.embedding, self.out = nn.Embedding(6, 16), nn.Linear(16, CLASSES)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        mask = (ids != 5).unsqueeze(-1).float() if self.masked else torch.ones(*ids.shape, 1)
        return self.out((self.embedding(ids) * mask).sum(1) / mask.sum(1).clamp(min=1))


@pytest.mark.parametrize("at_the_end", [True, False])
def test_padding(at_the_end: bool) -> None:
    ids = torch.randint(5, (ROWS, 10))
    ids[torch.arange(10) >= torch.randint(4, 11, (ROWS, 1))] = 5
    ids = ids if at_the_end else ids.flip(1)
    y = torch.randint(CLASSES, (ROWS,))
    told = dependence(subject(Pooled(masked=True), (ids, y)))
    assert "more padding does not change the output" in told.showed
    assert told.points_to == {}
    told = dependence(subject(Pooled(masked=False), (ids, y)))
    assert "how much padding" in told.points_to["network"]


def test_what_is_random_in_evaluation_mode() -> None:
    class Noisy(Partial):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(F.dropout(x))

    assert "is random" in saved(subject(Noisy(FEATURES), table())).points_to["evaluation"]
    assert "little can be said" in dependence(subject(Noisy(FEATURES), table())).showed[0]


def test_what_remembers_in_evaluation_mode() -> None:
    class Remembering(Partial):
        kept = 0.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = super().forward(x) + self.kept
            self.kept = out.detach()
            return out

    told = saved(subject(Remembering(FEATURES), table()))
    assert "remembers" in told.points_to["network"]
    assert "evaluation" not in told.points_to


# -- modes and saved weights -------------------------------------------------------------------------------------------


def test_weights_that_become_nan_say_nothing_of_files() -> None:
    told = saved(subject(mlp(), table(), loss=lambda out, y: F.cross_entropy(out, y) * math.nan))
    assert "evaluation" not in told.points_to
    assert any("not finite" in one for one in told.showed)


def test_modes_and_files_that_agree() -> None:
    told = saved(subject(mlp(), table()))
    assert told.points_to == {}
    assert "evaluation" in told.excludes


def test_running_statistics_that_are_wrong() -> None:
    net = trained(mlp(nn.BatchNorm1d(32)), table())
    assert saved(subject(net, table())).points_to == {}
    net[2].running_var.fill_(1e-4)
    net[2].running_mean.fill_(3)
    assert "much worse in evaluation mode" in saved(subject(net, table())).points_to["evaluation"]


class Centred(nn.Module):
    """Keeps a running mean as a plain attribute, as a buffer, or one that is not saved."""

    def __init__(self, kept: str) -> None:
        super().__init__()
        self.net = mlp()
        if kept == "attribute":
            self.mean = torch.zeros(FEATURES)
        else:
            self.register_buffer("mean", torch.zeros(FEATURES), persistent=kept == "buffer")
        self.last = torch.zeros(())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.mean.lerp_(x.detach().mean(0) + 1, 0.1)
        self.last = x.detach().mean()  # what a pass leaves behind and no pass reads
        return self.net(x - self.mean)


@pytest.mark.parametrize(("kept", "lost"), [("buffer", ()), ("attribute", ("mean",)), ("unsaved buffer", ("mean",))])
def test_what_is_not_saved(kept: str, lost: tuple[str, ...]) -> None:
    net = Centred(kept)
    told = saved(subject(net, table()))
    assert told.where == lost
    assert ("evaluation" in told.points_to) == bool(lost)
    x, y = table()
    found = examine(net, x, y, trials=True, optimiser=torch.optim.SGD(net.parameters(), 0.1), minutes=0.05)
    assert ("state-not-saved" in {one.id for one in found.findings}) == bool(lost)


class Listed(nn.Module):
    def __init__(self, kind: Callable[[list[nn.Module]], Any]) -> None:
        super().__init__()
        self.layers = kind([nn.Linear(FEATURES, 32), nn.Linear(32, CLASSES)])
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.layers[1](self.layers[0](x).relu())


def test_a_new_network_with_the_saved_weights() -> None:
    assert saved(subject(Listed(nn.ModuleList), table(), make=lambda: Listed(nn.ModuleList))).points_to == {}
    told = saved(subject(Listed(list), table(), make=lambda: Listed(list)))
    assert "after its weights were saved" in told.points_to["evaluation"]


# -- weights -----------------------------------------------------------------------------------------------------------


def test_what_the_optimiser_does_not_step() -> None:
    whole = weights(subject(Listed(nn.ModuleList), table()))
    assert whole.points_to == {}
    assert whole.number("weights that the loss depends on") == 5
    listed = weights(subject(Listed(list), table()))
    assert listed.where == ("layers[1].bias", "layers[1].weight", "layers[0].bias", "layers[0].weight") or set(
        listed.where
    ) == {"layers[0].weight", "layers[0].bias", "layers[1].weight", "layers[1].bias"}
    assert "parameters() does not find" in listed.points_to["network"]
    net = mlp()
    left = weights(subject(net, table(), optimiser=torch.optim.SGD(net[0].parameters(), 0.1)))
    assert "not-in-optimiser" in left.likelier
    assert list(left.points_to) == ["loop"]


def test_a_leaf_that_was_given_is_no_weight() -> None:
    x, y = table()
    told = weights(subject(mlp(), (x.requires_grad_(), y)))
    assert told.points_to == {}


@pytest.mark.parametrize(("rate", "lost"), [(1e-2, False), (1e-5, True), (1e-6, True)])
def test_updates_that_rounding_throws_away(rate: float, lost: bool) -> None:
    x, y = table()
    net = mlp().bfloat16()
    with torch.no_grad():
        for one in net.parameters():
            one.add_(0.05 * one.sign())
    adam = torch.optim.Adam(net.parameters(), rate)
    told = weights(subject(net, (x.bfloat16(), y), optimiser=adam))
    assert ("loop" in told.points_to) == lost
    found = examine(net, x.bfloat16(), y, trials=True, optimiser=adam, minutes=0.05)
    assert ("updates-rounded-away" in {one.id for one in found.findings}) == lost


# -- outcome -----------------------------------------------------------------------------------------------------------


def test_a_class_that_is_never_right() -> None:
    x, y = table()
    net = trained(mlp(), (x, y))
    assert outcome(subject(net, (x, y))).points_to == {}
    with torch.no_grad():
        net[-1].bias[2] = -1000
    told = outcome(subject(net, (x, y)))
    assert told.where == ("2",)
    assert "class 2 is never right" in told.points_to["labels"]
    found = examine(net, x, y, trials=True, minutes=0.05)
    assert "class-never-right" in {one.id for one in found.findings}


def test_an_untrained_network_is_not_blamed_for_a_class() -> None:
    assert outcome(subject(mlp(), table())).points_to == {}


def test_right_by_position_and_by_length() -> None:
    x, y = texts()
    y = y.clone()
    y[:, 4:] = x[:, 4:]
    told = outcome(subject(trained(Characters("alone"), (x, x)), (x, y)))
    assert told.number("position 6 to 7: right") == 100
    assert told.number("position 0 to 2: right") < 60
    ids = torch.randint(4, (ROWS, 10))
    lengths = torch.randint(2, 9, (ROWS,))
    ids[torch.arange(10) >= lengths[:, None]] = 4
    short = (lengths < 5).long()
    net = Pooled(masked=True)
    told = outcome(subject(net, (ids, short)))
    assert sum("length" in one.what for one in told.seen) >= 2


# -- all together ------------------------------------------------------------------------------------------------------


def bits(thing: Any) -> bytes:
    file = io.BytesIO()
    torch.save(thing, file)
    return file.getvalue()


@pytest.mark.parametrize("one", ARCHITECTURES[::4], ids=str)
def test_nothing_is_changed(one: Architecture) -> None:
    torch.manual_seed(1)
    model = one.make()
    inputs, targets = one.batch()
    learning = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(learning, 0.01, momentum=0.9)
    loss = one.loss_of(one.output(model, inputs), targets)
    loss.backward()
    optimiser.step()
    before = state_of(model), bits(optimiser.state_dict()), bits((inputs, targets)), random.getstate()
    found = examine(model, inputs, targets, loss=one.loss, trials=True, optimiser=optimiser, minutes=0.03)
    assert (state_of(model), bits(optimiser.state_dict()), bits((inputs, targets)), random.getstate()) == before
    assert len(found.trials) == 8
    assert "Where the fault may lie" in str(found)


def test_loaders_and_generators_are_as_they_were() -> None:
    x, y = table()
    generator = torch.Generator().manual_seed(5)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), batch_size=50, shuffle=True, generator=generator
    )
    net = mlp()
    state, chance = generator.get_state(), torch.get_rng_state()
    found = examine(net, x[:16], y[:16], trials=True, data=loader, minutes=0.1)
    assert torch.equal(generator.get_state(), state)
    assert torch.equal(torch.get_rng_state(), chance)
    assert next(one for one in found.trials if one.name == "outcome").number("right") is not None
    once = examine(mlp(), x[:16], y[:16], trials=True, data=iter(loader), minutes=0.02)
    assert "read once only" in next(one for one in once.trials if one.name == "data").not_run


def test_a_step_that_uses_its_surroundings_trains_the_copy() -> None:
    """What a function finds in its closure is copied with the network, so that nothing of the user's is stepped."""
    x, y = table()
    net = mlp()
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1)

    def step(_: Any, __: Any, inputs: Any, targets: Any) -> Any:
        optimiser.zero_grad()
        loss = F.cross_entropy(net(inputs), targets)
        loss.backward()
        optimiser.step()
        schedule.step()
        return loss

    before = state_of(net), bits(optimiser.state_dict()), bits(schedule.state_dict())
    found = examine(net, x[:16], y[:16], trials=True, optimiser=optimiser, step=step, minutes=0.1)
    assert (state_of(net), bits(optimiser.state_dict()), bits(schedule.state_dict())) == before
    assert "your step" not in {one.name for one in found.trials}


def test_functions_that_a_step_calls_use_the_copy_too() -> None:
    x, y = table()
    net = mlp()
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)

    def loss_of(inputs: Any, targets: Any, depth: int = 1) -> Any:
        return loss_of(inputs, targets, 0) if depth else F.cross_entropy(net(inputs), targets)

    def step(_: Any, __: Any, inputs: Any, targets: Any) -> Any:
        optimiser.zero_grad()
        loss = loss_of(inputs, targets)
        loss.backward()
        optimiser.step()
        return loss

    before = state_of(net), bits(optimiser.state_dict())
    found = examine(net, x[:16], y[:16], trials=True, optimiser=optimiser, step=step, minutes=0.1)
    assert (state_of(net), bits(optimiser.state_dict())) == before
    assert "your step" not in {one.name for one in found.trials}
    told = next(one for one in found.trials if one.name == "by heart")
    assert told.number("your step: right") == 100


HIDDEN: dict[str, Any] = {}


def test_a_step_that_trains_another_network_is_refused_and_put_back() -> None:
    x, y = table()
    HIDDEN["net"] = net = mlp()
    HIDDEN["optimiser"] = optimiser = torch.optim.Adam(net.parameters(), 1e-2)

    def step(_: Any, __: Any, inputs: Any, targets: Any) -> Any:
        HIDDEN["optimiser"].zero_grad()
        loss = F.cross_entropy(HIDDEN["net"](inputs), targets)
        loss.backward()
        HIDDEN["optimiser"].step()
        return loss

    before = state_of(net), bits(optimiser.state_dict())
    found = examine(net, x[:16], y[:16], trials=True, optimiser=optimiser, step=step, minutes=0.05)
    assert (state_of(net), bits(optimiser.state_dict())) == before
    assert "trained another network" in next(one for one in found.trials if one.name == "your step").not_run


def test_what_cannot_be_copied_says_so() -> None:
    net = mlp()
    net.held = torch.ones(2, requires_grad=True) * 2  # no leaf: PyTorch copies none
    x, y = table()
    found = examine(net, x, y, trials=True)
    assert all(one.not_run for one in found.trials)
    assert "deepcopy" in found.trials[1].not_run


def test_time_that_is_up() -> None:
    x, y = table()
    adapter = adapter_for(mlp())
    assert all("used up" in one.not_run for one in run_trials(adapter, x, y, minutes=1e-9))
    with pytest.raises(ConfigError, match="minutes must be above 0"):
        run_trials(adapter, x, y, minutes=0)


def test_the_ranking() -> None:
    x, y = table()
    net = mlp()
    sound = examine(net, x, y, trials=True, optimiser=torch.optim.SGD(net.parameters(), 0.3))
    assert [one.standing for one in sound.candidates] == ["left", *["excluded"] * 5]
    assert sound.candidates[0].part == "network"
    slow = examine(net, x, y, trials=True, optimiser=torch.optim.SGD(net.parameters(), 1e-7))
    assert (slow.candidates[0].part, slow.candidates[0].standing) == ("loop", "pointed at")
    assert len(slow.candidates[0].reasons) == 2
    assert examine(net, x, y).candidates == ()
    assert {one.part for one in ranked(())} == {"inputs", "labels", "network", "loss", "loop", "evaluation"}


def test_a_network_of_this_package() -> None:
    rng = np.random.default_rng(0)
    model = MLP(MLPConfig(vocabulary_size=7, context=3, embedding=8, hidden=(32,)), rng=rng)
    x = rng.integers(0, 7, (300, 3))
    y = x[:, 2]
    optimiser = AdamW(model.parameters(), 1e-2)
    before = {name: array.tobytes() for name, array in model.state_dict().items()}
    state = copy.deepcopy(optimiser.state_dict())
    found = examine(model, x, y, trials=True, optimiser=optimiser)
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == before
    assert all(np.array_equal(one, state[name]) for name, one in optimiser.state_dict().items())
    assert [one.name for one in found.trials if one.not_run] == ["gradient", "loss"]  # see backlight.gradcheck
    assert found.candidates[0].standing == "left"
    assert {one.part for one in found.candidates if one.standing == "excluded"} >= {"labels", "loss", "loop"}
