"""What happens in the loop around a PyTorch network: calls by its parts, replaced parameters, clips, broken numbers."""

import copy
import copyreg
import gc
import io
import math
import pickle
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from backlight.health import diagnose, watch
from backlight.watch.records import Measurements, NonFinite
from backlight.watch.structure import Structure

STEPS = 45


def net() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(32, 6), torch.randint(4, (32,))


def trained(model: nn.Module, step: Callable[[int, Any, Any], Any], optimiser: Any, steps: int = STEPS) -> Measurements:
    """Watch a training whose steps a function takes; it returns the loss, or None if none is reported."""
    with watch(model, optimiser=optimiser) as watcher:
        for i in range(steps):
            loss = step(i, *batch())
            if loss is not None:
                watcher.step(loss)
    return watcher.measurements()


def usual(model: nn.Module, optimiser: Any, between: Callable[[int], Any] = lambda _: None) -> Any:
    def step(i: int, x: Tensor, y: Tensor) -> Tensor:
        loss = cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        between(i)
        optimiser.step()
        return loss

    return step


# -- copies ------------------------------------------------------------------------------------------------------------


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))  # noqa: S301  (written just now)


def hooks_of(model: nn.Module) -> int:
    tables = [one for module in model.modules() for name, one in vars(module).items() if "_hooks" in name]
    return sum(map(len, tables))


@pytest.mark.parametrize("at", [3, 15], ids=["recorded", "between"])
@pytest.mark.parametrize("way", [copy.deepcopy, pickled, "saved"])
def test_a_copy_has_the_users_hooks_and_not_the_watchers(way: Any, at: int) -> None:
    model = net()
    model[0].register_forward_hook(print_nothing)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    copies = []

    def copied(i: int) -> None:
        if i == at:
            if way == "saved":
                torch.save(model, file := io.BytesIO())
                file.seek(0)
                copies.append(torch.load(file, weights_only=False))
            else:
                copies.append(way(model))

    trained(model, usual(model, optimiser, copied), optimiser)
    assert [hooks_of(one) for one in copies] == [1]
    x, _ = batch()
    assert torch.isfinite(copies[0](x)).all()


def print_nothing(module: nn.Module, args: Any, output: Any) -> None:
    """Stand for a hook of the user's."""


def test_ordered_dicts_are_copied_as_ever_while_a_network_is_watched() -> None:
    given = OrderedDict(b=1, a=torch.ones(2))
    given.note = "kept"  # type: ignore[attr-defined]
    model = net()
    with watch(model), watch(nn.Linear(2, 2)):
        for made in (copy.deepcopy(given), pickled(given)):
            assert list(made) == ["b", "a"]
            assert made.note == "kept"
        state = copy.deepcopy(model.state_dict())
        assert state._metadata == model.state_dict()._metadata  # type: ignore[attr-defined]
    assert OrderedDict not in copyreg.dispatch_table


# -- steps and parameters ----------------------------------------------------------------------------------------------


def test_a_network_that_is_called_by_its_parts_counts_its_steps() -> None:
    model = net()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)

    def step(_: int, x: Tensor, y: Tensor) -> None:
        for layer in model:
            x = layer(x)
        loss = cross_entropy(x, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    seen = trained(model, step, optimiser)
    assert seen.total_steps == STEPS
    assert [one.step for one in seen.steps] == [*range(10), 20, 40]
    assert all(one.name in {x.name for x in record.layers} for record in seen.steps for one in record.layers)
    assert all(len(record.layers) == 3 for record in seen.steps)
    assert all(one.moved for record in seen.steps for one in record.parameters)


def test_two_optimisers_take_one_step_together_where_nobody_tells() -> None:
    model = net()
    pair = [torch.optim.SGD(model[at].parameters(), 0.1) for at in (0, 2)]

    def step(_: int, x: Tensor, y: Tensor) -> None:
        h = model[2](model[1](model[0](x)))
        cross_entropy(h, y).backward()
        for one in pair:
            one.step()
            one.zero_grad()

    assert trained(model, step, pair).total_steps == STEPS


@pytest.mark.parametrize("way", ["assign", "layer"])
def test_parameters_that_are_replaced_are_followed(way: str) -> None:
    model = net()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)

    def step(i: int, x: Tensor, y: Tensor) -> Tensor:
        if i == 20 and way == "assign":
            model.load_state_dict({k: v.clone() for k, v in model.state_dict().items()}, assign=True)
        if i == 20 and way == "layer":
            model[2] = nn.Linear(16, 4)
        model.zero_grad()
        return usual(model, optimiser)(i, x, y)

    seen = trained(model, step, optimiser)
    replaced = {one.name: one.replaced for one in seen.parameters}
    new = {"2.weight", "2.bias"} if way == "layer" else set(replaced)
    assert replaced == {name: 20 if name in new else None for name in replaced}
    assert {one.name for one in seen.parameters if one.in_optimiser is False} == new
    assert [one.name for one in seen.layers] == ["0", "1", "2"]
    (found,) = [one for one in diagnose(seen).findings if one.id == "not-in-optimiser"]
    assert "replaced at step 20" in found.title


