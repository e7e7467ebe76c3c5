"""Whole networks beside their twins in PyTorch: logits, loss, gradients, 200 steps of training; and the twins' book."""

import copy
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tests.oracle.training import next_characters, train_both

from backlight import nn
from backlight.autograd import Tensor
from backlight.core import NOT_A_TARGET, BacklightError, Batch, ConfigError
from backlight.gradcheck.model_cases import CASES, ModelCase, random_batch
from backlight.models.mlp import MLP, MLPConfig
from backlight.models.neural import NeuralModel
from backlight.pytorch import TORCH_MODULES, copy_weights, gradients_of, loss_of, to_torch, weight_map, weights_of

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def mlp(**sizes) -> Callable[[np.random.Generator], NeuralModel]:
    sizes = {"vocabulary_size": 11, "context": 8, "embedding": 5, "hidden": (20,)} | sizes
    return lambda rng: MLP(MLPConfig(**sizes), rng=rng)


def run(case: ModelCase, rng: np.random.Generator) -> tuple[NeuralModel, torch.nn.Module, Batch]:
    model = case.make(rng)
    return model, to_torch(model), case.batch(model, rng)


def gradients(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: p.grad.detach().numpy() for name, p in model.named_parameters() if p.grad is not None}


def assert_same_gradients(model: nn.Module, twin: torch.nn.Module) -> None:
    mine, theirs = gradients(model), gradients_of(twin)
    assert mine.keys() == theirs.keys() == dict(model.named_parameters()).keys()
    for name in mine:
        assert_allclose(mine[name], theirs[name], **TIGHT, err_msg=name)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_logits_and_their_gradients_match_the_twin(case, training, rng):
    model, twin, batch = run(case, rng)
    model.train(training)
    twin.train(training)
    logits, theirs = model(batch.x), twin(torch.from_numpy(batch.x))
    assert_allclose(logits.detach().numpy(), theirs.detach().numpy(), **TIGHT)
    dlogits = rng.standard_normal(logits.shape)
    logits.backward(dlogits)
    theirs.backward(torch.from_numpy(dlogits))
    assert_same_gradients(model, twin)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_loss_and_its_gradients_match_the_twin(case, rng):
    model, twin, batch = run(case, rng)
    loss, theirs = model.loss(batch), loss_of(twin, batch)
    assert_allclose(loss.item(), theirs.item(), **TIGHT)
    loss.backward()
    theirs.backward()
    assert_same_gradients(model, twin)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_scores_match_the_twin(case, rng):
    model, twin, batch = run(case, rng)
    y = batch.y.copy()
    y[0] = NOT_A_TARGET
    logits = twin(torch.from_numpy(batch.x)).detach()
    theirs = torch.nn.functional.cross_entropy(
        logits.reshape(y.size, -1), torch.from_numpy(y.reshape(-1)), ignore_index=NOT_A_TARGET, reduction="none"
    )
    assert_allclose(model.nll(batch.x, y), theirs.detach().numpy().reshape(y.shape), **TIGHT)
    last = logits if model.reads == "windows" else logits[:, -1]
    assert_allclose(model.next_logits(batch.x), last.detach().numpy(), **TIGHT)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_match_central_differences(case, rng):
    model, _, batch = run(case, rng)
    model.loss(batch).backward()
    direction = {name: rng.standard_normal(p.shape) for name, p in model.named_parameters()}
    slope = sum(np.sum(p.grad.detach().numpy() * direction[name]) for name, p in model.named_parameters())
    weights, h = model.state_dict(), 1e-6
    model.load_state_dict({name: array + h * direction.get(name, 0) for name, array in weights.items()})
    above = model.loss(batch).item()
    model.load_state_dict({name: array - h * direction.get(name, 0) for name, array in weights.items()})
    assert_allclose(slope, (above - model.loss(batch).item()) / (2 * h), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", [case for case in CASES if case.batch_size == 7], ids=str)
def test_gradients_add_up_over_two_batches_as_in_torch(case, rng):
    model, twin, first = run(case, rng)
    for batch in (first, random_batch(model, 5, rng)):
        model.loss(batch).backward()
        loss_of(twin, batch).backward()
    assert_same_gradients(model, twin)


@pytest.mark.parametrize("direct", [False, True])
def test_200_steps_of_training_in_float32_give_the_losses_of_the_twin(direct, rng):
    model = MLP(MLPConfig(vocabulary_size=27, context=3, embedding=10, hidden=(64,), direct=direct), rng=rng)
    losses, their_losses, _ = train_both(model, next_characters(3, rng))
    assert losses[0] == pytest.approx(np.log(27), rel=0.1)
    assert np.mean(losses[-20:]) < 1.7  # it learnt: ln 27 is 3.3, and ln 3, the best there is, 1.1
    assert_allclose(losses, their_losses, rtol=0, atol=1e-3)


# -- the twins themselves ----------------------------------------------------------------------------------------------


def test_every_model_has_a_case(rng):
    covered = {type(module) for case in CASES for _, module in case.build(rng).named_modules()}
    covered = {cls for cls in covered if cls.__module__.startswith("backlight.models")}
    assert covered == {cls for cls in TORCH_MODULES if cls.__module__.startswith("backlight.models")}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_twin_has_the_same_weights_of_the_same_dtype(case, dtype, rng):
    model = case.build(rng).to(dtype)
    weights = weights_of(to_torch(model))
    assert list(weights) == list(model.state_dict())
    for name, array in model.state_dict().items():
        assert weights[name].dtype == dtype
        assert_array_equal(weights[name], array)


def test_linear_is_transposed_and_embedding_is_not(rng):
    links = {link.ours: link for link in weight_map(to_torch(mlp(direct=True)(rng)))}
    assert {name for name, link in links.items() if link.transposed} == {
        "hidden.0.weight", "output.weight", "direct.weight",
    }  # fmt: skip
    assert links["hidden.0.weight"].theirs == "hidden.0.weight"


def test_twin_is_made_of_pytorchs_own_layers(rng):
    kinds = [type(module) for module in to_torch(mlp()(rng)).hidden]
    assert kinds == [torch.nn.Linear, torch.nn.Tanh]


def test_twin_shares_nothing_with_ours(rng):
    model = mlp()(rng)
    twin = to_torch(model)
    before = model.state_dict()
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1)
    for name, array in model.state_dict().items():
        assert_array_equal(array, before[name])
    gradients = weights_of(twin)
    gradients["output.bias"][...] = 7
    assert not (weights_of(twin)["output.bias"] == 7).any()


