"""A network is examined with one batch, and is left as it was, bit for bit."""

import json
import random
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from tests.oracle.architectures import ARCHITECTURES, Architecture, TiedGPT, text
from torch import nn
from torch.nn import functional as F  # noqa: N812  (the field's name)

from backlight.core import Batch, ConfigError
from backlight.health import examine
from backlight.models import GPT, MLP, GPTConfig, MLPConfig, RecurrentModel
from backlight.models.recurrent import LSTMConfig


def state_of(model: nn.Module) -> dict[str, Any]:
    """Return everything that an examination must not change."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "bits": {name: one.detach().numpy().tobytes() for name, one in tensors.items()},
        "ids": {name: id(one) for name, one in tensors.items()},
        "gradients": {name: None if one.grad is None else id(one.grad) for name, one in tensors.items()},
        "gradient bits": {
            name: one.grad.to_dense().detach().numpy().tobytes()
            for name, one in tensors.items()
            if one.grad is not None
        },
        "modes": [module.training for module in model.modules()],
        "requires": [one.requires_grad for one in model.parameters()],
        "hooks": [
            (len(module._forward_hooks), len(module._forward_pre_hooks), len(module._backward_hooks))
            for module in model.modules()
        ],
        "tensor hooks": [len(one._backward_hooks or ()) for one in model.parameters()],
        "attributes": [
            {key: value for key, value in vars(module).items() if isinstance(value, (int, float, str, type(None)))}
            for module in model.modules()
        ],
        "chance": (random.getstate(), str(np.random.get_state()), torch.get_rng_state().detach().numpy().tobytes()),  # noqa: NPY002
    }


@pytest.mark.parametrize("with_gradients", [False, True], ids=["fresh", "with gradients"])
@pytest.mark.parametrize("one", ARCHITECTURES, ids=str)
def test_a_network_is_as_it_was(one: Architecture, with_gradients: bool) -> None:
    torch.manual_seed(1)
    model = one.make()
    inputs, targets = one.batch()
    if with_gradients:
        one.loss_of(one.output(model, inputs), targets).backward()
        next(model.children()).eval()  # a mixture of modes is kept too
    before = state_of(model)
    found = examine(model, inputs, targets, loss=one.loss)
    assert state_of(model) == before
    seen = found.measurements
    assert seen.source == "examine"
    assert len(seen.steps) == 1
    step = seen.steps[0]
    assert np.isfinite(step.loss)
    assert {layer.name for layer in step.layers} == {
        fact.name for fact in seen.layers if fact.calls and fact.role != "shape"
    }
    assert any(layer.gradient is not None and layer.gradient.rms > 0 for layer in step.layers)
    assert all(layer.training for layer in step.layers)
    assert seen.evaluation is not None
    assert seen.evaluation.layers
    assert not any(layer.training for layer in seen.evaluation.layers)
    assert {probe.name for probe in found.probes} >= {"modes", "repeat", "input"}
    by_name = {probe.name: probe for probe in found.probes}
    assert by_name["repeat"].changed == 0
    assert by_name["input"].changed > 0
    if "neighbours" in by_name:
        assert by_name["neighbours"].changed <= 1e-5 * by_name["neighbours"].scale


@pytest.mark.parametrize("one", ARCHITECTURES, ids=str)
def test_examining_twice_gives_the_same(one: Architecture) -> None:
    torch.manual_seed(2)
    model = one.make()
    inputs, targets = one.batch()
    assert repr(examine(model, inputs, targets, loss=one.loss).measurements) == repr(
        examine(model, inputs, targets, loss=one.loss).measurements
    )


class SeesAll(TiedGPT):
    """The same without its mask."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.token(x) + self.position(torch.arange(x.shape[1]))
        n = self.norm(h)
        return self.head(h + self.attention(n, n, n, need_weights=False)[0])


def test_attention_without_a_mask_sees_the_future() -> None:
    torch.manual_seed(1)
    x, y = text()
    causal = {probe.name: probe for probe in examine(TiedGPT(), x, y).probes}["future"]
    seeing = {probe.name: probe for probe in examine(SeesAll(), x, y).probes}["future"]
    assert causal.changed == 0
    assert seeing.changed > 1e-3 * seeing.scale
    assert seeing.details["position"] == 0
    # targets that are not the next ids say nothing about what may be read, unless somebody says so
    assert "future" not in {probe.name for probe in examine(SeesAll(), x, y.flip(1)).probes}
    assert "future" in {probe.name for probe in examine(SeesAll(), x, y.flip(1), causal=True).probes}


