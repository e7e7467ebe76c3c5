"""Optimisers on numbers that can be done by hand; what they keep, save and refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.autograd import Parameter
from backlight.autograd.native import library
from backlight.core import ConfigError
from backlight.optim import SGD, AdamW, Muon


def with_gradient(numbers, gradient):
    parameter = Parameter(np.array(numbers))
    parameter.grad = np.array(gradient)
    return parameter


MAKERS = {
    "sgd": lambda p: SGD(p, lr=0.1),
    "sgd, momentum": lambda p: SGD(p, lr=0.1, momentum=0.9),
    "sgd, nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adamw": lambda p: AdamW(p, lr=0.1),
    "muon": lambda p: Muon(p, [one for one in p if len(one.shape) == 2][:1], lr=0.1),
    "adamw, sparing vectors": lambda p: AdamW(p, lr=0.1, weight_decay=0.01, decay_vectors=False),
}


def test_sgd_by_hand():
    p = with_gradient([1.0, 2.0], [10.0, -20.0])
    SGD([p], lr=0.1).step()
    assert_allclose(p.detach().numpy(), [0, 4])


def test_momentum_by_hand():
    """v is 1, then 1.5, then 1.75: with the learning rate outside the running sum."""
    p = with_gradient([0.0], [1.0])
    optimiser = SGD([p], lr=0.1, momentum=0.5)
    for wanted in (-0.1, -0.25, -0.425):
        optimiser.step()
        assert_allclose(p.detach().numpy(), [wanted])


def test_first_step_of_adamw_is_the_learning_rate_whatever_the_gradient():
    p = with_gradient([1.0, 1.0, 1.0], [1e-4, -3.0, 1e4])
    AdamW([p], lr=0.1, weight_decay=0.0).step()
    assert_allclose(p.detach().numpy(), [0.9, 1.1, 0.9], rtol=1e-4)


def test_decay_of_adamw_does_not_pass_through_the_running_means():
    p = with_gradient([2.0], [0.0])
    AdamW([p], lr=0.1, weight_decay=0.5).step()
    assert_allclose(p.detach().numpy(), [2 * (1 - 0.05)])


@pytest.mark.parametrize("make", [SGD, AdamW])
@pytest.mark.parametrize("spare", [False, True])
def test_decay_vectors(make, spare):
    tensors = [with_gradient(np.ones(shape), np.zeros(shape)) for shape in [(2, 3), (3,), (2, 1, 2), ()]]
    make(tensors, lr=0.1, weight_decay=0.5, decay_vectors=not spare).step()
    left = [0.95, 1, 0.95, 1] if spare else [0.95] * 4
    for tensor, wanted in zip(tensors, left, strict=True):
        assert_allclose(tensor.detach().numpy(), np.full(tensor.shape, wanted))


@pytest.mark.parametrize("make", [SGD, AdamW])
def test_decay_set_later_spares_vectors_too(make):
    tensors = [with_gradient(np.ones(shape), np.zeros(shape)) for shape in [(2, 3), (3,)]]
    optimiser = make(tensors, lr=0.1, weight_decay=0.0, decay_vectors=False)
    optimiser.weight_decay = 0.5
    optimiser.step()
    assert_allclose(tensors[0].detach().numpy(), np.full((2, 3), 0.95))
    assert_array_equal(tensors[1].detach().numpy(), np.ones(3))


@pytest.mark.parametrize("name", MAKERS)
def test_finds_the_bottom_of_a_bowl(name, rng):
    target = rng.standard_normal((3, 2))
    p = Parameter(rng.standard_normal((3, 2)))
    optimiser = MAKERS[name]([p])
    for step in range(400):
        optimiser.lr = 0.1 * (1 - step / 400)
        optimiser.zero_grad()
        ((p - target) ** 2).sum().backward()
        optimiser.step()
    assert_allclose(p.detach().numpy(), target, atol=0.05)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saved_and_loaded_continues_with_the_same_bits(name, dtype, rng):
    gradients = rng.standard_normal((20, 5)).astype(dtype)
    first = [Parameter(rng.standard_normal(shape).astype(dtype)) for shape in [(2, 2), (1,)]]

    def run(optimiser, tensors, steps):
        for gradient in gradients[steps]:
            tensors[0].grad, tensors[1].grad = gradient[:4].reshape(2, 2), gradient[4:]
            optimiser.step()

    optimiser = MAKERS[name](first)
    run(optimiser, first, slice(0, 10))
    state = optimiser.state_dict()
    second = [Parameter(np.array(t.array)) for t in first]
    run(optimiser, first, slice(10, 20))  # the state is a copy: going on does not change it

    resumed = MAKERS[name](second)
    resumed.load_state_dict(state)
    run(resumed, second, slice(10, 20))
    for mine, other in zip(first, second, strict=True):
        assert mine.array.dtype == dtype
        assert mine.array.tobytes() == other.array.tobytes()
    assert resumed.steps == 20
    for key, array in resumed.state_dict().items():
        assert array.tobytes() == optimiser.state_dict()[key].tobytes()


def test_state_is_arrays_by_name(rng):
    p = Parameter(rng.standard_normal(3))
    assert set(SGD([p], lr=0.1).state_dict()) == {"steps"}
    assert set(SGD([p], lr=0.1, momentum=0.9).state_dict()) == {"steps", "velocity"}
    assert {name: array.shape for name, array in AdamW([p]).state_dict().items()} == {
        "mean": (3,), "square": (3,), "steps": (),
    }  # fmt: skip


def test_state_of_another_optimiser_or_model_is_refused_in_one_line():
    small, large = Parameter(np.zeros(3)), Parameter(np.zeros(5))
    with pytest.raises(
        ConfigError, match=r"state must have the keys \['mean', 'square', 'steps'\]; got \['steps'\]"
    ) as error:
        AdamW([small]).load_state_dict(SGD([small], lr=0.1).state_dict())
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="mean must have 3 elements, as the weights; got 5"):
        AdamW([small]).load_state_dict(AdamW([large]).state_dict())


def test_zero_grad_forgets():
    p = with_gradient([1.0], [1.0])
    optimiser = SGD([p], lr=0.1)
    optimiser.zero_grad()
    assert p.grad is None
    optimiser.step()
    assert_array_equal(p.detach().numpy(), [1.0])


def test_parameters_stay_the_same_tensors():
    p = with_gradient([1.0], [1.0])
    array_before = p.detach().numpy().copy()
    optimiser = AdamW([p])
    assert_array_equal(p.detach().numpy(), array_before)
    optimiser.step()
    assert np.shares_memory(p.array, optimiser.flat.data)


@pytest.mark.parametrize(
    ("make", "settings", "rule"),
    [
        (SGD, {"lr": -0.1}, "lr must be a finite number, 0 or more; got -0.1"),
        (SGD, {"lr": float("nan")}, "lr must be a finite number, 0 or more; got nan"),
        (SGD, {"lr": 0.1, "weight_decay": -1.0}, "weight_decay must be a finite number, 0 or more; got -1.0"),
        (SGD, {"lr": 0.1, "momentum": -0.5}, "momentum must be a finite number, 0 or more; got -0.5"),
        (SGD, {"lr": 0.1, "momentum": 1.0}, "momentum must be below 1, .*; got 1.0"),
        (SGD, {"lr": 0.1, "nesterov": True}, "nesterov=True .* Set momentum above 0"),
        (AdamW, {"betas": (0.9, 1.0)}, r"betas must be below 1, .*; got \(0.9, 1.0\)"),
        (AdamW, {"betas": (-0.1, 0.9)}, "beta_1 must be a finite number, 0 or more; got -0.1"),
        (AdamW, {"betas": (0.9, -0.1)}, "beta_2 must be a finite number, 0 or more; got -0.1"),
        (AdamW, {"eps": -1e-8}, "eps must be a finite number, 0 or more; got -1e-08"),
    ],
)
def test_settings_out_of_range_are_one_line(make, settings, rule):
    with pytest.raises(ConfigError, match=rule) as error:
        make([Parameter(np.zeros(3))], **settings)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(library() is None, reason="the kernels were not built: there was no C compiler")
@pytest.mark.parametrize(
    "settings", [{}, {"weight_decay": 0.5}, {"weight_decay": 0.5, "decay_vectors": False}], ids=str
)
def test_the_kernel_of_adamw_takes_numpys_steps(settings, rng, monkeypatch):
    first = [rng.standard_normal(shape).astype("f4") for shape in ((7, 5), (19,))]
    both = []
    for found in (library(), None):
        monkeypatch.setattr("backlight.optim.adamw.library", lambda found=found: found)
        parameters = [Parameter(array.copy()) for array in first]
        optimiser = AdamW(parameters, lr=0.1, betas=(0.8, 0.9), eps=0.01, **settings)
        gradients = np.random.default_rng(5)
        for _ in range(4):
            for parameter in parameters:
                parameter.grad = gradients.standard_normal(parameter.shape).astype("f4")
            optimiser.step()
        both.append([optimiser.flat.data, optimiser.mean, optimiser.square])
    for mine, numpys in zip(*both, strict=True):
        assert_allclose(mine, numpys, rtol=1e-5, atol=1e-7)


# -- Muon --------------------------------------------------------------------------------------------------------------


def test_a_step_of_muon_turns_as_far_in_each_direction():
    """The gradient is a rotation of singular values 100 and 0.01; the step's are about as long."""
    angle = np.array([[0.6, -0.8], [0.8, 0.6]])
    p = with_gradient(np.zeros((2, 2)), angle @ np.diag([100.0, 1.0]))
    Muon([p], [p], lr=0.1, weight_decay=0.0).step()
    turned = -angle.T @ p.detach().numpy() / (0.1 * 0.2 * 2**0.5)
    assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-6)
    assert np.all((np.diag(turned) > 0.6) & (np.diag(turned) < 1.3))


