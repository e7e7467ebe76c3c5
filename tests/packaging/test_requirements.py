"""The dependencies that pyproject.toml declares: a lowest version each, and no claim on a user's own PyTorch."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from scripts.minimum_versions import exact, requirements

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("extras", [[], *([extra] for extra in PROJECT["optional-dependencies"])])
def test_every_dependency_has_a_lowest_version(extras):
    for requirement in requirements(extras):
        name, _, version = exact(requirement).partition("==")
        assert Requirement(requirement).name == name
        assert Requirement(requirement).specifier.contains(version)


@pytest.mark.parametrize("requirement", ["numpy", "numpy>=2,<3", "numpy~=2.0", "numpy[all]>=2"])
def test_a_dependency_without_one_is_refused(requirement):
    with pytest.raises(ValueError, match="a dependency must be"):
        exact(requirement)


@pytest.mark.parametrize("installed", ["2.3.0", "2.5.1+cu124", "2.13.0+cpu", "2.14.1", "2.15.0.dev20260101+cu130"])
def test_the_extra_keeps_a_users_own_pytorch(installed):
    (torch,) = PROJECT["optional-dependencies"]["torch"]
    assert Requirement(torch).specifier.contains(installed, prereleases=True)


def test_development_pins_pytorch():
    (torch,) = [one for one in PROJECT["optional-dependencies"]["dev"] if Requirement(one).name == "torch"]
    assert torch.startswith("torch==")