def test_parameters_in_whose_place_others_are_used_are_not_measured() -> None:
    model = net()
    weights = {name: one.detach().clone().requires_grad_() for name, one in model.named_parameters()}
    optimiser = torch.optim.SGD(weights.values(), 0.1)

    def step(_: int, x: Tensor, y: Tensor) -> Tensor:
        loss = cross_entropy(torch.func.functional_call(model, weights, (x,)), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    seen = trained(model, step, optimiser)
    assert {one.what for one in seen.not_measured} == set(weights)
    assert all(one.in_optimiser is None and one.reached is None and one.replaced is None for one in seen.parameters)
    assert not any(record.parameters for record in seen.steps)
    assert all(record.layers for record in seen.steps)


def test_a_structure_is_unchanged_only_with_the_very_same_parts() -> None:
    model = net()
    structure = Structure([model[0]._parameters, model._modules])
    assert structure.is_unchanged()
    before = model[0].bias
    model[0].bias = nn.Parameter(before.detach().clone())
    assert not structure.is_unchanged()
    model[0].bias = before
    assert structure.is_unchanged()
    model.append(nn.Identity())
    assert not structure.is_unchanged()


def test_a_matrix_that_began_as_a_copy_of_a_table_is_known() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 9, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(model[0].weight)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimiser=optimiser) as watcher:
        for _ in range(12):
            ids = torch.randint(9, (32,))
            loss = cross_entropy(model(ids), ids)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
    assert {one.name: one.copy_of for one in watcher.measurements().parameters} == {
        "0.weight": "", "1.weight": "0.weight"
    }  # fmt: skip


# -- gradients ---------------------------------------------------------------------------------------------------------


def test_the_gradients_way_to_the_step() -> None:
    model = net()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    norms: list[tuple[float, float]] = []

    def between(i: int) -> None:
        before = float(model[2].bias.grad.norm())
        if i % 3 == 1:
            nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        if i % 3 == 2:
            model.zero_grad()
        after = 0.0 if model[2].bias.grad is None else float(model[2].bias.grad.norm())
        norms.append((before, after))

    seen = trained(model, usual(model, optimiser, between), optimiser)
    for record in seen.steps:
        assert record.backward_norm == pytest.approx(norms[record.step][0], rel=1e-6)
        assert record.step_norm == pytest.approx(norms[record.step][1], rel=1e-6)


def test_a_derivative_by_the_input_before_zero_grad_is_no_gradient_that_was_left() -> None:
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)

    def step(_: int, x: Tensor, _y: Tensor) -> Tensor:
        out = model(x.requires_grad_())
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        return_ = out.square().mean() + slope.square().mean()
        optimiser.zero_grad()
        return_.backward()
        optimiser.step()
        return return_

    assert {one.left_over_norm for one in trained(model, step, optimiser).steps} == {0.0}


@pytest.mark.parametrize(("divisor", "share"), [(1, 1.0), (4, 0.25)])
def test_what_the_loss_of_a_pass_is_multiplied_by(divisor: int, share: float) -> None:
    model = net()
    optimiser = torch.optim.SGD(model.parameters(), 0.01)

    def step(_: int, x: Tensor, y: Tensor) -> float:
        optimiser.zero_grad()
        for part in range(4):
            rows = slice(8 * part, 8 * part + 8)
            (cross_entropy(model(x[rows]), y[rows]) / divisor).backward()
        optimiser.step()
        return 1.0

    records = trained(model, step, optimiser).steps
    assert all(one.backward_passes == 4 for one in records)
    assert all(one.pass_share == pytest.approx(share, rel=1e-4) for one in records)


