"""Every model of the table is whole: what handles models finds all that it needs."""

import numpy as np
import pytest

from backlight.core import ConfigError
from backlight.core.settings import settings_in
from backlight.gradcheck import model_cases
from backlight.models import MODELS, MLPConfig, ModelConfig, ModelSpec, mlp, model_spec, register_model
from backlight.pytorch import TORCH_MODULES
from backlight.training import TrainConfig


def missing(spec: ModelSpec) -> list[str]:
    """Return what still has to be written for a model, and in which file."""
    if spec.counted:
        return []
    model = spec.build(spec.configure({"vocabulary_size": 11}), np.random.default_rng(0))
    cases = [case for case in model_cases.CASES if case.model == spec.name]
    directions = []
    if type(model) not in TORCH_MODULES:
        where = "MODELS in src/backlight/pytorch/models.py"
        directions.append(f"{spec.name} has no PyTorch reference: add {type(model).__name__} to {where}")
    if spec.name not in model_cases.SMALL or not cases:
        where = "SMALL, and cases to CASES, in src/backlight/gradcheck/model_cases.py"
        directions.append(f"gradcheck does not know {spec.name}: add a small size to {where}")
    return directions


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_reference_and_gradient_checks(name: str) -> None:
    directions = missing(MODELS[name])
    assert not directions, "\n".join(directions)


@pytest.mark.parametrize("name", MODELS)
def test_every_setting_of_a_model_explains_itself(name: str) -> None:
    spec = MODELS[name]
    assert issubclass(spec.config, ModelConfig)
    assert set(settings_in(spec.config)) == set(spec.settings), "a setting is made by core.settings.setting(help, ...)"
    assert all(about.help.endswith(".") for _, _, about in settings_in(spec.config).values())
    if not spec.counted:
        assert TrainConfig.of(name).steps > 0


class Ring(mlp.MLP):
    """A class that PyTorch's side does not know."""


SPEC = ModelSpec(
    name="ring", summary="made for this test", config=MLPConfig,
    build=lambda config, rng: Ring(config, rng=rng), train={"steps": 2, "batch_size": 4, "lr": 0.1},
)  # fmt: skip


def test_what_is_forgotten_is_said_with_the_file_to_edit() -> None:
    found = "\n".join(missing(SPEC))
    assert "add Ring to MODELS in src/backlight/pytorch/models.py" in found
    assert "src/backlight/gradcheck/model_cases.py" in found


def test_a_model_of_ones_own_is_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, spec in list(MODELS.items()):  # put back afterwards
        monkeypatch.setitem(MODELS, name, spec)
    monkeypatch.setitem(MODELS, "ring", SPEC)
    monkeypatch.delitem(MODELS, "ring")
    register_model(SPEC)
    assert model_spec("ring") is SPEC
    with pytest.raises(ConfigError, match="there is a 'ring' already"):
        register_model(SPEC)
    del MODELS["ring"]


def test_a_model_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match="there is no model 'rin'"):
        model_spec("rin")


@pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if not spec.counted])
def test_a_setting_of_the_wrong_type_is_named(name: str) -> None:
    for setting in MODELS[name].settings:
        with pytest.raises(ConfigError, match=f"{setting} must be") as error:
            MODELS[name].configure({"vocabulary_size": 9, setting: "x"})
        assert "\n" not in str(error.value)
