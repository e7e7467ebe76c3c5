"""Every layer of `backlight.nn` says on its class what it does: without that, no health check knows of it."""

import importlib
import pkgutil
from typing import get_args

import numpy as np
import pytest

from backlight import nn
from backlight.gradcheck.layer_cases import CASES
from backlight.nn import Module
from backlight.nn.kind import OTHER, Kind, Role

DIRECTIONS = (
    "Write `layer_kind = Kind(ROLE, settings=(...))` in its body: backlight/nn/kind.py says what the entries mean, and "
    "`settings` names the attributes that a health check may ask for, such as eps or a kernel's size. A role that is "
    "not in `Role` yet goes there, and into the checks of backlight/health/checks that should know of it."
)


def layer_classes() -> list[type[Module]]:
    modules = [importlib.import_module(f"backlight.nn.{one.name}") for one in pkgutil.iter_modules(nn.__path__)]
    found = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    layers = {one for one in found if issubclass(one, Module)}
    bases = {base for one in layers for base in one.__mro__[1:]}
    return sorted(layers - bases, key=lambda one: one.__name__)


@pytest.mark.parametrize("layer", layer_classes(), ids=lambda layer: layer.__name__)
def test_a_layer_says_what_it_does(layer: type[Module]) -> None:
    kind = layer.layer_kind
    assert isinstance(kind, Kind), f"{layer.__name__}.layer_kind is {kind!r}. {DIRECTIONS}"
    assert kind is not OTHER, f"{layer.__name__} has no layer_kind. {DIRECTIONS}"
    assert kind.role in get_args(Role), f"{layer.__name__}.layer_kind has the role {kind.role!r}. {DIRECTIONS}"


def test_the_settings_of_a_layer_are_attributes_of_it(rng: np.random.Generator) -> None:
    found = [module for case in CASES for _, module in case.layer(rng).named_modules()]
    trained = [one for one in layer_classes() if one.__module__ != "backlight.nn.compact"]  # those have no gradient
    without_case = {one.__name__ for one in trained} - {type(one).__name__ for one in found}
    assert not without_case, f"{sorted(without_case)} have no case in backlight/gradcheck/layer_cases.py. Add one."
    for module in found:
        for name in module.layer_kind.settings:
            assert hasattr(module, name), (
                f"{type(module).__name__}.layer_kind names the setting {name!r}, which is no attribute of the layer. "
                f"Rename it there too. {DIRECTIONS}"
            )
