"""Batch norm, layer norm, dropout, windows and folding: what they promise, without PyTorch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight import nn
from backlight.autograd import Tensor
from backlight.core import ConfigError, ShapeError


def spread(rng, *shape):
    """Numbers whose channels differ in mean and scale."""
    C = shape[-1]
    return Tensor((rng.standard_normal(shape) * np.arange(1, C + 1) + 10 * np.arange(C)).astype(np.float32))


def with_random_numbers(module, rng):
    for parameter in module.parameters():
        parameter.array[...] = rng.standard_normal(parameter.shape)
    for name, buffer in module.named_buffers():
        drawn = rng.standard_normal(buffer.shape)
        buffer.array[...] = drawn**2 + 0.5 if name.endswith("var") else drawn
    return module


# -- batch norm --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(50, 4), (5, 10, 4), (1, 50, 4)])
def test_batch_norm_brings_each_channel_to_mean_0_and_variance_1(shape, rng):
    y = nn.BatchNorm1d(4)(spread(rng, *shape)).detach().numpy().reshape(-1, 4)
    assert_allclose(y.mean(0), 0, atol=1e-5)
    assert_allclose(y.var(0), 1, rtol=1e-3)  # biased: divided by N


def test_running_statistics_move_by_the_momentum_with_the_unbiased_variance(rng):
    norm, x = nn.BatchNorm1d(4, momentum=0.25), spread(rng, 6, 4)
    norm(x)
    assert_allclose(norm.running_mean.detach().numpy(), 0.25 * x.detach().numpy().mean(0), rtol=1e-5)
    assert_allclose(norm.running_var.detach().numpy(), 0.75 + 0.25 * x.detach().numpy().var(0, ddof=1), rtol=1e-5)
    mean = norm.running_mean.detach().numpy().copy()
    norm(x)
    assert_allclose(norm.running_mean.detach().numpy(), 0.75 * mean + 0.25 * x.detach().numpy().mean(0), rtol=1e-5)


def test_in_evaluation_an_example_does_not_depend_on_its_neighbours(rng):
    norm = with_random_numbers(nn.BatchNorm1d(4), rng).eval()
    x = spread(rng, 6, 4)
    before = norm.state_dict()
    whole = norm(x).detach().numpy()
    assert_array_equal(norm(x[2:3]).detach().numpy(), whole[2:3])
    for name, array in norm.state_dict().items():
        assert_array_equal(array, before[name])
    by_hand = (x.detach().numpy() - before["running_mean"]) / np.sqrt(before["running_var"] + norm.eps)
    assert_allclose(whole, by_hand * before["weight"] + before["bias"], rtol=1e-4, atol=1e-5)


def test_a_bias_before_batch_norm_is_useless(rng):
    linear, norm = nn.Linear(3, 4, rng=rng), nn.BatchNorm1d(4)
    x = spread(rng, 8, 3)
    y = norm(linear(x))
    linear.bias.array[...] = rng.standard_normal(4)
    shifted = norm(linear(x))
    assert_allclose(shifted.detach().numpy(), y.detach().numpy(), atol=1e-5)
    shifted.backward(rng.standard_normal((8, 4)).astype(np.float32))
    assert_allclose(linear.bias.grad.detach().numpy(), 0, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 4), (1, 1, 4), (4,), (0, 4)])
def test_one_row_has_no_variance_in_training(shape):
    norm = nn.BatchNorm1d(4)
    with pytest.raises(ShapeError, match=r"at least 2 rows in training mode, to compute a variance; got x of") as error:
        norm(Tensor(np.ones(shape, np.float32)))
    assert "larger batch, or call eval()" in str(error.value)
    assert "\n" not in str(error.value)
    assert not norm.running_mean.detach().numpy().any()
    assert norm.eval()(Tensor(np.ones(shape, np.float32))).shape == shape


def test_a_channel_that_never_varies_stays_finite():
    norm, x = nn.BatchNorm1d(2), Tensor(np.full((5, 2), 3, np.float32), requires_grad=True)
    norm.weight.array[...] = 2
    y = norm(x)
    y.backward(np.arange(10, dtype=np.float32).reshape(5, 2))
    assert_array_equal(y.detach().numpy(), 0)
    assert np.isfinite(x.grad.detach().numpy()).all()


def test_buffers_are_saved_and_are_not_parameters(rng):
    norm, other = with_random_numbers(nn.BatchNorm1d(3), rng), nn.BatchNorm1d(3)
    assert [name for name, _ in norm.named_parameters()] == ["weight", "bias"]
    assert list(norm.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    other.load_state_dict(norm.state_dict())
    x = spread(rng, 5, 3)
    assert_array_equal(other.eval()(x).detach().numpy(), norm.eval()(x).detach().numpy())


# -- calibration -------------------------------------------------------------------------------------------------------


def test_calibration_gives_the_statistics_of_the_weights_as_they_are(rng):
    model = nn.Sequential(nn.Linear(3, 5, bias=False, rng=rng), nn.BatchNorm1d(5), nn.Tanh(), nn.BatchNorm1d(5)).eval()
    x = spread(rng, 500, 3)
    nn.update_bn(model, x)
    first = x.detach().numpy() @ model[0].weight.detach().numpy()
    assert_allclose(model[1].running_mean.detach().numpy(), first.mean(0), rtol=1e-4)
    assert_allclose(model[1].running_var.detach().numpy(), first.var(0, ddof=1), rtol=1e-4)
    y = model(x).detach().numpy()
    assert_allclose(y.mean(0), 0, atol=1e-3)
    assert_allclose(y.std(0), 1, rtol=1e-2)


def test_calibration_leaves_modes_momenta_weights_and_chance_alone(rng):
    drawn_from = np.random.default_rng(1)
    model = nn.Sequential(nn.BatchNorm1d(3, momentum=0.3), nn.Dropout(0.5, rng=drawn_from)).train()
    model[0].eval()
    before = model[0].weight.detach().numpy().copy()
    nn.update_bn(model, spread(rng, 9, 3))
    assert [model.training, model[0].training, model[1].training] == [True, False, True]
    assert model[0].momentum == 0.3
    assert_array_equal(model[0].weight.detach().numpy(), before)
    assert drawn_from.random() == np.random.default_rng(1).random()


def test_calibration_without_batch_norm_does_not_even_run_the_model():
    nn.update_bn(nn.Tanh(), None)


# -- layer norm --------------------------------------------------------------------------------------------------------


def test_layer_norm_brings_each_row_to_mean_0_and_variance_1(rng):
    y = nn.LayerNorm(40)(spread(rng, 3, 2, 40)).detach().numpy()
    assert_allclose(y.mean(-1), 0, atol=1e-5)
    assert_allclose(y.var(-1), 1, rtol=1e-3)


def test_layer_norm_is_the_same_in_both_modes_and_for_each_row_alone(rng):
    norm, x = with_random_numbers(nn.LayerNorm(4), rng), spread(rng, 6, 4)
    whole = norm(x).detach().numpy()
    assert_array_equal(norm.eval()(x).detach().numpy(), whole)
    assert_array_equal(norm(x[3:4]).detach().numpy(), whole[3:4])


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.LayerNorm])
def test_wrong_channels_are_one_line(kind):
    name = kind.__name__
    with pytest.raises(ShapeError, match=rf"{name}\(4\) needs x.shape\[-1\] == 4; got x of shape \(2, 3\)") as error:
        kind(4)(Tensor(np.ones((2, 3), np.float32)))
    assert f"should it be {name}(3)?" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(ShapeError, match=r"got x of shape \(\)"):
        kind(4)(Tensor(1.0))


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: nn.BatchNorm1d(0), "num_features must be a whole number, at least 1; got 0"),
        (lambda: nn.LayerNorm(0), "normalized_shape must be a whole number, at least 1; got 0"),
        (lambda: nn.BatchNorm1d(3, eps=-1), "eps must be a finite number, 0 or more; got -1"),
        (lambda: nn.LayerNorm(3, eps=float("nan")), "eps must be a finite number, 0 or more; got nan"),
        (lambda: nn.BatchNorm1d(3, momentum=1.1), "momentum must be from 0 to 1; got 1.1"),
        (lambda: nn.Dropout(1, rng=np.random.default_rng(0)), "at least 0 and below 1; got 1"),
        (lambda: nn.Dropout(-0.1, rng=np.random.default_rng(0)), "at least 0 and below 1; got -0.1"),
        (lambda: nn.FlattenConsecutive(0), "at least 1; got 0"),
    ],
)
def test_settings_out_of_range_are_one_line(make, rule):
    with pytest.raises(ConfigError, match=rule) as error:
        make()
    assert "\n" not in str(error.value)


# -- dropout -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p, rng):
    x = Tensor(np.full((300, 100), 2, np.float32), requires_grad=True)
    y = nn.Dropout(p, rng=rng)(x)
    dropped = y.detach().numpy() == 0
    assert dropped.mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / dropped.size))
    assert_allclose(y.detach().numpy()[~dropped], 2 / (1 - p), rtol=1e-6)
    dy = rng.standard_normal(x.shape).astype(np.float32)
    y.backward(dy)
    assert_allclose(x.grad.detach().numpy(), np.where(dropped, 0, dy / np.float32(1 - p)), rtol=1e-5)
    assert y.array.dtype == x.grad.array.dtype == np.float32


def test_dropout_does_nothing_in_evaluation_and_nothing_at_0(rng):
    x = Tensor(np.ones((3, 4), np.float32))
    assert nn.Dropout(0.5, rng=rng).eval()(x) is x
    assert nn.Dropout(0, rng=rng)(x) is x


def test_dropout_draws_from_the_generator_that_it_is_told_to(rng):
    model, x = nn.Sequential(nn.Dropout(0.5, rng=rng)), Tensor(np.ones((10, 10), np.float32))
    first, second = (model.set_rng(np.random.default_rng(5))(x).detach().numpy() for _ in range(2))
    assert_array_equal(first, second)
    assert (model(x).detach().numpy() != second).any()


# -- windows -----------------------------------------------------------------------------------------------------------


def test_flatten_consecutive_joins_neighbours(rng):
    x = rng.standard_normal((2, 6, 3)).astype(np.float32)
    y = nn.FlattenConsecutive(2)(Tensor(x)).detach().numpy()
    assert y.shape == (2, 3, 6)
    assert_array_equal(y, np.concatenate([x[:, ::2], x[:, 1::2]], axis=2))


def test_flatten_consecutive_drops_the_axis_of_a_single_position(rng):
    x = rng.standard_normal((2, 4, 3)).astype(np.float32)
    assert_array_equal(nn.FlattenConsecutive(4)(Tensor(x)).detach().numpy(), x.reshape(2, 12))


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 0, 3), (2, 4), (1, 2, 4, 3)])
def test_positions_that_cannot_be_joined_are_one_line(shape):
    with pytest.raises(ShapeError, match=r"FlattenConsecutive\(2\) needs x of shape \(B, T, C\) with T a mu") as error:
        nn.FlattenConsecutive(2)(Tensor(np.ones(shape, np.float32)))
    assert f"got x of shape {shape}" in str(error.value)
    assert "\n" not in str(error.value)


# -- folding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
def test_a_folded_layer_gives_the_outputs_of_both(bias, rng):
    linear, norm = nn.Linear(7, 5, bias=bias, rng=rng), nn.BatchNorm1d(5).eval()
    with_random_numbers(linear, rng)
    with_random_numbers(norm, rng)
    x = Tensor(rng.standard_normal((9, 7)).astype(np.float32))
    folded = nn.fold_batch_norm(linear, norm)
    wanted = norm(linear(x)).detach().numpy()
    assert_allclose(folded(x).detach().numpy(), wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())
    assert folded.weight.array.dtype == np.float32
    assert (linear.bias is not None) == bias
    assert not np.array_equal(folded.weight.detach().numpy(), linear.weight.detach().numpy())


def test_folding_a_model_leaves_the_model_alone_and_only_folds_pairs(rng):
    model = nn.Sequential(
        nn.BatchNorm1d(3), nn.Linear(3, 4, rng=rng), nn.BatchNorm1d(4), nn.BatchNorm1d(4), nn.Tanh(),
        nn.Sequential(nn.Linear(4, 5, bias=False, rng=rng), nn.BatchNorm1d(5)), nn.LayerNorm(5),
    )  # fmt: skip
    with_random_numbers(model, rng).train()
    before = model.state_dict()
    folded = nn.fold(model)
    assert not folded.training
    kinds = [type(layer) for layer in folded.layers]
    assert kinds == [nn.BatchNorm1d, nn.Linear, nn.Tanh, nn.Sequential, nn.LayerNorm]
    assert [type(layer) for layer in folded[3].layers] == [nn.Linear]
    x = Tensor(rng.standard_normal((9, 3)).astype(np.float32))
    assert_allclose(folded(x).detach().numpy(), model.eval()(x).detach().numpy(), rtol=1e-5, atol=1e-5)
    for name, array in model.state_dict().items():
        assert_array_equal(array, before[name])
    assert len(model) == 7


def test_folding_needs_as_many_channels_as_outputs(rng):
    with pytest.raises(
        ShapeError, match=r"as many channels as the linear layer has outputs, 4; got BatchNorm1d\(5\)"
    ) as error:
        nn.fold_batch_norm(nn.Linear(3, 4, rng=rng), nn.BatchNorm1d(5))
    assert "\n" not in str(error.value)
