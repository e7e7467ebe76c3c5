"""Modules find their parts, save and load them, and print themselves."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from backlight.autograd import Parameter, Tensor
from backlight.core import ConfigError, ShapeError
from backlight.nn import Embedding, Linear, Module, Sequential, Tanh


class Odd(Module):
    """Parts in every kind of place."""

    def __init__(self, rng):
        self.name = "odd"
        self.gain = Parameter(np.ones(2, np.float32))
        self.first = Linear(2, 3, rng=rng)
        self.blocks = [[Linear(3, 3, rng=rng), Tanh()], [Linear(3, 2, bias=False, rng=rng)]]
        self.heads = {"a": Linear(2, 1, rng=rng), "b": (Parameter(np.zeros(1, np.float32)), 3)}
        self.again = self.first
        self.plain = Tensor([1.0])  # not a Parameter: not learnt

    def forward(self, x):
        return self.first(x)


NAMES = [
    "gain", "heads.b.0", "first.weight", "first.bias", "blocks.0.0.weight", "blocks.0.0.bias", "blocks.1.0.weight",
    "heads.a.weight", "heads.a.bias",
]  # fmt: skip


@pytest.fixture
def odd(rng):
    return Odd(rng)


def test_finds_parameters_wherever_they_are(odd):
    assert [name for name, _ in odd.named_parameters()] == NAMES
    assert odd.num_parameters() == 2 + 1 + 9 + 12 + 6 + 3


def test_shared_parameter_counts_once(odd, rng):
    assert sum(p is odd.first.weight for p in odd.parameters()) == 1
    other = Linear(2, 3, rng=rng)
    other.weight = odd.first.weight
    both = Sequential(odd.first, other)
    assert [name for name, _ in both.named_parameters()] == ["0.weight", "0.bias", "1.bias"]


def test_named_modules_are_dotted(odd):
    names = [name for name, _ in odd.named_modules()]
    assert names == ["", "first", "blocks.0.0", "blocks.0.1", "blocks.1.0", "heads.a", "again"]
    assert [name for name, _ in Sequential(Sequential(Tanh())).named_modules()] == ["", "0", "0.0"]


def test_state_goes_round(odd):
    state = odd.state_dict()
    assert list(state) == NAMES
    other = Odd(np.random.default_rng(99))
    assert not np.array_equal(other.first.weight.array, state["first.weight"])
    place = other.first.weight.array
    other.load_state_dict(state)
    assert other.first.weight.array is place
    for name, array in other.state_dict().items():
        assert_array_equal(array, state[name])


def test_state_is_a_copy(odd):
    state = odd.state_dict()
    for array in state.values():
        array[...] = 7
    assert not any((p.array == 7).any() for p in odd.parameters())
    odd.load_state_dict(state)
    state["gain"][...] = 8
    assert (odd.gain.array == 7).all()


def test_loading_keeps_the_flat_array(odd):
    flat = odd.flat()
    odd.load_state_dict({name: np.full_like(array, 2) for name, array in odd.state_dict().items()})
    assert_array_equal(flat.data, np.full(odd.num_parameters(), 2))


@pytest.mark.parametrize(
    ("change", "kind", "rule"),
    [
        (lambda s: s.pop("gain"), ConfigError, r"missing or unknown: gain\.$"),
        (lambda s: s.update(extra=np.zeros(1)), ConfigError, r"missing or unknown: extra\.$"),
        (
            lambda s: s.update({"first.weight": s["first.weight"].T}),
            ShapeError,
            r"first.weight must have shape \(2, 3\); got \(3, 2\)",
        ),
    ],
)
def test_state_that_does_not_fit_changes_nothing(change, kind, rule, odd):
    before = odd.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    change(state)
    with pytest.raises(kind, match=rule) as error:
        odd.load_state_dict(state)
    assert "\n" not in str(error.value)
    for name, array in odd.state_dict().items():
        assert_array_equal(array, before[name])


def test_train_and_eval_reach_all_modules(odd):
    modules = [module for _, module in odd.named_modules()]
    assert all(module.training for module in modules)
    assert odd.eval() is odd
    assert not any(module.training for module in modules)
    assert odd.train() is odd
    assert all(module.training for module in modules)
    odd.blocks[0][1].train(mode=False)
    assert odd.training
    assert Tanh().training  # one module's mode is not its class's


def test_zero_grad_forgets_all(odd):
    odd(Tensor(np.ones((1, 2), np.float32))).sum().backward()
    assert odd.first.weight.grad is not None
    odd.zero_grad()
    assert all(p.grad is None for p in odd.parameters())


def test_dtype_changes_for_all_and_back(odd):
    before = odd.state_dict()
    assert odd.to(np.float64) is odd
    assert {p.array.dtype for p in odd.parameters()} == {np.dtype(np.float64)}
    assert odd(Tensor(np.ones((1, 2)))).array.dtype == np.float64
    for name, array in odd.to(np.float32).state_dict().items():
        assert_array_equal(array, before[name])


def test_prints_as_a_tree(rng):
    net = Sequential(
        Embedding(27, 2, rng=rng), Sequential(Linear(6, 4, rng=rng), Tanh()), Linear(4, 27, bias=False, rng=rng)
    )
    assert repr(net) == """\
Sequential(
  (0): Embedding(27, 2)
  (1): Sequential(
    (0): Linear(in_features=6, out_features=4, bias=True)
    (1): Tanh()
  )
  (2): Linear(in_features=4, out_features=27, bias=False)
)"""  # fmt: skip


def test_module_without_a_forward_says_so():
    class Idle(Module):
        pass

    with pytest.raises(NotImplementedError, match=r"Idle must define forward\(\)"):
        Idle()(Tensor([1.0]))


def test_hooks_see_every_call_and_can_be_taken_off_in_any_order(rng):
    layer = Linear(2, 3, rng=rng)
    seen = []
    first = layer.register_forward_hook(lambda module, inputs, out: seen.append((module, inputs, out)))
    second = layer.register_forward_hook(lambda *_: seen.append("second"))
    x = Tensor(np.ones((1, 2), np.float32))
    y = layer(x)
    assert seen == [(layer, (x,), y), "second"]
    first()
    first()
    layer(x)
    assert seen[2:] == ["second"]
    second()
    layer(x)
    assert len(seen) == 3
    assert "_forward_hooks" not in vars(layer)
