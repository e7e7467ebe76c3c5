"""What is measured on PyTorch's networks, where only they can have it: functions, autocast, scalers, changes in place.

What both frameworks have is in `test_watching.py`.
"""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.oracle.architectures import ARCHITECTURES, Architecture, ConvNet, SequenceClassifier, ids, images, resnet
from tests.oracle.watching import FRAMEWORKS, Step, agrees, layers_of
from torch import nn
from torch.nn import functional as F  # noqa: N812

from backlight.health import watch
from backlight.watch import numbers
from backlight.watch.records import Measurements, StepRecord
from backlight.watch.torch_nn import statistics

TORCH = FRAMEWORKS[1]


def mlp(*, bias: bool = False) -> nn.Module:
    return nn.Sequential(
        nn.Embedding(9, 4), nn.Flatten(),
        nn.Linear(24, 16, bias=bias), nn.BatchNorm1d(16), nn.Tanh(),
        nn.Linear(16, 16), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(16, 5),
    )  # fmt: skip


def train(
    model: nn.Module, batch: Callable[[], tuple[Any, Any]], steps: int, *, one: Architecture | None = None,
    watched: bool = True, every: int = 20, lr: float = 0.05, seed: int = 5,
) -> Measurements | None:  # fmt: skip
    one = one or Architecture("", lambda: model, batch)
    torch.manual_seed(seed)
    sparse = any(getattr(module, "sparse", False) for module in model.modules())
    optimiser = torch.optim.SGD(model.parameters(), lr) if sparse else torch.optim.Adam(model.parameters(), lr)

    def step() -> torch.Tensor:
        inputs, targets = batch()
        loss = one.loss_of(one.output(model, inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    if not watched:
        for _ in range(steps):
            step()
        return None
    with watch(model, every=every) as watcher:
        for _ in range(steps):
            watcher.step(step())
    return watcher.measurements()


@pytest.mark.parametrize("way", ["kernel", "numpy", "device"])
@pytest.mark.parametrize(
    ("make", "batch"), [(mlp, ids), (ConvNet, images), (resnet, images)], ids=["MLP", "CNN", "ResNet"]
)
def test_a_recorded_step_is_what_numpy_says(
    make: Callable[[], nn.Module], batch: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way != "kernel":
        monkeypatch.setattr(statistics, "kernel", lambda: None)
        monkeypatch.setattr(numbers, "kernel", lambda: None)
    if way == "device":  # as a large tensor on another device is measured
        monkeypatch.setattr(statistics, "is_near", lambda _: False)
    torch.manual_seed(3)
    model = make()
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    names = [
        name
        for name, module in model.named_modules()
        if not list(module.children()) and not isinstance(module, nn.Flatten)  # it only moves numbers
    ]
    with watch(model, every=1) as watcher:
        for taken in range(13):
            x, y = batch()
            step = Step(TORCH, model, names)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            step.after_backward()
            optimiser.step()
            optimiser.zero_grad()
            watcher.step(loss)
            step.close()
            if taken in {0, 1, 12}:
                record = watcher.measurements().steps[-1]
                assert record.step == taken
                assert record.loss == pytest.approx(loss.item())
                wide = {name for name, one in model.named_parameters() if one.ndim > 1}
                step.agrees(record, matrices=wide - ({"0.weight"} if make is mlp else set()))


def test_units_that_saturate_and_die_are_counted() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 50), nn.Tanh(), nn.Linear(50, 30), nn.ReLU(), nn.Linear(30, 5), nn.Sigmoid())
    with torch.no_grad():
        model[0].weight *= 6
        model[2].bias[:7] = -100
    rng = np.random.default_rng(1)
    alive = np.zeros(30, bool)
    with watch(model, every=1) as watcher:
        for _ in range(12):
            x = torch.from_numpy(rng.standard_normal((3, 4)).astype(np.float32))
            out = model(x)
            hidden = model[1](model[0](x)).detach().numpy()
            rectified = model[3](model[2](model[1](model[0](x)))).detach().numpy()
            alive |= (rectified > 0).any(0)
            out.sum().backward()
            watcher.step()
    record = watcher.measurements().steps[-1]
    by_name = {layer.name: layer for layer in record.layers}
    assert by_name["1"].saturated == pytest.approx((np.abs(hidden) > 0.97).mean())
    assert by_name["1"].dead_now == pytest.approx((np.abs(hidden) > 0.97).all(0).mean())
    assert by_name["3"].saturated is None
    assert by_name["3"].dead_now == pytest.approx((rectified <= 0).all(0).mean())
    assert by_name["3"].dead_over == 10
    assert 7 / 30 <= by_name["3"].dead <= by_name["3"].dead_now
    assert by_name["2"].dead is None
    assert by_name["1"].across == pytest.approx(np.sqrt(hidden.var(0).mean()), rel=1e-4)


@pytest.mark.parametrize("one", ARCHITECTURES, ids=str)
def test_a_watched_training_ends_with_the_same_bits_and_no_hooks(one: Architecture) -> None:
    ended, measured = [], None
    for watched in (False, True):
        torch.manual_seed(1)
        model = one.make()
        measured = train(model, one.batch, 14, one=one, watched=watched, every=3)
        tensors = [*model.parameters(), *model.buffers()]
        ended.append(([tensor.detach().numpy().tobytes() for tensor in tensors], torch.get_rng_state().tolist()))
        for module in model.modules():
            own = [hook for hook in module._forward_hooks.values() if "backlight" in type(hook).__module__]
            assert not own
            assert not module._forward_pre_hooks
        assert all(not one._backward_hooks for one in model.parameters())
    assert ended[0] == ended[1]
    assert measured is not None
    assert [record.step for record in measured.steps] == [*range(10), 12]
    assert measured.first_nonfinite is None
    for record in measured.steps:
        assert record.layers
        assert all(layer.gradient is not None for layer in record.layers if layer.name)
        assert all(np.isfinite(layer.output.std) for layer in record.layers)
    names = [layer.name for layer in measured.steps[0].layers]
    assert all([layer.name for layer in record.layers] == names for record in measured.steps)


def test_activations_applied_by_functions_are_layers() -> None:
    measured = train(ConvNet(), images, 2)
    assert measured is not None
    facts = {fact.name: fact for fact in measured.layers}
    assert list(facts) == ["conv1", "norm", "norm>relu", "conv2", "conv2>relu", "drop", "head"]
    assert facts["norm>relu"].functional
    assert facts["norm>relu"].one_sided
    assert facts["norm>relu"].reads == ("norm",)
    assert facts["conv1"].reads == ()
    assert facts["norm"].reads == ("conv1",)
    assert facts["head"].reads == ("drop",)
    relu = layers_of(measured.steps[1])["norm>relu"]
    assert relu.units == 4
    assert [layers_of(measured.steps[1])[name].units for name in ("conv1", "norm", "conv2", "head")] == [4, 4, 6, 5]
    assert relu.dead is not None
    assert layers_of(measured.steps[1])["conv2"].output.low < 0  # before the ReLU that works in its place


def test_shared_and_repeated_modules_are_one_layer() -> None:
    unet = next(one for one in ARCHITECTURES if one.name == "U-Net")
    measured = train(unet.make(), unet.batch, 2, one=unet)
    assert measured is not None
    facts = {fact.name: fact for fact in measured.layers}
    assert facts["middle.0"].calls == 2
    assert facts["middle.0"].aliases == ("again.0",)
    assert set(facts["middle.0"].reads) == {"middle.1"}  # the second time; the first time something pools in between
    assert set(facts["out"].reads) == {"up", "down.1"}
    assert layers_of(measured.steps[1])["middle.0"].output.count == 2 * 4 * 4 * 4 * 4


def test_the_structure_with_an_embedding_and_dropout() -> None:
    measured = train(mlp(bias=True), ids, 3)
    assert measured is not None
    facts = {fact.name: fact for fact in measured.layers}
    assert [fact.role for fact in measured.layers] == [
        "embedding", "shape", "linear", "batch_norm", "activation", "linear", "activation", "dropout", "linear",
    ]  # fmt: skip
    assert facts["2"].fan_in == 24
    assert facts["2"].reads == ("1",)
    assert facts["7"].settings["p"] == 0.3
    assert measured.loss is not None
    assert measured.loss.chain[:2] == ("nll_loss", "log_softmax")
    assert measured.optimiser is not None
    assert measured.optimiser.groups[0]["beta2"] == 0.999
    assert [fact.name for fact in measured.parameters if fact.weight_matrix] == ["2.weight", "5.weight", "8.weight"]
    assert [fact.name for fact in measured.parameters if fact.table] == ["0.weight"]
    assert all(record.lr == (0.05,) for record in measured.steps)


def test_logits_show_targets_and_what_the_loss_ought_to_be() -> None:
    torch.manual_seed(3)
    model, y = nn.Linear(4, 5), torch.tensor([0, 1, 1, 4, -100])
    with watch(model) as watcher:
        out = model(torch.randn(5, 4))
        loss = F.cross_entropy(out, y)
        loss.backward()
        watcher.step(loss)
    logits = watcher.measurements().steps[0].logits
    assert logits is not None
    p = torch.softmax(out.detach(), -1)
    assert logits.targets == (1, 2, 0, 0, 1)
    assert logits.nats == pytest.approx(loss.item(), rel=1e-5)
    assert logits.max_probability == pytest.approx(p.max(-1).values.mean().item(), rel=1e-5)
    assert logits.entropy == pytest.approx(-(p * p.log()).sum(-1).mean().item(), rel=1e-5)
    assert logits.accuracy == pytest.approx((out.argmax(-1) == y)[:4].float().mean().item())
    assert not logits.rows_sum_to_one


@pytest.mark.parametrize(
    ("loss", "kind", "reduction", "chain"),
    [
        (lambda out, y: F.cross_entropy(out, y, reduction="sum"), "cross_entropy", "sum", ("nll_loss", "log_softmax")),
        (lambda out, y: -F.cross_entropy(out, y), "cross_entropy", "mean", ("neg", "nll_loss", "log_softmax")),
        (lambda out, y: F.cross_entropy(out.softmax(-1), y), "cross_entropy", "mean", ("nll_loss",)),
        (lambda out, y: F.nll_loss(F.log_softmax(out, -1), y), "cross_entropy", "mean", ("nll_loss", "log_softmax")),
        (lambda out, y: ((out - F.one_hot(y, 5)) ** 2).mean(), "mse", "mean", ("mean", "pow", "sub")),
        (lambda out, y: F.mse_loss(out, F.one_hot(y, 5).float(), reduction="sum"), "mse", "sum", ("mse_loss",)),
        (lambda out, _: (out.logsumexp(-1) - out.sum(-1)).mean(), "other", "mean", ("mean",)),
    ],
)  # fmt: skip
def test_how_the_loss_was_made_is_read_from_the_graph(loss: Any, kind: str, reduction: str, chain: Any) -> None:
    torch.manual_seed(3)
    model, y = nn.Linear(4, 5), torch.tensor([0, 1, 1, 4])
    with watch(model) as watcher:
        value = loss(model(torch.randn(4, 4)), y)
        value.backward()
        watcher.step(value)
    measured = watcher.measurements()
    assert measured.loss is not None
    assert (measured.loss.kind, measured.loss.reduction) == (kind, reduction)
    assert measured.loss.chain[: len(chain)] == chain
    assert measured.loss.chain[-1] == "addmm"
    logits = measured.steps[0].logits
    if kind == "cross_entropy" and "softmax" not in measured.loss.chain:
        assert logits is not None
        assert logits.targets == (1, 2, 0, 0, 1)
    if kind == "mse":
        assert measured.steps[0].target_mean == pytest.approx(0.2, abs=1e-5)
        assert measured.steps[0].target_std == pytest.approx(0.4, abs=1e-5)


def test_a_softmax_in_the_net_shows_in_the_chain_and_in_the_rows() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Softmax(-1))
    with watch(model) as watcher:
        loss = F.cross_entropy(model(torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
        loss.backward()
        watcher.step(loss)
    measured = watcher.measurements()
    assert measured.loss is not None
    assert measured.loss.chain == ("nll_loss", "log_softmax", "softmax")
    assert measured.steps[0].logits is not None
    assert measured.steps[0].logits.rows_sum_to_one


@pytest.mark.parametrize("logits", [True, False])
def test_binary_targets_are_read_from_the_gradient(logits: bool) -> None:
    torch.manual_seed(3)
    model = nn.Linear(4, 1) if logits else nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
    y = torch.tensor([[1.0], [0.0], [1.0], [1.0]])
    with watch(model) as watcher:
        out = model(torch.randn(4, 4))
        loss = F.binary_cross_entropy_with_logits(out, y) if logits else F.binary_cross_entropy(out, y)
        loss.backward()
        watcher.step(loss)
    record = watcher.measurements().steps[0].logits
    assert record is not None
    assert record.targets == (1, 3)
    assert record.nats == pytest.approx(loss.item(), rel=1e-4)


def test_classes_may_stand_on_the_second_axis() -> None:
    torch.manual_seed(3)
    model, y = nn.Conv2d(2, 3, 1), torch.randint(0, 3, (2, 4, 4))
    with watch(model) as watcher:
        out = model(torch.randn(2, 2, 4, 4))
        loss = F.cross_entropy(out, y)
        loss.backward()
        watcher.step(loss)
    measured = watcher.measurements()
    assert measured.loss is not None
    assert measured.loss.classes == 3
    assert measured.steps[0].logits is not None
    assert measured.steps[0].logits.targets == tuple(torch.bincount(y.reshape(-1), minlength=3).tolist())
    assert measured.steps[0].logits.nats == pytest.approx(loss.item(), rel=1e-5)


def run(
    model: nn.Module, *, zeroed: bool = True, stepped: bool = True, held: Any = None, passes: int = 1, at: int = -1
) -> StepRecord:
    torch.manual_seed(7)
    optimiser = torch.optim.SGD(model.parameters() if held is None else held, 0.1)
    with watch(model, optimiser=optimiser, every=1) as watcher:
        for _ in range(3):
            for _ in range(passes):
                loss = F.cross_entropy(model(torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
                loss.backward()
            if stepped:
                optimiser.step()
            if zeroed:
                optimiser.zero_grad()
            watcher.step(loss)
    return watcher.measurements().steps[at]


def test_batches_that_are_accumulated_are_counted() -> None:
    accumulated = run(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5)), passes=2)
    assert (accumulated.left_over_norm, accumulated.forward_passes, accumulated.backward_passes) == (0, 2, 2)


def test_gradients_of_two_backward_passes_are_added() -> None:
    torch.manual_seed(3)
    model = ConvNet().eval()
    with watch(model) as watcher:
        x, y = images()
        loss = F.cross_entropy(model(x), y)
        loss.backward(retain_graph=True)
        loss.backward()
        watcher.step(loss)
    with watch(model) as once:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        once.step(loss)
    one, two = (layers_of(found.measurements().steps[0]) for found in (once, watcher))
    for name in ("conv1", "norm>relu", "head"):
        assert two[name].gradient.std == pytest.approx(2 * one[name].gradient.std, rel=1e-5)


def test_what_no_optimiser_has_and_is_never_zeroed_is_no_mistake_of_zero_grad() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5))
    partly = run(model, held=model[2].parameters())
    assert [one.moved for one in partly.parameters] == [False, False, True, True]
    assert partly.left_over_norm == 0


