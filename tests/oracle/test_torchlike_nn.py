"""Layers of torchlike beside PyTorch's: constructors, text, first weights, outputs, gradients and refusals."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import backlight.torchlike as bt
from backlight.core import BacklightError

LAYERS = {
    "Linear(7, 5)": (4, 7),
    "Linear(7, 5, bias=False)": (3, 4, 7),
    "Linear(1, 1)": (4, 1),
    "Embedding(9, 4)": None,
    "Embedding(9, 4, padding_idx=2)": None,
    "Embedding(9, 4, padding_idx=-1)": None,
    "LayerNorm(6)": (3, 4, 6),
    "LayerNorm([4, 6], eps=1e-3)": (3, 4, 6),
    "LayerNorm(6, elementwise_affine=False)": (3, 6),
    "LayerNorm(6, bias=False)": (3, 6),
    "BatchNorm1d(5)": (8, 5),
    "BatchNorm1d(5, eps=1e-3, momentum=0.3)": (8, 5, 3),
    "BatchNorm1d(5, momentum=None)": (8, 5, 3),
    "BatchNorm1d(5, affine=False)": (8, 5),
    "BatchNorm1d(5, track_running_stats=False)": (8, 5),
    "Conv1d(4, 6, 3)": (2, 4, 10),
    "Conv1d(4, 6, 3, stride=2, padding=2, dilation=2)": (2, 4, 10),
    "Conv1d(4, 6, 3, padding='same', dilation=2)": (2, 4, 10),
    "Conv1d(4, 6, 2, padding='valid', bias=False)": (4, 10),
    "Conv1d(4, 6, 3, groups=2, padding=1)": (2, 4, 10),
    "Bilinear(3, 4, 5)": None,
    "Flatten()": (2, 3, 4),
    "Flatten(0, 1)": (2, 3, 4),
    "Unflatten(1, (2, 3))": (2, 6),
    "Identity(54, unused=1)": (2, 3),
    "Tanh()": (2, 3),
    "Sigmoid()": (2, 3),
    "ReLU()": (2, 3),
    "SiLU()": (2, 3),
    "LeakyReLU(0.2)": (2, 3),
    "ELU(alpha=0.5)": (2, 3),
    "GELU()": (2, 3),
    "Softmax(dim=1)": (2, 3),
    "LogSoftmax(dim=-1)": (2, 3),
    "GELU(approximate='tanh')": (2, 3),
    "RNN(3, 5)": (6, 2, 3),
    "RNN(3, 5, num_layers=2, batch_first=True)": (2, 6, 3),
    "GRU(3, 5, 2, bidirectional=True)": (6, 2, 3),
    "GRU(3, 5)": (6, 3),
    "LSTM(3, 5, batch_first=True)": (2, 6, 3),
    "LSTM(3, 5, 2, bidirectional=True)": (6, 2, 3),
    "LSTM(3, 5, 2)": (6, 3),
    "RNNCell(3, 5)": (2, 3),
    "RNNCell(3, 5, bias=False, nonlinearity='relu')": (2, 3),
    "GRUCell(3, 5)": (2, 3),
    "LSTMCell(3, 5)": (2, 3),
    "MultiheadAttention(6, 2)": None,
    "MultiheadAttention(6, 3, bias=False, batch_first=True)": None,
}  # fmt: skip


def made(text, module, seed=5):
    module.manual_seed(seed)
    return eval(f"nn.{text}", {"nn": module.nn})  # noqa: S307  (the cases above)


def both(text, seed=5):
    return made(text, torch, seed), made(text, bt, seed)


def inputs(text, shape, rng):
    """Return the arguments of a layer as arrays."""
    if text.startswith("Embedding"):
        return [rng.integers(0, 9, (3, 4))]
    if text.startswith("Bilinear"):
        return [rng.standard_normal((2, 3)), rng.standard_normal((2, 4))]
    if text.startswith("MultiheadAttention"):
        return [rng.standard_normal((5, 2, 6)), rng.standard_normal((7, 2, 6) if "batch" not in text else (5, 4, 6)),
                rng.standard_normal((7, 2, 6) if "batch" not in text else (5, 4, 6))]  # fmt: skip
    return [rng.standard_normal(shape)]


def flat(outputs):
    """Return the tensors of an output, which may be nested tuples."""
    if isinstance(outputs, (tuple, list)):
        return [one for part in outputs for one in flat(part)]
    return [outputs]


def array(tensor):
    return np.asarray(tensor.detach() if isinstance(tensor, torch.Tensor) else tensor.array)


@pytest.mark.parametrize("text", LAYERS)
def test_a_layer_starts_and_prints_as_in_pytorch(text):
    for seed in (0, 5, 2**31):
        theirs, ours = both(text, seed)
        assert repr(ours) == repr(theirs)
        assert list(map(repr, ours.parameters())) == list(map(repr, theirs.parameters()))
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for name, tensor in theirs.state_dict().items():
            assert_array_equal(array(ours.state_dict()[name]), array(tensor), err_msg=name)
        assert torch.rand(1).item() == bt.rand(1).item(), "another number of draws"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("text", LAYERS)
def test_outputs_and_gradients(text, training):
    rng = np.random.default_rng(3)
    theirs, ours = both(text)
    theirs, ours = theirs.double().train(training), ours.double().train(training)
    for _ in range(2):  # twice, for running statistics
        arrays = inputs(text, LAYERS[text], rng)
        floats = [one.dtype.kind == "f" for one in arrays]
        xs = [torch.tensor(one, requires_grad=f) for one, f in zip(arrays, floats, strict=True)]
        ys = [bt.tensor(one, requires_grad=f) for one, f in zip(arrays, floats, strict=True)]
        expected, found = flat(theirs(*xs)), flat(ours(*ys))
        assert len(expected) == len(found)
        loss, mine = 0, 0
        for one, other in zip(expected, found, strict=True):
            assert_allclose(array(other), array(one), rtol=1e-9, atol=1e-11)
            weights = rng.standard_normal(one.shape)
            loss, mine = loss + (one * torch.tensor(weights)).sum(), mine + (other * bt.tensor(weights)).sum()
        if loss.requires_grad:
            loss.backward()
            mine.backward()
        for x, y in zip(xs, ys, strict=True):
            if x.grad is not None:
                assert_allclose(array(y.grad), array(x.grad), rtol=1e-8, atol=1e-10)
        for (name, one), other in zip(theirs.named_parameters(), ours.parameters(), strict=True):
            if one.grad is not None:
                assert_allclose(array(other.grad), array(one.grad), rtol=1e-8, atol=1e-10, err_msg=name)
    for name, tensor in theirs.state_dict().items():
        assert_allclose(array(ours.state_dict()[name]), array(tensor), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("layout", ["(3, 4, 2)", "(3, 4, 2, batch_first=True)", "(3, 4, 1, bidirectional=True)"])
def test_a_recurrent_layer_continues_from_its_state(kind, layout):
    theirs, ours = (layer.double() for layer in both(f"{kind}{layout}"))
    rng = np.random.default_rng(1)
    state, mine = None, None
    for _ in range(3):
        x = rng.standard_normal((5, 5, 3))
        expected, state = theirs(torch.tensor(x), state)
        found, mine = ours(bt.tensor(x), mine)
        assert_allclose(array(found), array(expected), rtol=1e-9, atol=1e-12)
        for one, other in zip(flat(state), flat(mine), strict=True):
            assert_allclose(array(other), array(one), rtol=1e-9, atol=1e-12)
        state = tuple(one.detach() for one in state) if kind == "LSTM" else state.detach()
        mine = tuple(one.detach() for one in mine) if kind == "LSTM" else mine.detach()
    with pytest.raises(BacklightError, match="gets no gradient"):
        ours(bt.tensor(x), tuple(one.requires_grad_() for one in flat(mine)) if kind == "LSTM" else
             mine.requires_grad_())  # fmt: skip


@pytest.mark.parametrize("boolean", [True, False])
def test_attention_with_masks(boolean):
    theirs, ours = (layer.double() for layer in both("MultiheadAttention(6, 2, batch_first=True)"))
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 5, 6))
    causal = np.triu(np.ones((5, 5), bool), 1) if boolean else np.triu(rng.standard_normal((5, 5)), 1)
    padding = np.zeros((3, 5), bool if boolean else float)
    padding[1, 3:] = True if boolean else -1.5
    settings = {"average_attn_weights": False}
    expected, weights = theirs(
        *[torch.tensor(x)] * 3, attn_mask=torch.tensor(causal), key_padding_mask=torch.tensor(padding), **settings
    )
    found, mine = ours(
        *[bt.tensor(x)] * 3, attn_mask=bt.tensor(causal), key_padding_mask=bt.tensor(padding), **settings
    )
    assert_allclose(array(found), array(expected), rtol=1e-9, atol=1e-12)
    assert_allclose(array(mine), array(weights), rtol=1e-9, atol=1e-12)
    assert ours(*[bt.tensor(x)] * 3, need_weights=False)[1] is None


LOSSES = [
    "MSELoss()", "MSELoss(reduction='sum')", "L1Loss()", "L1Loss(reduction='none')", "BCELoss()",
    "BCEWithLogitsLoss(reduction='sum')", "BCEWithLogitsLoss(pos_weight=module.tensor([2.0]).double())",
    "NLLLoss(weight=module.tensor([1.0, 2.0, 0.5]).double())", "NLLLoss(ignore_index=2)", "CrossEntropyLoss()",
    "CrossEntropyLoss(reduction='none')", "CrossEntropyLoss(label_smoothing=0.1, ignore_index=1)",
    "CrossEntropyLoss(weight=module.tensor([1.0, 2.0, 0.5]).double(), reduction='sum')",
]  # fmt: skip


@pytest.mark.parametrize("text", LOSSES)
def test_losses(text):
    rng = np.random.default_rng(8)
    x, y, ids = rng.uniform(0.1, 0.9, (5, 3)), rng.uniform(0, 1, (5, 3)), np.array([0, 2, 1, 1, 0])
    found = {}
    for module in (torch, bt):
        loss = eval(f"module.nn.{text}", {"module": module})  # noqa: S307  (the cases above)
        leaf = module.tensor(x, requires_grad=True)
        out = loss(leaf, module.tensor(ids if "NLL" in text or "Cross" in text else y))
        out.sum().backward()
        found[module] = [repr(loss), list(loss.state_dict()), array(out), array(leaf.grad)]
    assert found[bt][:2] == found[torch][:2]
    for one, other in zip(found[torch][2:], found[bt][2:], strict=True):
        assert_allclose(other, one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(1,), (15,), (16,), (7, 5), (2, 3, 4)])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.2, 0.5, 0.9, 1.0])
def test_dropout_masks_have_the_bits_of_pytorch(shape, p):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    theirs, ours = both(f"Dropout({p})")
    assert repr(theirs) == repr(ours)
    for order in (range(len(shape)), reversed(range(len(shape)))):  # the second is not contiguous
        axes = tuple(order)
        expected, found = theirs(torch.tensor(x).permute(axes)), ours(bt.tensor(x).permute(axes))
        assert_array_equal(array(found), array(expected))
    assert torch.rand(1).item() == bt.rand(1).item()
    assert_array_equal(array(ours.eval()(bt.tensor(x))), x)


INITS = [
    "uniform_(w, -0.3, 0.7)", "normal_(w, 1.0, 0.3)", "constant_(w, 0.3)", "ones_(w)", "zeros_(w)", "eye_(w)",
    "xavier_uniform_(w, 1.3)", "xavier_normal_(w)", "kaiming_uniform_(w)", "kaiming_normal_(w, nonlinearity='relu')",
    "kaiming_uniform_(w, a=0.2, mode='fan_out')", "kaiming_normal_(w, nonlinearity='tanh')",
    "trunc_normal_(w, std=0.02, a=-0.04, b=0.04)", "trunc_normal_(w)", "sparse_(w, 0.3)",
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", INITS)
def test_initialisation_has_the_bits_of_pytorch(text, dtype):
    for shape in [(6, 9), (3, 4), (2, 3)]:
        filled = []
        for module in (torch, bt):
            module.manual_seed(11)
            w = module.empty(shape, dtype=getattr(module, dtype))
            with module.no_grad():
                assert eval(f"init.{text}", {"init": module.nn.init, "w": w}) is w  # noqa: S307
            filled.append(array(w))
        assert_array_equal(filled[1], filled[0])
        assert torch.rand(1).item() == bt.rand(1).item()


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (2, 3, 4)])
def test_orthogonal_is_pytorchs_within_rounding(shape):
    filled = []
    for module in (torch, bt):
        module.manual_seed(11)
        filled.append(array(module.nn.init.orthogonal_(module.empty(shape), gain=1.5)))
    assert_allclose(filled[1], filled[0], atol=2e-6)


@pytest.mark.parametrize("name", ["linear", "tanh", "relu", "leaky_relu", "selu", "sigmoid"])
def test_gains(name):
    assert bt.nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


def test_containers_print_and_name_as_in_pytorch():
    def build(module):
        module.manual_seed(1)
        nn = module.nn

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.heads = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
                self.register_buffer("tril", module.ones(2, 2))
                self.register_buffer("hidden", module.ones(2), persistent=False)
                self.scale = nn.Parameter(module.ones(2, 3))
                self.norm = nn.LayerNorm(2)

            def extra_repr(self):
                return "two\nlines"

        return nn.ModuleDict({
            "wte": nn.Embedding(5, 2),
            "blocks": nn.Sequential(*[Block() for _ in range(2)], nn.Sequential()),
            "rest": nn.ParameterList([module.ones(2, 1), module.ones(3)]),
            "named": nn.ParameterDict({"a": module.ones(1)}),
        })  # fmt: skip

    theirs, ours = build(torch), build(bt)
    assert repr(ours) == repr(theirs)
    for call in ("named_parameters", "named_buffers", "named_modules", "named_children", "state_dict"):
        expected = getattr(theirs, call)()
        expected = [name for name, _ in (expected.items() if isinstance(expected, dict) else expected)]
        found = getattr(ours, call)()
        assert [name for name, _ in (found.items() if isinstance(found, dict) else found)] == expected
    assert repr(ours["blocks"][:1]) == repr(theirs["blocks"][:1])
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    twin = copy.deepcopy(ours)
    twin["wte"].weight.array[...] = 0
    assert ours["wte"].weight.array.any()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_what_is_dropped_between_recurrent_layers(kind, training):
    """With a share of 1, all of it: no random number is needed to compare."""
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    theirs, ours = both(f"{kind}(3, 4, num_layers=3, dropout=1.0)")
    expected = theirs.train(training)(torch.tensor(x))[0]
    assert_allclose(array(ours.train(training)(bt.tensor(x))[0]), array(expected), rtol=1e-5, atol=1e-6)