def test_weights_go_there_and_back(rng):
    model, other = mlp(direct=True)(rng), mlp(direct=True)(rng)
    twin = to_torch(other)
    copy_weights(model, twin)
    other.load_state_dict(weights_of(twin))
    x = rng.integers(0, 11, (3, 8))
    assert_array_equal(other(x).detach().numpy(), model(x).detach().numpy())
    assert_allclose(twin(torch.from_numpy(x)).detach().numpy(), model(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_weights_of_another_model_are_refused_in_one_line(rng):
    twin = to_torch(mlp(hidden=(7,))(rng))
    with pytest.raises(ConfigError, match=r"of the same model; these weights differ: hidden\.0\.bias,") as wrong_shape:
        copy_weights(mlp(hidden=(9,))(rng), twin)
    with pytest.raises(ConfigError, match=r"differ: direct\.weight\."):
        copy_weights(mlp(hidden=(7,), direct=True)(rng), twin)
    assert "\n" not in str(wrong_shape.value)


def test_unreached_parameters_have_no_gradient(rng):
    class Half(nn.Sequential):
        def forward(self, x):
            return self.layers[0](x)

    model = Half(nn.Linear(3, 2, rng=rng), nn.Linear(3, 2, rng=rng))
    twin = to_torch(nn.Sequential(*model.layers))
    model(Tensor(np.ones((2, 3), np.float32))).sum().backward()
    twin[0](torch.ones(2, 3)).sum().backward()
    assert gradients(model).keys() == gradients_of(twin).keys() == {"0.weight", "0.bias"}


def test_sharing_is_kept(rng):
    layer = nn.Linear(3, 3, rng=rng)
    twin = to_torch(nn.Sequential(layer, nn.Tanh(), layer))
    assert twin[0] is twin[2]
    other = nn.Linear(3, 3, rng=rng)
    other.weight = layer.weight
    twin = to_torch(nn.Sequential(layer, nn.Tanh(), other))
    assert twin[0].weight is twin[2].weight
    assert twin[0].bias is not twin[2].bias


def test_weight_shared_by_layers_of_different_layout_is_refused(rng):
    layer, table = nn.Linear(3, 3, rng=rng), nn.Embedding(3, 3, rng=rng)
    layer.weight = table.weight
    with pytest.raises(ConfigError, match="the same layout in all layers; got weight of Linear") as error:
        to_torch(nn.Sequential(table, layer))
    assert "\n" not in str(error.value)


def test_mode_is_kept_layer_by_layer(rng):
    model = nn.Sequential(nn.Linear(3, 3, rng=rng), nn.Sequential(nn.Tanh(), nn.ReLU())).eval()
    assert not any(module.training for module in to_torch(model).modules())
    model.train()
    model.layers[1].layers[0].eval()
    twin = to_torch(model)
    assert [twin.training, twin[0].training, twin[1].training, twin[1][0].training, twin[1][1].training] == [
        True, True, True, False, True,
    ]  # fmt: skip


def test_deep_copy_of_a_twin_is_a_twin(rng):
    model = mlp()(rng)
    twin = copy.deepcopy(to_torch(model))
    loss_of(twin, random_batch(model, 3, rng)).backward()
    assert gradients_of(twin).keys() == model.state_dict().keys()


def test_global_random_numbers_of_torch_are_left_alone(rng):
    before = torch.get_rng_state()
    to_torch(mlp()(rng))
    assert torch.equal(torch.get_rng_state(), before)


class Unheard(nn.Tanh):
    """A subclass, which may compute something else than its parent."""


def test_unknown_module_is_one_clear_line():
    with pytest.raises(BacklightError, match=r"to_torch\(\) supports .*Linear.*; got a Unheard") as error:
        to_torch(nn.Sequential(nn.Tanh(), Unheard()))
    assert "\n" not in str(error.value)


def test_module_that_is_no_twin_is_one_clear_line():
    with pytest.raises(BacklightError, match=r"must come from to_torch\(\); got a Linear") as error:
        gradients_of(torch.nn.Linear(2, 2))
    assert "\n" not in str(error.value)


def test_without_torch_importing_twins_says_what_to_install():
    code = """
import sys
from importlib.machinery import PathFinder

class NoTorch(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "torch" else super().find_spec(name, path, target)

sys.meta_path = [NoTorch if finder is PathFinder else finder for finder in sys.meta_path]
import backlight.models.mlp
from backlight.core import BacklightError
try:
    import backlight.pytorch
except ImportError as error:
    assert isinstance(error, BacklightError)
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "pip install 'backlight[torch]'" in done.stdout