def test_gradients_that_are_left_over_show_though_some_parameters_have_none() -> None:
    model = nn.Sequential(nn.Linear(4, 5))
    model.unused = nn.Linear(2, 2)
    model.forward = model[0].forward
    forgotten = run(model, zeroed=False, held=model[0].parameters())
    assert forgotten.left_over_norm > 0.1 * forgotten.gradient_norm > 0


@pytest.mark.parametrize("sign", [1, -1])
def test_of_two_classes_the_sign_of_the_loss_decides_which(sign: int) -> None:
    torch.manual_seed(3)
    model, y = nn.Linear(4, 2), torch.tensor([0, 1, 1, 1])
    with watch(model) as watcher:
        loss = F.cross_entropy(model(torch.randn(4, 4)), y)
        loss = -loss if sign < 0 else loss
        loss.backward()
        watcher.step(loss)
    assert watcher.measurements().steps[0].logits.targets == (1, 3)


def test_a_layer_that_is_cut_off_or_left_out_shows() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(torch.tanh(self.first(x)).detach())

    model = Cut()
    optimiser = torch.optim.SGD([*model.second.parameters(), nn.Parameter(torch.zeros(2))], 0.1)
    with watch(model) as watcher:
        loss = F.cross_entropy(model(torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
        loss.backward()
        optimiser.step()
        watcher.step(loss)
    measured = watcher.measurements()
    assert [fact.reached for fact in measured.parameters] == [False, False, True, True]
    assert [fact.in_optimiser for fact in measured.parameters] == [False, False, True, True]
    assert measured.optimiser is not None
    assert measured.optimiser.foreign == 1
    assert layers_of(measured.steps[0])["first"].gradient is None
    assert [one.gradient is None for one in measured.steps[0].parameters] == [True, True, False, False]


def test_a_scaled_loss_is_recorded_as_if_it_was_not() -> None:
    found = []
    for scaled in (False, True):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5))
        optimiser = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0) if scaled else None
        with watch(model, scaler=scaler) as watcher:
            for _ in range(3):
                loss = F.cross_entropy(model(torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
                optimiser.zero_grad()
                if scaler is None:
                    loss.backward()
                    optimiser.step()
                else:
                    scaler.scale(loss).backward()
                    scaler.step(optimiser)
                    scaler.update()
                watcher.step(loss)
        found.append(watcher.measurements().steps[-1])
    plain, scaled_record = found
    assert scaled_record.scale == 1024
    assert scaled_record.gradient_norm == pytest.approx(plain.gradient_norm, rel=1e-5)
    assert scaled_record.logits.targets == plain.logits.targets
    assert scaled_record.logits.gradient_rms == pytest.approx(plain.logits.gradient_rms, rel=1e-4)
    for one, two in zip(plain.layers, scaled_record.layers, strict=True):
        assert two.gradient.std == pytest.approx(one.gradient.std, rel=1e-4)
        assert two.output.std == pytest.approx(one.output.std, rel=1e-5)
    for one, two in zip(plain.parameters, scaled_record.parameters, strict=True):
        assert two.update_to_data == pytest.approx(one.update_to_data, rel=1e-3)


def test_a_step_that_a_scaler_skips_is_no_finding() -> None:
    model = nn.Linear(4, 5)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    with watch(model, scaler=scaler) as watcher:
        loss = F.cross_entropy(model(100 * torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        watcher.step(loss)
    measured = watcher.measurements()
    assert not any(one.moved for one in measured.steps[0].parameters)
    assert measured.first_nonfinite is None


def test_under_autocast_numbers_are_measured_as_float32() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    outputs = []
    model[2].register_forward_hook(lambda *hook: outputs.append(hook[2].detach().float().detach().numpy().copy()))
    with watch(model) as watcher:
        for _ in range(3):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
    record = watcher.measurements().steps[-1]
    agrees(layers_of(record)["2"].output, outputs[-1])
    assert record.logits is not None
    assert record.logits.targets == (1, 2, 0, 0, 1)


def test_double_precision_is_measured_in_double_precision() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5)).double()
    with torch.no_grad():
        model[0].bias += 1e9
    outputs = []
    model[0].register_forward_hook(lambda *hook: outputs.append(hook[2].detach().numpy().copy()))
    with watch(model) as watcher:
        loss = model(torch.randn(4, 4).double()).sum()
        loss.backward()
        watcher.step(loss)
    spread = layers_of(watcher.measurements().steps[0])["0"].output
    assert spread.std == pytest.approx(outputs[0].std(), rel=1e-6)


class Breaks(nn.Module):
    """Gives what is not finite once `out` says so, on the way forward or back."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(4, 8), nn.Identity(), nn.Linear(8, 5)
        self.odd, self.out = Odd(), ""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.odd(self.first(x), self.out))


class Odd(nn.Module):
    def forward(self, x: torch.Tensor, out: str) -> torch.Tensor:
        return torch.sqrt((x - x.detach()).abs()) + x if out == "backward" else x * 1.0


@pytest.mark.parametrize("at", [3, 13], ids=["recorded", "between"])
def test_where_a_gradient_first_was_not_finite_is_found(at: int) -> None:
    torch.manual_seed(3)
    model = Breaks()
    optimiser = torch.optim.SGD(model.parameters(), 0.01)
    with watch(model) as watcher:
        for step in range(at + 9):
            model.out = "backward" if step == at else ""
            loss = F.cross_entropy(model(torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
    found = watcher.measurements().first_nonfinite
    assert found is not None
    assert (found.step, found.direction, found.where) == (at, "backward", "odd")
    assert (found.op, found.at) == ("sqrt", "zero")


def test_steps_are_counted_by_the_optimiser_where_step_is_never_called() -> None:
    torch.manual_seed(3)
    model = nn.Linear(4, 5)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model) as watcher:
        for _ in range(5):
            loss = F.cross_entropy(model(torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                model(torch.randn(4, 4))
    measured = watcher.measurements()
    assert measured.total_steps == 5
    assert [record.step for record in measured.steps] == [0, 1, 2, 3, 4]
    assert all(record.loss is None and record.layers[0].gradient is not None for record in measured.steps)


def test_two_networks_can_be_watched_at_once() -> None:
    torch.manual_seed(3)
    one, two = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 5), nn.Tanh())
    optimiser_one, optimiser_two = torch.optim.SGD(one.parameters(), 0.1), torch.optim.Adam(two.parameters())
    with watch(one) as watcher_one, watch(two) as watcher_two:
        for _ in range(2):
            loss = two(F.relu(one(torch.randn(4, 4)))).square().mean()
            loss.backward()
            for optimiser in (optimiser_one, optimiser_two):
                optimiser.step()
                optimiser.zero_grad()
            watcher_one.step(loss)
            watcher_two.step(loss)
    first, second = watcher_one.measurements(), watcher_two.measurements()
    assert (first.optimiser.kind, second.optimiser.kind) == ("SGD", "Adam")
    assert [layer.name for layer in first.steps[1].layers] == [""]
    assert [layer.name for layer in second.steps[1].layers] == ["0", "1"]
    assert all(one.moved for measured in (first, second) for one in measured.steps[1].parameters)


@pytest.mark.parametrize("where", ["forward", "loop"])
def test_nothing_stays_behind_after_an_exception(where: str) -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(4, 5))
    with pytest.raises((RuntimeError, KeyError)), watch(model):  # noqa: PT012  (it is what happens inside)
        if where == "forward":
            model(torch.randn(4, 4))
        raise KeyError
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch._C._len_torch_function_stack() == 0
    assert torch.relu(torch.tensor(-1.0)) == 0


def test_a_model_that_was_compiled_is_refused_and_one_that_is_compiled_afterwards_shows_its_parameters() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5))
    compiled = torch.compile(model, backend="eager")
    with pytest.raises(ValueError, match="a compiled module hides its layers"):
        watch(compiled)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model) as watcher:
        for _ in range(3):
            loss = F.cross_entropy(compiled(torch.randn(4, 4)), torch.tensor([0, 1, 1, 4]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
    record = watcher.measurements().steps[-1]
    assert all(one.moved and one.gradient is not None for one in record.parameters)
    assert record.layers == ()
    torch._dynamo.reset()


def test_big_tensors_are_measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from backlight.watch import capture

    found = []
    for big in (1 << 20, 8):
        monkeypatch.setattr(capture, "LARGE", big)
        torch.manual_seed(3)
        found.append(train(ConvNet(), images, 3, every=1))
    for small, large in zip(found[0].steps, found[1].steps, strict=True):
        assert [layer.name for layer in small.layers] == [layer.name for layer in large.layers]
        for one, two in zip(small.layers, large.layers, strict=True):
            assert two.output.std == pytest.approx(one.output.std, rel=1e-5)
            assert two.gradient.std == pytest.approx(one.gradient.std, rel=1e-5)
            assert two.dead_now == one.dead_now


@pytest.mark.parametrize("channels", [5, 6])
def test_a_batch_norm_s_running_statistics_are_held_against_the_batch(channels: int) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, channels), nn.BatchNorm1d(channels, momentum=0.5))
    with watch(model) as watcher:
        x = torch.randn(8, 4)
        model(x).sum().backward()
        watcher.step()
    batch = layers_of(watcher.measurements().steps[0])["1"].batch
    assert batch is not None
    read = model[0](x).detach().numpy().astype(np.float64)
    norm = model[1]
    apart = (norm.running_mean.detach().numpy() - read.mean(0)) / read.std(0)
    assert batch.rows == 8
    assert batch.mean_apart == pytest.approx(np.sqrt((apart**2).mean()), rel=1e-4)
    ratio = np.median(np.sqrt(norm.running_var.detach().numpy()) / read.std(0))
    assert batch.std_ratio == pytest.approx(ratio, rel=1e-4)


def test_states_of_a_recurrent_layer_are_its_output() -> None:
    torch.manual_seed(3)
    model = SequenceClassifier()
    outputs = []
    model.lstm.register_forward_hook(lambda *hook: outputs.append(hook[2][0].detach().numpy().copy()))
    measured = train(model, ids, 2, one=next(one for one in ARCHITECTURES if one.name == "LSTM, tuple"))
    assert measured is not None
    agrees(layers_of(measured.steps[1])["lstm"].output, outputs[1])


def test_inputs_are_recorded() -> None:
    model = nn.Linear(4, 5)
    x = torch.randn(8, 4)
    x[:, 1] = 3.0
    x[:, 2] *= 100
    with watch(model) as watcher:
        model(x).sum().backward()
        watcher.step()
    record = watcher.measurements().steps[0]
    assert record.batch_size == 8
    given = record.inputs[0]
    assert (given.name, given.shape, given.ids, given.constant_share) == ("0", (8, 4), False, 0.25)
    agrees(given.values, x.detach().numpy())
    std = x.detach().numpy().astype(np.float64).std(0)
    assert given.widest == pytest.approx(std.max() / std[std > 0].min())


def test_inputs_of_evaluations_are_measured() -> None:
    model = nn.Linear(4, 1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    with watch(model, optimiser=optimiser) as watcher:
        for step in range(40):
            optimiser.zero_grad()
            model(torch.randn(8, 4)).mean().backward()
            optimiser.step()
            watcher.step()
            if step % 10 == 9:
                model.eval()
                with torch.no_grad():
                    model(x := 3 + 2 * torch.randn(64, 4))
                    model(torch.zeros(3, 4))  # the first of an evaluation is enough
                model.train()
    seen = watcher.measurements()
    assert [(one.step, one.name) for one in seen.evaluation_inputs] == [(step, "0") for step in (10, 20, 30, 40)]
    last = seen.evaluation_inputs[-1]
    assert (last.mean, last.std) == (pytest.approx(x.mean().item()), pytest.approx(x.std(correction=0).item()))
    assert seen.total_steps == 40
    assert all(record.forward_passes == 1 for record in seen.steps)


def test_a_softmax_that_is_a_function_has_the_shape_that_it_reads() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.qkv(x).chunk(3, -1)
            return self.out((q @ k.transpose(1, 2)).softmax(-1) @ v)

    model = Attention()
    with watch(model) as watcher:
        model(torch.randn(4, 10, 8)).sum().backward()
        watcher.step()
    softmax = next(one for one in watcher.measurements().layers if one.role == "softmax")
    assert softmax.reads_shape == (4, 10, 10)


def test_of_a_large_output_some_rows_of_the_gradient_are_kept() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 32_768)
    x, y = torch.randn(48, 4), torch.randint(32_768, (48,))
    kept = []
    with watch(model) as watcher:
        for _ in range(2):
            logits = model(x)
            logits.register_hook(lambda gradient: kept.append(weakref.ref(gradient)))
            loss = nn.functional.cross_entropy(logits, y)
            del logits
            loss.backward()
            assert kept.pop()() is None
            watcher.step(loss)
    records = watcher.measurements().steps
    found = [record.logits for record in records]
    with torch.no_grad():  # 2 ** 20 numbers of 48 x 32,768: every second row
        expected = nn.functional.cross_entropy(model(x[::2]), y[::2]).item()
    assert [one.nats for one in found if one is not None] == pytest.approx([expected] * 2, rel=1e-5)
