"""The package as a whole: imports go one way, a name means one thing, and what is new is complete."""

import ast
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import backlight
from backlight import models, nn
from backlight.autograd import Op, ops
from backlight.cli.commands import COMMANDS
from backlight.gradcheck import layer_cases, op_cases
from backlight.health import checks
from backlight.health.check import checks_in
from backlight.lessons.catalogue import LESSONS
from backlight.lessons.exercises import EXERCISES
from backlight.nn.kind import OTHER

SOURCE = Path(backlight.__file__).parent


def modules() -> dict[str, ast.Module]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Yield what a module imports from this package, under TYPE_CHECKING and inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in known else node.module for name in whole)


def test_no_module_imports_itself_by_way_of_others() -> None:
    trees = modules()
    graph = {name: set(imported(tree, set(trees))) - {name} for name, tree in trees.items()}
    assert len(graph) > 200
    assert any(graph.values())
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise AssertionError(f"imports go one way, but {circle}. Move what both need into a module below.") from error


def test_a_class_name_has_one_meaning() -> None:
    """A search for `class Step` has one answer. An op and its layer may share a name, as in PyTorch.

    Torchlike has PyTorch's names: its `Linear` and `AdamW` are those of `nn` and `optim` under PyTorch's signatures.
    """
    shared = {"MLP", "Histogram", "End", "Layout", "Block", "Trainer", "_Runs"}  # each in two packages that never meet
    # lessons build the classes that there are; torch_model.py is copied into a folder, where it stands alone
    apart = (
        "backlight.autograd.ops.", "backlight.lessons.sources.", "backlight.torchlike.", "backlight.export.torch_model",
    )  # fmt: skip
    places: dict[str, list[str]] = {}
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not module.startswith(apart):
                places.setdefault(node.name, []).append(module)
    several = {name: found for name, found in places.items() if len(found) > 1 and name not in shared}
    assert not several, f"these classes have the same name and different meanings; rename all but one: {several}"


def own_classes(package: ModuleType, base: type) -> list[type]:
    """Return the classes of a package that are made from a base and that nothing else there is made from."""
    files = [
        importlib.import_module(f"{package.__name__}.{name}") for _, name, _ in pkgutil.iter_modules(package.__path__)
    ]
    things = [
        thing for file in files for thing in vars(file).values() if getattr(thing, "__module__", "") == file.__name__
    ]
    found = [thing for thing in things if isinstance(thing, type) and issubclass(thing, base)]
    return [one for one in found if not any(issubclass(other, one) and other is not one for other in found)]


UNTRAINED = "backlight.nn.compact"
"""Its layers have no gradient that could be checked: `tests/unit/nn/test_compact.py` tests what they compute."""
LAYERS = [one for one in own_classes(nn, nn.Module) if one is not nn.Module and one.__module__ != UNTRAINED]
OPERATIONS = own_classes(ops, Op)
CASED = {type(case.layer(np.random.default_rng(0))) for case in layer_cases.CASES}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_a_layer_is_exported_and_checked(layer: type[nn.Module]) -> None:
    """A new layer is four places: its file, nn/__init__.py, a case, and its form in PyTorch."""
    name = layer.__name__
    assert name in nn.__all__, f"import {name} in nn/__init__.py and list it in __all__"
    assert layer.layer_kind is not OTHER, f"say what {name} does: layer_kind = Kind(...), for whoever watches it"
    assert layer in CASED, f"add a line for {name} to CASES in gradcheck/layer_cases.py"
    if importlib.util.find_spec("torch"):
        from backlight.pytorch import TORCH_MODULES

        assert layer in TORCH_MODULES, f"add a line for {name} to LAYERS in pytorch/layers.py"


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: op.__name__)
def test_an_op_is_exported_and_checked(op: type[Op]) -> None:
    """A new op is five places: its file, ops/__init__.py, a case, PyTorch's function, and a tensor's method."""
    name = op.__name__
    assert name in ops.__all__, f"import {name} in autograd/ops/__init__.py and list it in __all__"
    assert any(case.op == op.name for case in op_cases.CASES), f"add a line for {op.name!r} to gradcheck/op_cases.py"
    if importlib.util.find_spec("torch"):
        from backlight.pytorch.ops import TORCH_OPS

        assert op.name in TORCH_OPS, f"add PyTorch's function for {op.name!r} to TORCH_OPS in pytorch/ops.py"


@pytest.mark.parametrize("model", own_classes(models, nn.Module), ids=lambda model: model.__name__)
def test_a_network_has_its_form_in_pytorch(model: type) -> None:
    torch_side = pytest.importorskip("backlight.pytorch")
    assert model in torch_side.TORCH_MODULES, f"add {model.__name__} to MODELS in pytorch/models.py"


def in_folder(package: ModuleType) -> Iterator[ModuleType]:
    """Import and yield every module of a package."""
    for one in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(one.name)


def test_every_file_of_checks_is_listed() -> None:
    for module in in_folder(checks):
        for check in checks_in(module):
            place = f"add {module.__name__.rpartition('.')[2]} to _MODULES of health/checks/__init__.py"
            assert check in checks.CHECKS, f"{check.name!r} is never run: {place}"


def test_every_command_is_listed() -> None:
    for module in in_folder(importlib.import_module("backlight.cli")):
        name = module.__name__.rpartition(".")[2]
        if name != "app" and (hasattr(module, "app") or hasattr(module, name)):
            assert name.rstrip("_").replace("_", "-") in COMMANDS, f"list cli/{name}.py in COMMANDS of cli/commands.py"


def test_every_lesson_and_its_exercises_are_listed() -> None:
    folder = SOURCE / "lessons"
    assert {lesson.name for lesson in LESSONS.values()} == {
        path.stem for path in (folder / "sources").glob("lesson_*.py")
    }, "LESSONS of lessons/catalogue.py lists every file of lessons/sources"
    with_exercises = {f"lesson_{exercise.lesson}" for exercise in EXERCISES.values()}
    assert with_exercises == {path.stem for path in (folder / "exercises").glob("lesson_*.py")}, (
        "_LESSONS of lessons/exercises/__init__.py lists every file lesson_N.py beside it"
    )