def test_a_squared_error_has_no_share_of_a_cross_entropy() -> None:
    model = net()
    optimiser = torch.optim.SGD(model.parameters(), 0.01)

    def step(_: int, x: Tensor, _y: Tensor) -> float:
        optimiser.zero_grad()
        for _ in range(2):
            model(x).square().mean().backward()
        optimiser.step()
        return 1.0

    assert {one.pass_share for one in trained(model, step, optimiser).steps} == {None}


# -- numbers -----------------------------------------------------------------------------------------------------------


class Ends(nn.Module):
    """A network that ends with a function."""

    def __init__(self, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(nn.Linear(6, 16, bias=False), nn.ReLU(), nn.Linear(16, 4, bias=False))
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.body(x))


def broken(model: nn.Module, loss_of: Callable[[Tensor], Tensor], at: int) -> NonFinite:
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)

    def step(i: int, x: Tensor, _y: Tensor) -> Tensor:
        if i == at:
            x[3] = 0
        loss = loss_of(model(x))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    found = trained(model, step, optimiser, at + 3).first_nonfinite
    assert found is not None
    return found


def squares(out: Tensor) -> Tensor:
    return (out - 1).square().mean()


IN_NETWORK: list[tuple[Callable[[Tensor], Tensor], str, str, str]] = [
    (lambda h: h.square().sum(1).sqrt(), "backward", "sqrt", "zero"),
    (lambda h: h.square().sum(1) ** 0.5, "backward", "pow", "zero"),
    (lambda h: torch.where(h == 0, 0.0, h.abs().sqrt()), "backward", "sqrt", "zero"),
    (lambda h: h.abs().sum(1).log(), "forward", "log", "zero"),
    (lambda h: h / h.norm(dim=1, keepdim=True), "forward", "div", "zero"),
    (lambda h: h * h.square().sum(1, keepdim=True).rsqrt(), "forward", "div", "zero"),
    (lambda h: (h.abs().sum(1) - 1e-9).log(), "forward", "log", "negative"),
    (lambda h: (200 - 1e4 * h.abs().sum(1)).exp(), "forward", "exp", "large"),
]


@pytest.mark.parametrize("at", [3, 13], ids=["recorded", "between"])
@pytest.mark.parametrize(("end", "direction", "op", "given"), IN_NETWORK, ids=[one[2] for one in IN_NETWORK])
def test_the_operation_that_is_not_finite_is_named(
    end: Callable[[Tensor], Tensor], direction: str, op: str, given: str, at: int
) -> None:
    found = broken(Ends(end), squares, at)
    assert (found.step, found.direction, found.op, found.at) == (at, direction, op, given)
    assert found.where == f"body.2>{op}"


@pytest.mark.parametrize("at", [3, 13], ids=["recorded", "between"])
@pytest.mark.parametrize(
    ("loss_of", "direction", "op"),
    [
        (lambda out: out.square().sum(1).sqrt().mean(), "backward", "sqrt"),
        (lambda out: -out.abs().sum(1).log().mean(), "loss", "log"),
        (lambda out: (1 / out.square().sum(1)).mean(), "loss", "div"),
    ],
)
def test_the_operation_of_a_loss_is_named(
    loss_of: Callable[[Tensor], Tensor], direction: str, op: str, at: int
) -> None:
    found = broken(Ends(nn.Identity()), loss_of, at)
    assert (found.step, found.where, found.direction, found.op, found.at) == (at, "loss", direction, op, "zero")