def test_what_muon_is_not_for():
    matrix, vector = with_gradient(np.ones((2, 2)), np.ones((2, 2))), with_gradient([1.0], [1.0])
    with pytest.raises(ConfigError, match=r"^Muon is for matrices, with two axes; got a tensor of shape \(1,\)\.$"):
        Muon([matrix, vector], [vector])
    with pytest.raises(ConfigError, match=r"^matrices must be among the parameters; got another tensor"):
        Muon([vector], [matrix])
    with pytest.raises(ConfigError, match=r"^momentum must be below 1, .* got 1\.0\.$"):
        Muon([matrix], [matrix], momentum=1.0)


def test_muon_leaves_the_rest_to_adamw(rng):
    shapes = [(3, 4), (4,), (4, 5), (5, 2), (2,)]
    numbers, gradients = ([rng.standard_normal(shape) for shape in shapes] for _ in range(2))

    def stepped(make):
        own = [with_gradient(*pair) for pair in zip(numbers, gradients, strict=True)]
        optimiser = make(own)
        for _ in range(3):
            optimiser.step()
        return [one.detach().numpy() for one in own]

    adamw = stepped(lambda p: AdamW(p, lr=0.1))
    for chosen in ([0], [2], [3], [0, 2], [2, 3], [0, 2, 3]):
        muon = stepped(lambda p, chosen=chosen: Muon(p, [p[k] for k in chosen], lr=0.1))
        for place, (one, other) in enumerate(zip(muon, adamw, strict=True)):
            assert np.array_equal(one, other) == (place not in chosen)
