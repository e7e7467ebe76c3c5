"""A training goes on as if nobody watched, whatever its tensors are; what is not measured is listed with a reason."""

import copy
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pytest
import torch
from tests.oracle.watching import layers_of
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils._pytree import tree_map

from backlight.core import ConfigError
from backlight.health import diagnose, examine, watch
from backlight.watch import parameters
from backlight.watch.records import Measurements
from backlight.watch.torch_nn.adapter import TorchAdapter


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5))


def train(model: nn.Module, *, steps: int = 12, watched: bool = True, every: int = 1) -> Measurements | None:
    torch.manual_seed(5)
    optimiser = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], 0.1)
    watcher = watch(model, every=every).__enter__() if watched else None
    for _ in range(steps):
        loss = F.cross_entropy(model(torch.randn(6, 4)), torch.tensor([0, 1, 2, 3, 4, 0]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if watcher is not None:
            watcher.step(loss)
    if watcher is None:
        return None
    watcher.close()
    return watcher.measurements()


def test_a_hook_in_a_copy_or_a_file_does_nothing() -> None:
    model = net()
    with watch(model, every=1) as watcher:
        loss = model(torch.randn(3, 4)).sum()
        loss.backward()
        average = torch.optim.swa_utils.AveragedModel(model)
        average.update_parameters(model)
        file = io.BytesIO()
        torch.save(model, file)
        copied = copy.deepcopy(model)
        copied(torch.randn(3, 4)).sum().backward()
        average(torch.randn(3, 4))
        watcher.step(loss)
    measured = watcher.measurements()
    assert not measured.not_measured
    assert (measured.steps[0].forward_passes, measured.steps[0].backward_passes) == (1, 1)
    # a file of the model can be read where there is no Backlight
    program = (
        "import sys, io, torch; sys.modules['backlight'] = None\n"
        "model = torch.load(io.BytesIO(sys.stdin.buffer.read()), weights_only=False)\n"
        "print(tuple(model(torch.zeros(2, 4)).shape))"
    )
    run = subprocess.run([sys.executable, "-c", program], input=file.getvalue(), capture_output=True, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, b"(2, 5)"), run.stderr.decode()


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # jvp uses it
def test_functions_of_the_whole_network_run_as_if_nobody_watched() -> None:
    model = net()
    values = dict(model.named_parameters())
    x = torch.randn(6, 4)

    def loss_of(parameters: Any, row: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, parameters, (row,)).square().sum()

    def results() -> list[torch.Tensor]:
        per_example = torch.func.vmap(torch.func.grad(loss_of), (None, 0))(values, x)
        jacobian = torch.func.jacrev(lambda row: torch.func.functional_call(model, values, (row,)))(x[0])
        pushed = torch.func.jvp(model, (x,), (torch.ones_like(x),))
        return [*per_example.values(), jacobian, *pushed]

    expected = results()
    with watch(model, every=1) as watcher:
        found = results()
        loss = model(x).square().sum()
        loss.backward()
        watcher.step(loss)
    assert all(torch.equal(one, two) for one, two in zip(found, expected, strict=True))
    measured = watcher.measurements()
    assert [layer.output.count for layer in measured.steps[0].layers] == [48, 48, 30]


class Wrapper(torch.Tensor):
    """A tensor around another, as DTensor is: its own memory holds nothing."""

    inner: torch.Tensor

    def __new__(cls, inner: torch.Tensor) -> Self:
        made: Self = torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
        made.inner = inner
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Wrapper({tuple(self.shape)})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        inner = tree_map(lambda one: one.inner if isinstance(one, Wrapper) else one, (args, kwargs or {}))
        found = func(*inner[0], **inner[1])
        return tree_map(lambda one: Wrapper(one) if isinstance(one, torch.Tensor) else one, found)


class Holds(nn.Module):
    """A network that holds one tensor more, of an unusual sort."""

    def __init__(self, odd: torch.Tensor) -> None:
        super().__init__()
        self.net, self.odd = net(), nn.Parameter(odd, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)  # type: ignore[no-any-return]


ODD: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "complex": (lambda: torch.zeros(3, dtype=torch.complex64), "complex64"),
    "float8": (lambda: torch.zeros(3).to(torch.float8_e4m3fn), "float8_e4m3fn"),
    "integers": (lambda: torch.zeros(3, dtype=torch.int8), "int8"),
    "empty": (lambda: torch.zeros(0, 4), "it holds no number"),
    "meta": (lambda: torch.zeros(3, device="meta"), "meta device"),
    "sparse": (lambda: torch.eye(3).to_sparse(), "its layout is sparse_coo"),
    "wrapper": (lambda: Wrapper(torch.zeros(3)), "it is a Wrapper, whose numbers lie elsewhere"),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_parameter_that_cannot_be_measured_is_named_and_the_rest_is_measured(odd: str) -> None:
    make, reason = ODD[odd]
    ended, measured = [], None
    for watched in (False, True):
        model = Holds(make())
        measured = train(model, watched=watched)
        ended.append([one.detach().numpy().tobytes() for one in model.net.parameters()])
    assert ended[0] == ended[1]
    assert measured is not None
    assert [(one.what, one.step) for one in measured.not_measured] == [("odd", None)]
    assert reason in measured.not_measured[0].because
    record = measured.steps[-1]
    assert [one.name for one in record.parameters] == [f"net.{name}" for name, _ in net().named_parameters()]
    assert all(one.moved for one in record.parameters)
    assert "Not measured: odd (" in " ".join(str(diagnose(measured)).split())
    assert "odd" in {fact.name for fact in measured.parameters}


class Between(nn.Module):
    """Hands a tensor on as one of an unusual sort."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        changes: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
            "strided": lambda x: x.t().contiguous().t(),
            "expanded": lambda x: x[:, :1].expand(-1, 8),
            "complex": torch.fft.fft,
            "conjugate": lambda x: torch.view_as_complex(torch.stack([x, x], -1)).conj().imag,
            "quantised": lambda x: torch.quantize_per_tensor(x.detach(), 0.1, 0, torch.qint8).dequantize() + 0 * x,
            "float64": lambda x: x.double(),
            "float16": lambda x: x.half(),
            "empty": lambda x: x[:0],
            "subclass": lambda x: x.as_subclass(Named),
        }
        return changes[self.how](x)


class Named(torch.Tensor):
    """A subclass with numbers of its own, as fastai's are."""


class After(nn.Module):
    """Makes a usual tensor of it again."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.real if x.is_complex() else x
        return x.as_subclass(torch.Tensor).float() if len(x) else torch.zeros(6, 8, requires_grad=True)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.parametrize(
    "how",
    ["strided", "expanded", "complex", "conjugate", "quantised", "float64", "float16", "empty", "subclass"],
)
def test_an_activation_of_an_unusual_sort_is_measured_right_or_left_out(how: str) -> None:
    ended, measured, outputs = [], None, []
    for watched in (False, True):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 8), Between(how), After(), nn.Linear(8, 5))
        outputs = []
        model[1].register_forward_hook(lambda *hook, outputs=outputs: outputs.append(hook[2].detach().clone()))
        measured = train(model, watched=watched)
        ended.append([one.detach().numpy().tobytes() for one in model.parameters()])
    assert ended[0] == ended[1]
    assert measured is not None
    assert not measured.not_measured
    layers = layers_of(measured.steps[-1])
    assert {"0", "3"} <= set(layers)
    if how in {"complex", "empty"}:
        assert "1" not in layers
    else:
        numbers = outputs[-1].as_subclass(torch.Tensor).resolve_neg().double().detach().numpy()
        assert layers["1"].output.mean == pytest.approx(numbers.mean(), rel=1e-4, abs=1e-6)
        assert layers["1"].output.std == pytest.approx(numbers.std(), rel=1e-4)


def test_what_goes_wrong_while_measuring_does_not_reach_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = net()
    train(bare, watched=False)
    for name in (
        "channel_axis", "gradients", "collect", "measure", "values", "copied", "named_modules", "step_scale",
        "loss_scale", "awaits_gradient", "why_not_measured",
    ):  # fmt: skip
        model = net()
        watcher = watch(model, every=1)
        torch.manual_seed(5)
        optimiser = torch.optim.SGD(model.parameters(), 0.1)

        def fail(*_: Any, name: str = name, **__: Any) -> Any:
            raise RuntimeError(f"{name} has failed")

        with watcher, monkeypatch.context() as patch:
            patch.setattr(TorchAdapter, name, fail)
            for _ in range(12):
                loss = F.cross_entropy(model(torch.randn(6, 4)), torch.tensor([0, 1, 2, 3, 4, 0]))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                watcher.step(loss)
        assert all(torch.equal(one, two) for one, two in zip(model.parameters(), bare.parameters(), strict=True)), name
        patch.undo()
        measured = watcher.measurements()
        assert measured.total_steps == 12, name
        if name != "named_modules":
            assert [one.because for one in measured.not_measured] == [f"RuntimeError: {name} has failed"], name
            assert f"{name} has failed" in " ".join(str(diagnose(measured)).split())
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_what_goes_wrong_in_a_function_s_hook_does_not_reach_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.tanh(x))  # type: ignore[no-any-return]

    def fail(*_: Any) -> Any:
        raise RuntimeError("channel_axis has failed")

    model = Functional()
    monkeypatch.setattr(TorchAdapter, "channel_axis", fail)
    with watch(model) as watcher:
        loss = model(torch.randn(3, 4, requires_grad=True)).sum()
        loss.backward()
        watcher.step(loss)
    assert [one.because for one in watcher.measurements().not_measured] == ["RuntimeError: channel_axis has failed"]
    assert torch._C._len_torch_function_stack() == 0


def test_a_compiled_graph_without_breaks_stays_one_while_it_is_watched() -> None:
    model = net()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, every=3) as watcher:
        for _ in range(14):
            loss = F.cross_entropy(compiled(torch.randn(6, 4)), torch.tensor([0, 1, 2, 3, 4, 0]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
    measured = watcher.measurements()
    assert measured.total_steps == 14
    assert not measured.not_measured
    assert all(one.moved for one in measured.steps[-1].parameters)
    torch._dynamo.reset()


def test_of_a_large_parameter_no_copy_is_kept_and_its_change_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    full = train(net(), steps=3)
    monkeypatch.setattr(parameters, "SAMPLED", 8)
    sampled = train(net(), steps=3)
    assert full is not None
    assert sampled is not None
    for one, two in zip(full.steps[-1].parameters, sampled.steps[-1].parameters, strict=True):
        assert (two.data, two.gradient) == (one.data, one.gradient)
        assert two.moved
        assert two.update_to_data == pytest.approx(one.update_to_data, rel=0.6)
    first, estimated = (one.steps[-1].parameters[0].update_to_data for one in (full, sampled))
    assert first != estimated


def test_an_examination_puts_everything_back_though_one_thing_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    class Notes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm = nn.Linear(4, 8), nn.BatchNorm1d(8)
            self.called = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.called = True
            return self.norm(self.first(x))  # type: ignore[no-any-return]

    model = Notes()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    state = torch.get_rng_state()

    def broken(_: Any) -> None:
        raise OSError("the generator is gone")

    monkeypatch.setattr(torch, "set_rng_state", broken)
    with pytest.raises(ConfigError, match="this could not be: PyTorch's random"):
        examine(model, torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 4, 0]))
    monkeypatch.undo()
    assert torch.get_rng_state().shape == state.shape
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert not model.called
    assert all(one.grad is None for one in model.parameters())


def test_a_batch_without_rows_or_with_too_few_targets_is_refused() -> None:
    model = net()
    with pytest.raises(ConfigError, match="outputs and targets must go together, a target for each row"):
        examine(model, torch.randn(6, 4), torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ConfigError, match="at least one example"):
        examine(model, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    assert np.isfinite(examine(model, torch.randn(6, 4), torch.zeros(6, dtype=torch.int64)).measurements.steps[0].loss)