class Mixes(nn.Module):
    """A view where a transpose was meant: examples run into each other."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(6, 6), nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x)
        return self.head(h.t().reshape(h.shape))


class Drops(nn.Module):
    """Dropout that never stops."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(6, 16), nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(nn.functional.dropout(self.first(x), 0.5))


def test_experiments_show_examples_that_mix_and_dropout_that_never_stops() -> None:
    torch.manual_seed(1)
    x, y = torch.randn(6, 6), torch.randint(0, 5, (6,))
    mixed = {probe.name: probe for probe in examine(Mixes(), x, y).probes}
    assert mixed["neighbours"].changed > 0.01
    assert mixed["repeat"].changed == 0
    dropping = {probe.name: probe for probe in examine(Drops(), x, y).probes}
    assert dropping["repeat"].changed > 0.01


def test_a_pair_is_inputs_and_targets() -> None:
    torch.manual_seed(1)
    model, x, y = nn.Linear(6, 5), torch.randn(6, 6), torch.randint(0, 5, (6,))
    assert repr(examine(model, (x, y)).measurements) == repr(examine(model, x, y).measurements)


def test_without_targets_only_the_forward_passes_are_measured() -> None:
    found = examine(nn.Linear(6, 5), torch.randn(6, 6)).measurements
    assert found.loss is None
    assert found.steps[0].layers[0].gradient is None
    assert found.steps[0].loss is None


def test_a_failure_on_the_way_leaves_the_network_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(4, 2))
    x, y = torch.randn(6, 6), torch.randint(0, 2, (6,))
    before = state_of(model)
    with pytest.raises(RuntimeError):
        examine(model, x, y)
    assert state_of(model) == before


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: examine("net", torch.zeros(2)), "only networks can be watched or examined"),
        (lambda: examine(nn.LazyLinear(3), torch.zeros(2, 2)), "lazy"),
        (
            lambda: examine(nn.Linear(6, 5), torch.zeros(6, 6), torch.zeros(6, 5), loss=lambda a, b: (a - b) ** 2),
            "a loss is one number",
        ),
    ],
)
def test_what_cannot_be_examined_is_said_in_one_line(call: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        call()
    assert "\n" not in str(error.value)


# -- networks of this package ------------------------------------------------------------------------------------------

MODELS = [
    lambda rng: MLP(MLPConfig(vocabulary_size=9, context=6, embedding=3, hidden=(5,), batch_norm=True), rng=rng),
    lambda rng: GPT(GPTConfig(vocabulary_size=9, context=6, n_embd=8, n_layer=1, n_head=2, dropout=0.2), rng=rng),
    lambda rng: RecurrentModel(LSTMConfig(vocabulary_size=9, context=6, embedding=3, hidden=(5,)), rng=rng),
]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("make_model", MODELS, ids=["MLP", "GPT", "LSTM"])
def test_a_network_of_this_package_is_as_it_was(make_model: Any, fresh: bool, rng: np.random.Generator) -> None:
    model = make_model(rng)
    ids = rng.integers(0, 9, (5, 7))
    batch = Batch(ids[:, :-1], ids[:, 1:] if model.reads == "sequences" else ids[:, -1])
    if not fresh:
        model.flat()
        model.loss(batch).backward()
        next(model.children()).eval()

    def state() -> Any:
        tensors = [*model.parameters(), *(buffer for _, buffer in model.named_buffers())]
        return (
            [one.array.tobytes() for one in tensors],
            [None if one._grad is None else one._grad.tobytes() for one in tensors],
            [module.training for _, module in model.named_modules()],
            [sorted(vars(module)) for _, module in model.named_modules()],
            [json.dumps(rng.bit_generator.state, default=str) for rng in model.generators()],
        )

    before = state()
    found = examine(model, batch)
    assert state() == before
    assert repr(examine(model, batch.x, batch.y).measurements) == repr(found.measurements)
    measured = found.measurements
    assert measured.steps[0].loss > 1
    assert all(layer.gradient is not None for layer in measured.steps[0].layers)
    assert measured.evaluation is not None
    assert not any(layer.training for layer in measured.evaluation.layers)
    probes = {probe.name: probe.changed for probe in found.probes}
    assert probes["repeat"] == 0
    assert probes["input"] > 0
    assert probes.get("future", 0) < 1e-6
    assert ("future" in probes) == (model.reads == "sequences")


class _Graph(nn.Module):
    """A graph convolution (N, C) -> (N, 3) over a matrix of neighbours (N, N) or a list of edges (2, E)."""

    def __init__(self, around: torch.Tensor | None = None) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 16), nn.Linear(16, 3)
        self.register_buffer("around", around)

    def _gathered(self, x: torch.Tensor, around: torch.Tensor) -> torch.Tensor:
        return around @ x if around.is_floating_point() else x.index_add(0, around[1], x[around[0]])

    def forward(self, x: torch.Tensor, around: torch.Tensor | None = None) -> torch.Tensor:
        around = self.around if around is None else around
        return self._gathered(self.second(self._gathered(self.first(x), around).relu()), around)


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.parametrize("form", ["dense", "csr", "coo", "edges", "held by the network", "none"])
def test_nodes_of_a_graph_may_depend_on_each_other(form: str) -> None:
    torch.manual_seed(0)
    x, y, edges = torch.randn(12, 4), torch.randint(3, (12,)), torch.randint(12, (2, 30))
    dense = torch.eye(12).index_put((edges[1], edges[0]), torch.tensor(0.3))
    forms = {"dense": dense, "csr": dense.to_sparse_csr(), "coo": dense.to_sparse(), "edges": edges}
    if form in forms:
        found = examine(_Graph(), (x, forms[form]), y)
    elif form == "none":  # the same convolution, and nothing that ties the rows
        found = examine(nn.Sequential(nn.Linear(4, 3), _Centred()), x, y)
    else:
        found = examine(_Graph(dense), x, y)
    assert ("examples-mixed" in {one.id for one in found.findings}) == (form == "none")


