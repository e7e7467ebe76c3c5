"""What layers compute on small numbers, how they start, and what they say to wrong ones."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.autograd import Tensor
from backlight.core import ConfigError, ShapeError
from backlight.nn import ACTIVATIONS, GELU, Embedding, Flatten, Linear, ReLU, Sequential, Sigmoid, Tanh, init


def one_line(error):
    return "\n" not in str(error.value)


def test_linear_is_x_w_plus_b(rng):
    layer = Linear(2, 3, rng=rng)
    layer.weight.data = np.array([[1.0, 2, 3], [10, 20, 30]])
    layer.bias.data = np.array([0.5, 0.25, 0.125])
    assert_array_equal(layer(Tensor([[1.0, 2.0]])).detach().numpy(), [[21.5, 42.25, 63.125]])
    assert_array_equal(layer(Tensor([1.0, 0.0])).detach().numpy(), [1.5, 2.25, 3.125])
    assert layer(Tensor(np.zeros((4, 5, 6, 2), np.float32))).shape == (4, 5, 6, 3)


def test_linear_without_bias(rng):
    layer = Linear(2, 3, bias=False, rng=rng)
    assert layer.bias is None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert not layer(Tensor([[0.0, 0.0]])).detach().numpy().any()


def test_scale_is_a_factor_on_the_first_weights_only():
    def first(**settings):
        return Linear(5, 3, rng=np.random.default_rng(1), **settings)

    assert_allclose(first(scale=0.01).weight.detach().numpy(), 0.01 * first().weight.detach().numpy(), rtol=1e-6)
    assert_allclose(
        first(nonlinearity="tanh").weight.detach().numpy(), 5 / 3 * first().weight.detach().numpy(), rtol=1e-6
    )
    assert first().weight.array.dtype == first(scale=0.1).weight.array.dtype == np.float32


def test_first_weights_come_from_the_generator_alone():
    first, same, other = (Linear(5, 3, rng=np.random.default_rng(seed)).weight.detach().numpy() for seed in (1, 1, 2))
    assert_array_equal(first, same)
    assert (first != other).all()


def test_linear_says_what_it_needs(rng):
    with pytest.raises(ShapeError, match=r"Linear\(3, 4\) needs x.shape\[-1\] == 3; got x of shape \(2, 5\)") as error:
        Linear(3, 4, rng=rng)(Tensor(np.zeros((2, 5), np.float32)))
    assert "Linear(5, 4)" in str(error.value)
    assert one_line(error)


@pytest.mark.parametrize("make", [Linear, Embedding])
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3)])
def test_sizes_are_at_least_1(make, sizes, rng):
    with pytest.raises(ConfigError, match=f"must be a whole number, at least 1; got {min(sizes)}") as error:
        make(*sizes, rng=rng)
    assert one_line(error)


def test_unknown_nonlinearity_lists_the_known(rng):
    with pytest.raises(ConfigError, match="one of linear, sigmoid, tanh, relu, gelu; got 'swish'") as error:
        Linear(2, 2, nonlinearity="swish", rng=rng)
    assert one_line(error)


def test_embedding_picks_rows(rng):
    table = Embedding(5, 2, rng=rng)
    ids = np.array([[4, 0, 4], [1, 1, 2]], np.uint8)
    assert_array_equal(table(ids).detach().numpy(), table.weight.detach().numpy()[ids])
    assert table([3]).shape == (1, 2)
    table(ids).sum().backward()
    assert_array_equal(table.weight.grad.detach().numpy()[:, 0], [1, 2, 1, 0, 2])


@pytest.mark.parametrize(
    ("ids", "rule"),
    [
        ([5], r"ids must be in 0..4, the rows of the weight; got 5..5"),
        ([0, -1], r"ids must be in 0..4, the rows of the weight; got -1..0"),
        ([0.5], "needs integer ids; got float32"),
    ],
)
def test_embedding_refuses_ids_that_it_has_not(ids, rule, rng):
    with pytest.raises(ConfigError, match=rule) as error:
        Embedding(5, 2, rng=rng)(ids)
    assert one_line(error)


def test_flatten_joins_all_but_the_first():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert_array_equal(Flatten()(Tensor(x)).detach().numpy(), x.reshape(2, 12))


def test_sequential_goes_in_order_and_can_be_indexed(rng):
    net = Sequential(Linear(2, 3, rng=rng), Tanh(), Linear(3, 1, rng=rng))
    x = Tensor(rng.standard_normal((4, 2)).astype(np.float32))
    assert_array_equal(net(x).detach().numpy(), net[2](net[1](net[0](x))).detach().numpy())
    assert len(net) == 3
    assert isinstance(net[-2], Tanh)


def test_activations_at_known_points():
    x = Tensor(np.array([-2.0, 0.0, 1.0]))
    assert_allclose(Tanh()(x).detach().numpy(), [-0.9640275800758169, 0, 0.7615941559557649], rtol=1e-14)
    assert_array_equal(ReLU()(x).detach().numpy(), [0, 0, 1])
    assert_allclose(Sigmoid()(x).detach().numpy(), [0.11920292202211755, 0.5, 0.7310585786300049], rtol=1e-14)
    assert_allclose(GELU()(x).detach().numpy(), [-0.0455, 0, 0.8413], atol=5e-4)  # x Φ(x), with Φ approximated


def test_each_activation_has_a_gain():
    assert set(ACTIVATIONS) < set(init.GAINS)


def test_deep_tanh_layers_keep_the_spread_of_their_signal(rng):
    """What the gain 5/3 is for: without it the signal fades, layer by layer."""

    def spread(nonlinearity):
        x = Tensor(rng.standard_normal((500, 200)).astype(np.float32))
        for _ in range(6):
            x = Linear(200, 200, nonlinearity=nonlinearity, rng=rng)(x).tanh()
        return x.detach().numpy().std()

    assert spread("tanh") == pytest.approx(0.65, abs=0.05)
    assert spread("linear") < 0.4
