"""Neurons of single numbers, up to learning a curved border with a hinge loss."""

import random

import numpy as np
import pytest
from numpy.testing import assert_allclose

from backlight.autograd import Value
from backlight.core import ConfigError, OperandError, ShapeError
from backlight.nn import Linear
from backlight.nn.scalar import MLP, Layer, Neuron


def test_neuron_is_an_activated_weighted_sum(rng):
    for settings, act in [
        ({"nonlin": False}, lambda z: z),
        ({}, lambda z: max(z, 0.0)),
        ({"activation": "tanh"}, np.tanh),
    ]:
        for _ in range(5):
            neuron = Neuron(3, rng=rng, **settings)
            neuron.b.data = 0.3
            x = rng.standard_normal(3).tolist()
            z = sum(w.data * one for w, one in zip(neuron.w, x, strict=True)) + 0.3
            assert neuron(x).data == pytest.approx(act(z), rel=1e-12)


def test_first_weights_are_uniform_and_bias_0(rng):
    weights = np.array([w.data for w in Neuron(4000, rng=rng).w])
    assert np.abs(weights).max() <= 1
    assert_allclose(weights.std(), 1 / np.sqrt(3), rtol=0.05)
    assert Neuron(3, rng=rng).b.data == 0


def test_layer_of_one_neuron_gives_a_value_and_of_several_a_list(rng):
    assert isinstance(Layer(2, 1, rng=rng)([1.0, 2.0]), Value)
    out = Layer(2, 3, rng=rng)([1.0, 2.0])
    assert len(out) == 3
    assert all(isinstance(one, Value) for one in out)


def test_parameters_of_all_layers(rng):
    net = MLP(2, [16, 16, 1], rng=rng)
    assert len(net.parameters()) == 2 * 16 + 16 + 16 * 16 + 16 + 16 + 1
    assert len({id(p) for p in net.parameters()}) == len(net.parameters())
    assert [layer.neurons[0].nonlin for layer in net.layers] == [True, True, False]


def test_gradients_match_central_differences(rng):
    net = MLP(2, [3, 1, 2], activation="tanh", rng=rng)  # a layer of one neuron in the middle
    x = [0.5, -1.2]

    def score():
        first, second = net(x)
        return first * 3 - second * second

    score().backward()
    for parameter in net.parameters():
        here, h = parameter.data, 1e-6
        parameter.data = here + h
        above = score().data
        parameter.data = here - h
        slope = (above - score().data) / (2 * h)
        parameter.data = here
        assert parameter.grad == pytest.approx(slope, rel=1e-6, abs=1e-8)
    net.zero_grad()
    assert all(p.grad == 0 for p in net.parameters())


def test_takes_rows_of_arrays_and_tuples_as_lists(rng):
    net = MLP(2, [3, 1], rng=rng)
    assert net(np.array([0.5, -1.0])).data == net((0.5, -1.0)).data == net([Value(0.5), Value(-1.0)]).data


def test_same_generator_same_net():
    first, second = (MLP(2, [3, 1], rng=np.random.default_rng(4)) for _ in range(2))
    assert [p.data for p in first.parameters()] == [p.data for p in second.parameters()]


def test_without_a_generator_each_net_is_another():
    assert MLP(2, [3, 1]).parameters()[0].data != MLP(2, [3, 1]).parameters()[0].data


def test_pythons_random_decides_as_in_micrograd():
    random.seed(1337)
    drawn = [p.data for p in MLP(2, [3, 1]).parameters() if p.data]
    random.seed(1337)
    assert drawn == [random.uniform(-1, 1) for _ in range(2 * 3 + 3)]


def test_without_a_generator_it_says_what_to_pass(rng):
    for make in (Neuron, lambda n, rng: Linear(n, 3, rng=rng), lambda n, rng: MLP(n, [2, 1], rng=rng)):
        for wrong in (None, 0, "seed"):
            with pytest.raises(ConfigError, match=r"Pass rng=np\.random\.default_rng\(0\)\.") as error:
                make(2, rng=wrong)
            assert "\n" not in str(error.value)
        make(2, rng=rng)


def test_wrong_inputs_are_one_line():
    with pytest.raises(ShapeError, match="3 weights needs as many inputs; got 2") as error:
        Neuron(3)([1.0, 2.0])
    assert "\n" not in str(error.value)
    for wrong in (
        lambda: Neuron(3)(2.0),
        lambda: Layer(3, 2)(2.0),
        lambda: Neuron(1)("a"),
        lambda: Layer(1, 1)([None]),
    ):
        with pytest.raises(OperandError) as error:
            wrong()
        assert "\n" not in str(error.value)
    for wrong in (lambda: Neuron(0), lambda: Layer(2, 0), lambda: MLP(2, []), lambda: MLP(2, 3), lambda: Neuron("a")):
        with pytest.raises(ConfigError):
            wrong()
    with pytest.raises(ConfigError, match="'relu' or 'tanh'; got 'gelu'"):
        Neuron(3, activation="gelu")


def test_prints_its_layers(rng):
    net = MLP(2, [2, 1], rng=rng)
    assert repr(net) == "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
    assert repr(Neuron(3, activation="tanh", rng=rng)) == "TanhNeuron(3)"


def two_moons(count, rng):
    """Two half circles that reach into each other: no straight line parts them."""
    angle = np.linspace(0, np.pi, count // 2)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    points = np.concatenate([upper, lower]) + 0.05 * rng.standard_normal((count, 2))
    return points.tolist(), [1] * (count // 2) + [-1] * (count // 2)


def right(net, points, labels):
    scores = [net(point) for point in points]
    return sum(score.data * label > 0 for score, label in zip(scores, labels, strict=True)) / len(labels)


def test_hinge_loss_in_values_learns_two_moons(rng):
    points, labels = two_moons(40, rng)
    net = MLP(2, [8, 8, 1], activation="tanh", rng=rng)
    velocity = [0.0] * len(net.parameters())
    losses = []
    for _ in range(100):
        scores = [net(point) for point in points]
        margins = [(1 - label * score).relu() for score, label in zip(scores, labels, strict=True)]
        loss = sum(margins) * (1 / len(margins))
        net.zero_grad()
        loss.backward()
        for place, parameter in enumerate(net.parameters()):
            velocity[place] = 0.9 * velocity[place] + parameter.grad
            parameter.data -= 0.1 * velocity[place]
        losses.append(loss.data)
    assert losses[0] > 0.5
    assert losses[-1] < 0.1
    assert right(net, points, labels) > 0.95  # a straight line gets at most 0.9 of them right