class _Centred(nn.Module):
    """Subtracts the mean over the examples."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0)


# -- classes, pictures, directions -------------------------------------------------------------------------------------


def ids(net: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: Any = None) -> set[str]:
    return {one.id for one in examine(net, x, y, loss=loss).findings}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "loss",
    [
        lambda out, y: (1 - y * out).clamp(min=0).mean(),
        lambda out, y: F.softplus(-y * out).mean(),
    ],
    ids=["hinge", "logistic"],
)
def test_a_class_that_the_loss_does_not_depend_on(loss: Any, signed: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 6)
    y = (x[:, :1] > 0).float()
    found = ids(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1)), x, 2 * y - 1 if signed else y, loss)
    assert ("class-not-in-loss" in found) == (not signed)


@pytest.mark.parametrize(
    ("outs", "loss"),
    [
        (4, None),
        (1, lambda out, y: F.binary_cross_entropy_with_logits(out[:, 0], (y > 1).float())),
        (4, lambda out, y: F.cross_entropy(out, y, weight=torch.ones(4))),
        (4, F.multi_margin_loss),
        (1, lambda out, y: F.binary_cross_entropy(out[:, 0].sigmoid(), (y > 1).float())),
        (1, lambda out, y: (1 - (2 * (y > 1) - 1)[:, None] * out).clamp(min=0).square().mean()),
    ],
)
def test_losses_that_depend_on_every_class(outs: int, loss: Any) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 6)
    found = ids(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, outs)), x, x[:, :4].argmax(1), loss)
    assert "class-not-in-loss" not in found


def test_a_loss_that_refuses_other_outputs_is_left_alone() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 6)
    net = nn.Sequential(nn.Linear(6, 1), nn.Tanh())

    def loss(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if out.abs().max() > 1:
            raise ValueError("not an output of tanh")
        return F.mse_loss(out, y)

    assert "class-not-in-loss" not in ids(net, x, (x[:, :1] > 0).float(), loss)
    probabilities = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())
    found = ids(probabilities, x, (x[:, :1] > 0).float(), lambda out, y: -(y * out.log()).mean())
    assert "class-not-in-loss" in found


def test_a_margin_that_is_met_already() -> None:
    """What is answered for class 1 is beyond the margin: the loss changes if it falls, and not if it rises."""
    torch.manual_seed(0)
    x = torch.randn(64, 6)
    net = nn.Sequential(nn.Linear(6, 1))
    with torch.no_grad():
        net[0].bias.fill_(9.0)
    y = (x[:, :1] > 0).float()
    found = ids(net, x, y, lambda out, y: (1 - (2 * y - 1) * out).clamp(min=0).mean())
    assert "class-not-in-loss" not in found


def test_grey_pictures_that_are_reshaped_are_alike_along_rows_only() -> None:
    torch.manual_seed(0)
    grey = _pictures(24)[..., :1].expand(-1, -1, -1, 3) + 0.02 * torch.randn(32, 24, 24, 3)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert "inputs-scrambled" in ids(net, grey.reshape(32, 3, 24, 24), torch.arange(32) % 8)
    assert "inputs-scrambled" not in ids(net, grey.permute(0, 3, 1, 2), torch.arange(32) % 8)


def _pictures(side: int) -> torch.Tensor:
    """Smooth pictures (N, H, W, C) whose channels differ."""
    coarse = torch.rand(32, 3, side // 4, side // 4)
    return F.interpolate(coarse, size=side, mode="bilinear").permute(0, 2, 3, 1) + 0.05 * torch.randn(32, side, side, 3)


@pytest.mark.parametrize("side", [8, 24])
@pytest.mark.parametrize(
    ("ordered", "wrong"),
    [
        (lambda x: x.permute(0, 3, 1, 2), False),
        (lambda x: x.reshape(len(x), 3, x.shape[1], x.shape[2]), True),
        (lambda x: torch.rand(len(x), 3, x.shape[1], x.shape[2]), False),
        (lambda x: x, True),
        (torch.rand_like, False),
    ],
    ids=["permuted", "reshaped", "noise", "channels last", "noise, channels last"],
)
def test_pictures_in_another_order(ordered: Any, wrong: bool, side: int) -> None:
    torch.manual_seed(0)
    x = ordered(_pictures(side))
    net = nn.Sequential(nn.Conv2d(x.shape[1], 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert ("inputs-scrambled" in ids(net, x, torch.arange(32) % 8)) == wrong


class Reads(nn.Module):
    def __init__(self, kind: Any, read: Any, *, batch_first: bool) -> None:
        super().__init__()
        self.rnn, self.read = kind(4, 6, bidirectional=True, num_layers=2, batch_first=batch_first), read
        self.head = nn.Linear(12, 3)
        self.batch_first = batch_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out, last = self.rnn(x if self.batch_first else x.transpose(0, 1))
        return self.head(self.read(out if self.batch_first else out.transpose(0, 1), last))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU])
@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (lambda out, _: out[:, -1], True),
        (lambda out, _: torch.cat([out[:, -1, :6], out[:, 0, 6:]], 1), False),
        (lambda _, last: torch.cat([last[-2], last[-1]], 1), False),
        (lambda out, _: out.mean(1), False),
    ],
    ids=["last place", "both ends", "last states", "mean"],
)
def test_the_place_at_which_a_backward_direction_is_read(kind: Any, read: Any, wrong: bool, batch_first: bool) -> None:
    torch.manual_seed(0)
    found = ids(Reads(kind, read, batch_first=batch_first), torch.randn(16, 7, 4), torch.arange(16) % 3)
    assert ("backward-direction-unread" in found) == wrong


class Stack(nn.Module):
    def __init__(self, blocks: list[nn.Module], *, also: nn.Module | None = None) -> None:
        super().__init__()
        self.blocks, self.also, self.head = nn.ModuleList(blocks), also, nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for one in self.blocks:
            x = one(x).relu()
        return self.head(x)


class Widens(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.blocks, self.widen = nn.ModuleList([layer, nn.Linear(6, 6)]), nn.Linear(3, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks[1](self.blocks[0](self.widen(x)))


def _block() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 6), nn.Tanh())


@pytest.mark.parametrize(
    ("make", "shared"),
    [
        (lambda: Stack([nn.Linear(6, 6)] * 3), True),
        (lambda: Stack([_block()] * 2), True),
        (lambda: nn.Sequential(*[one := nn.Linear(6, 6), one, nn.Linear(6, 3)]), True),
        (lambda: Stack([_block() for _ in range(3)]), False),
        (lambda: Stack([one := nn.Linear(6, 6)], also=one), False),  # tied from elsewhere
        (lambda: nn.Sequential(OrderedDict(a=Stack([one := nn.Linear(6, 6)]), b=Widens(one))), False),
        (lambda: nn.Sequential(nn.Linear(6, 6), act := nn.ReLU(), nn.Linear(6, 6), act, nn.Linear(6, 3)), False),
    ],
    ids=["repeated", "blocks", "sequential", "several", "tied", "tied, as deep", "an activation"],
)
def test_one_layer_in_several_places_of_a_list(make: Any, shared: bool) -> None:
    torch.manual_seed(0)
    assert ("layers-shared" in ids(make(), torch.randn(32, 6), torch.arange(32) % 3)) == shared
