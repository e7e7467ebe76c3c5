"""What holds for every network: what it reads, what it refuses, and the weights that earlier versions saved."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tests.unit.training.test_compiled_step import LADDER

from backlight.autograd import Tensor
from backlight.core import BacklightError, OperandError, ShapeError
from backlight.nn import former_names


@pytest.fixture(params=LADDER)
def model(request):
    return LADDER[request.param](np.random.default_rng(1)).eval()


def test_ids_come_as_array_tensor_or_lists(model, rng):
    ids = rng.integers(0, 6, (3, model.context))
    expected = model(ids).detach().numpy()
    for same in (ids.tolist(), Tensor(ids), ids.astype(np.uint8), list(ids)):
        assert_array_equal(model(same).detach().numpy(), expected)


@pytest.mark.parametrize(
    ("given", "kind", "rule"),
    [
        ("emma", OperandError, r"reads ids, not text; got 'emma'\. Encode it first"),
        (["emma", "ava"], OperandError, r"reads ids, not text"),
        ([1, 2, 3], ShapeError, r"ids of shape \(B, T\); got int64 of shape \(3,\)"),
        (3, ShapeError, r"got int64 of shape \(\)"),
        ([[0.5, 1.0]], ShapeError, r"got float32 of shape \(1, 2\)"),
        (None, BacklightError, "a tensor must be made of numbers"),
        ([["a"]], BacklightError, "a tensor must be made of numbers"),
    ],
)
def test_what_is_no_batch_of_ids_is_refused_in_a_line(model, given, kind, rule):
    for read in (model, model.next_logits, lambda x: model.nll(x, np.zeros((1, 1), int))):
        with pytest.raises(kind, match=rule) as error:
            read(given)
        assert "\n" not in str(error.value)


FORMER = {
    "batch norm": {
        "hidden.layers.0.weight": "hidden.0.weight",
        "hidden.layers.1.running_var": "hidden.1.running_var",
        "hidden.layers.3.weight": "hidden.3.weight",
    },
    "gpt": {
        "blocks.0.mlp.layers.0.weight": "blocks.0.mlp.0.weight",
        "blocks.1.mlp.layers.2.bias": "blocks.1.mlp.2.bias",
    },
    "rnn": {
        "layers.0.weight_input": "layers.0.weight_ih_l0",
        "layers.0.weight_hidden": "layers.0.weight_hh_l0",
        "layers.0.bias": "layers.0.bias_ih_l0",
    },
    "gru": {
        "layers.1.weight_input": "layers.1.weight_ih_l0",
        "layers.1.weight_hidden": "layers.1.weight_hh_l0",
        "layers.1.bias_input": "layers.1.bias_ih_l0",
        "layers.1.bias_hidden": "layers.1.bias_hh_l0",
    },
    "lstm": {"layers.0.bias": "layers.0.bias_ih_l0"},
}
"""Names as version 0.1.0 wrote them to weights.safetensors, and the present ones."""


@pytest.mark.parametrize("kind", FORMER)
def test_weights_that_version_0_1_saved_are_loaded(kind, rng):
    model = LADDER[kind](rng)
    assert FORMER[kind].items() <= former_names(model).items()
    assert set(former_names(model).values()) < set(model.state_dict())
    old = {present: former for former, present in former_names(model).items()}
    state = {name: rng.standard_normal(array.shape).astype("f4") for name, array in model.state_dict().items()}
    model.load_state_dict({old.get(name, name): array for name, array in state.items()})
    for name, array in model.state_dict().items():
        assert_array_equal(array, state[name])


def test_hidden_matrices_are_neither_tables_nor_logits():
    for model in LADDER:
        network = LADDER[model](np.random.default_rng(1))
        hidden = {id(one) for one in network.hidden_matrices()}
        chosen = {name for name, one in network.named_parameters() if id(one) in hidden}
        assert not any("embedding" in name or name.startswith("output") or name.endswith("bias") for name in chosen)
        left = {name for name, one in network.named_parameters() if len(one.shape) == 2} - chosen
        assert all(
            "embedding" in name or network.vocabulary_size in dict(network.named_parameters())[name].shape
            for name in left
        ), left
