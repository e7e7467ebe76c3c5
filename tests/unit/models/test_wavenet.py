"""WaveNet: its sizes, its equality with dilated causal convolutions, its batch norm in odd places; and the MLP's."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.core import Batch, ConfigError, ShapeError
from backlight.models import MLP, MLPConfig, WaveNet, WaveNetConfig, model_spec
from backlight.nn import BatchNorm1d, Linear, Tanh, fold, update_bn
from backlight.optim import AdamW
from backlight.text import Vocabulary, Windows


def small(rng, **sizes):
    return WaveNet(WaveNetConfig(**{"vocabulary_size": 7, "embedding": 3, "hidden": 5} | sizes), rng=rng)


def small_mlp(rng, **sizes):
    settings = {"vocabulary_size": 7, "context": 3, "embedding": 2, "hidden": (5,), "batch_norm": True} | sizes
    return MLP(MLPConfig(**settings), rng=rng)


def with_random_numbers(model, rng):
    for parameter in model.parameters():
        parameter.array[...] = rng.standard_normal(parameter.shape)
    for name, buffer in model.named_buffers():
        drawn = rng.standard_normal(buffer.shape)
        buffer.array[...] = drawn**2 + 0.5 if name.endswith("var") else drawn
    return model


def batch_of(model, size, rng):
    ids = rng.integers(0, model.vocabulary_size, (size, model.context + 1))
    return Batch(ids[:, :-1], ids[:, -1])


# -- sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ({"embedding": 10, "hidden": 68}, 22_397),  # lecture 6's counts
        ({"embedding": 24, "hidden": 128}, 76_579),
        ({}, 180_291),
        ({"context": 2, "embedding": 1, "hidden": 1}, 27 + 2 + 2 + 27 + 27),
    ],
)
def test_wavenet_parameter_count(sizes, count, rng):
    assert WaveNet(WaveNetConfig(vocabulary_size=27, **sizes), rng=rng).num_parameters() == count


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ({"context": 3, "embedding": 10, "hidden": (200,)}, 12_097),  # lecture 4's and 6's counts
        ({"context": 8, "embedding": 10, "hidden": (200,)}, 22_097),
        ({"context": 3, "embedding": 10, "hidden": (100,) * 5}, 270 + 3_000 + 4 * 10_000 + 5 * 200 + 2_727),
    ],
)
def test_mlp_with_batch_norm_parameter_count(sizes, count, rng):
    assert MLP(MLPConfig(vocabulary_size=27, batch_norm=True, **sizes), rng=rng).num_parameters() == count


@pytest.mark.parametrize(("context", "levels"), [(2, 1), (4, 2), (8, 3), (32, 5)])
def test_each_doubling_of_the_context_is_a_level(context, levels, rng):
    model = small(rng, context=context)
    assert model.config.levels == levels
    assert sum(isinstance(layer, BatchNorm1d) for layer in model.hidden.layers) == levels
    assert model(np.zeros((3, context), int)).shape == (3, 7)


def test_mlp_normalises_before_each_tanh_and_has_no_bias_there(rng):
    model = small_mlp(rng, hidden=(5, 4))
    assert [type(layer) for layer in model.hidden.layers] == [Linear, BatchNorm1d, Tanh] * 2
    assert all(layer.bias is None for layer in model.hidden.layers if isinstance(layer, Linear))
    assert model.output.bias is not None


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"context": 6}, "context must be a power of 2, since each level joins pairs; got 6. Try 4 or 8"),
        ({"context": 1}, "power of 2, .*; got 1. Try 2"),
        ({"context": 0}, "context must be from 1 to .*; got 0"),
        ({"embedding": 0}, "embedding must be from 1 to .*; got 0"),
        ({"hidden": -3}, "hidden must be from 1 to .*; got -3"),
        ({"vocabulary_size": 1}, "the boundary and one character; got 1"),
    ],
)
def test_sizes_out_of_range_are_one_line(wrong, rule):
    with pytest.raises(ConfigError, match=rule) as error:
        WaveNetConfig(**{"vocabulary_size": 7} | wrong)
    assert "\n" not in str(error.value)


def test_config_goes_through_json():
    config = WaveNetConfig(vocabulary_size=27, context=16, hidden=64)
    assert WaveNetConfig(**json.loads(json.dumps(asdict(config)))) == config


def test_a_list_of_one_will_do_for_a_number():
    assert model_spec("wavenet").configure({"vocabulary_size": 7, "hidden": [5]}).hidden == 5
    with pytest.raises(
        ConfigError, match=r"hidden of wavenet must be one number; got 5, 4\. Give one of them"
    ) as error:
        model_spec("wavenet").configure({"vocabulary_size": 7, "hidden": [5, 4]})
    assert "\n" not in str(error.value)


# -- what it computes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [2, 4, 8, 16])
def test_is_a_stack_of_dilated_causal_convolutions_read_at_the_last_position(context, rng):
    """One convolution a level, kernel 2, dilation 1, 2, 4, ..., run once over a text longer than the context."""
    model = with_random_numbers(small(rng, context=context), rng).to(np.float64).eval()
    text = rng.integers(0, 7, 3 * context + 1)
    h = model.embedding.weight.detach().numpy()[text]
    layers = model.hidden.layers
    for level in range(model.config.levels):
        dilation = 2**level
        left, right = np.split(layers[4 * level + 1].weight.detach().numpy(), 2)  # the kernel's two taps, (C, H) each
        norm = layers[4 * level + 2]
        sums = h[:-dilation] @ left + h[dilation:] @ right  # "valid": each level shortens the text by its dilation
        scale = norm.weight.detach().numpy() / np.sqrt(norm.running_var.detach().numpy() + norm.eps)
        h = np.tanh((sums - norm.running_mean.detach().numpy()) * scale + norm.bias.detach().numpy())
    everywhere = h @ model.output.weight.detach().numpy() + model.output.bias.detach().numpy()

    windows = np.lib.stride_tricks.sliding_window_view(text, context)
    assert_allclose(model(windows).detach().numpy(), everywhere, rtol=1e-10, atol=1e-12)


def test_reads_all_of_its_context(rng):
    model = with_random_numbers(small(rng), rng).eval()
    x = rng.integers(0, 7, (1, 8))
    logits = model(x).detach().numpy()
    for place in range(8):
        other = x.copy()
        other[0, place] = (other[0, place] + 1) % 7
        assert (model(other).detach().numpy() != logits).any()


@pytest.mark.parametrize("place", [0, 7])
def test_guesses_at_first_and_then_learns(place, rng):
    """To repeat the character that came first, or last: the farthest must get through all levels."""
    model = small(rng, hidden=16)
    optimiser = AdamW(model.parameters(), 0.02)
    x = rng.integers(0, 7, (64, 8))
    first = model.loss(Batch(x, x[:, place])).item()
    assert first == pytest.approx(np.log(7), rel=0.05)
    for _ in range(100):
        x = rng.integers(0, 7, (64, 8))
        loss = model.loss(Batch(x, x[:, place]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.2
    x = rng.integers(0, 7, (200, 8))
    assert model.eval().nll(x, x[:, place]).mean() < 0.3


@pytest.mark.parametrize("make", [small, small_mlp])
def test_folded_model_gives_the_same_logits(make, rng):
    model = with_random_numbers(make(rng), rng)
    x = rng.integers(0, 7, (9, model.context))
    folded = fold(model)
    logits = model.eval()(x).detach().numpy()
    assert_allclose(folded(x).detach().numpy(), logits, rtol=1e-6, atol=1e-6 * np.abs(logits).max())
    assert not any(isinstance(module, BatchNorm1d) for _, module in folded.named_modules())
    assert_array_equal(model(x).detach().numpy(), logits)


# -- in odd places -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [small, small_mlp])
def test_a_batch_of_one_is_refused_in_training_and_read_in_evaluation(make, rng):
    model = make(rng)
    batch = batch_of(model, 1, rng)
    with pytest.raises(ShapeError, match="needs at least 2 rows in training mode") as error:
        model.loss(batch)
    assert "\n" not in str(error.value)
    assert np.isfinite(model.eval().loss(batch).item())


@pytest.mark.parametrize("make", [small, small_mlp])
@pytest.mark.parametrize("items", [["a", "aaaa"], ["ab", "b", "c"]], ids=["one character", "short items"])
def test_contexts_longer_than_every_item_and_tiny_vocabularies_work(items, make, rng):
    vocabulary = Vocabulary.of(items)
    model = make(rng, vocabulary_size=vocabulary.size, context=16)
    data = Windows(vocabulary.encode_items(items), model.context)
    loss = model.loss(data.sample(8, rng))
    loss.backward()
    assert np.isfinite(loss.item())
    assert all(np.isfinite(parameter.grad.detach().numpy()).all() for parameter in model.parameters())
    update_bn(model, data.batch(np.arange(len(data))).x)
    assert np.isfinite(model.eval().next_logits(data.sample(8, rng).x)).all()


def test_rows_of_another_length_are_one_line(rng):
    with pytest.raises(ShapeError, match=r"rows of exactly 8 ids, \(B, T\); got an array of shape \(2, 4\)"):
        small(rng).next_logits(np.zeros((2, 4), int))