@pytest.mark.parametrize("at", [3, 13], ids=["recorded", "between"])
@pytest.mark.parametrize("optimised", [True, False], ids=["stepped", "guarded"])
@pytest.mark.parametrize(
    ("loss_of", "op"),
    [
        (lambda out, y, keep: (cross_entropy(out, y, reduction="none") * keep).sum() / keep.sum(), "div"),
        (lambda out, y, keep: cross_entropy(out, torch.where(keep, y, -100)), "cross_entropy"),
        (lambda out, _, keep: (out[keep] - 1).square().mean(), "mean"),
        (lambda out, y, keep: out.mean() + cross_entropy(out, torch.where(keep, y, -100)), "cross_entropy"),
        (lambda out, y, keep: out.mean() / len(y) + cross_entropy(out, torch.where(keep, y, -100)), ""),  # or the first
    ],
)
def test_a_mean_of_nothing_is_named(loss_of: Callable[..., Tensor], op: str, optimised: bool, at: int) -> None:
    """No target of one minibatch counts; the user's loop may leave out the step then."""
    model = Ends(nn.Identity())
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)

    def step(i: int, x: Tensor, y: Tensor) -> Tensor:
        loss = loss_of(model(x), y.clamp(max=3), torch.full(y.shape, i != at))
        optimiser.zero_grad()
        loss.backward()
        if optimised or loss.isfinite():
            optimiser.step()
        return loss

    found = trained(model, step, optimiser, at + 3).first_nonfinite
    assert found is not None
    if op or not optimised:
        assert (found.where, found.direction) == ("loss", "loss")
    assert (found.step, found.op, found.at) == (at, op, "nothing" if op else "")


@pytest.mark.parametrize("at", [3, 13], ids=["recorded", "between"])
def test_a_row_that_is_masked_whole_is_named(at: int) -> None:
    def end(h: Tensor) -> Tensor:
        return (h + torch.where(h.abs().sum(1, keepdim=True) == 0, -math.inf, 0.0)).softmax(1)

    found = broken(Ends(end), squares, at)
    assert (found.step, found.direction, found.op, found.at) == (at, "forward", "softmax", "masked row")
    assert found.where == "body.2>softmax"


def test_a_mask_is_not_what_is_broken() -> None:
    """Minus infinity that a mask writes is meant; a loss of such logits is finite."""
    model = Ends(lambda h: h.masked_fill(torch.arange(4) == 3, -math.inf))
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)

    def step(_: int, x: Tensor, y: Tensor) -> Tensor:
        loss = cross_entropy(model(x), y.clamp(max=2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    assert trained(model, step, optimiser).first_nonfinite is None


def test_a_loss_that_is_skipped_does_not_hide_what_breaks_later() -> None:
    model = Ends(lambda h: h.square().sum(1).sqrt())
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)

    def step(i: int, x: Tensor, _y: Tensor) -> Tensor:
        if i == 5:
            return torch.tensor(math.nan)
        if i == 17:
            x[3] = 0
        loss = squares(model(x))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    found = trained(model, step, optimiser).first_nonfinite
    assert found is not None
    assert (found.step, found.op) == (17, "sqrt")


@pytest.mark.parametrize(
    ("made", "replaced"),
    [
        (lambda net, _: torch.optim.Adam(net.parameters()), 11),
        (lambda net, kept: kept.setdefault("one", torch.optim.Adam(net.parameters())), 0),
        (lambda net, kept: kept.setdefault(len(kept["turns"]) % 2, torch.optim.Adam(net.parameters())), 0),
        (lambda net, kept: kept.setdefault(len(kept["turns"]) // 4, torch.optim.Adam(net.parameters())), 0),
    ],
    ids=["each step", "once", "two in turn", "every fourth step"],
)
def test_optimisers_that_are_made_anew_are_counted_and_let_go(made: Any, replaced: int) -> None:
    """Their states are as large as the network: none may be kept alive by who watches."""
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    other = torch.optim.SGD([nn.Parameter(torch.zeros(3))], 0.1)  # of another network
    kept: dict[Any, Any] = {"turns": []}
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    with watch(net) as watcher:
        for _ in range(12):
            optimiser = made(net, kept)
            alive.add(optimiser)
            kept["turns"].append(0)
            optimiser.zero_grad()
            loss = net(torch.randn(8, 4)).square().mean()
            loss.backward()
            optimiser.step()
            other.step()
            watcher.step(loss)
        facts = watcher.measurements().optimiser
        assert facts is not None
        assert (facts.kind, facts.replaced, facts.foreign) == ("Adam", replaced, 0)
        assert all(len(one.lr) == 1 for one in watcher.measurements().steps)
        gc.collect()
        assert len(alive) <= len(set(map(id, kept.values()))) + 1
