"""A GPT made of Values: the same losses, gradients and names as with CPython's own class, whichever way it is run."""

import random
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from numpy.testing import assert_allclose

from backlight.autograd import batched, replayed
from backlight.optim import ScalarAdam

FOLDER = Path(__file__).parent / "microgpt"
NAMES = ["ada", "bob", "eve", "abe", "dee", "cody"]


def script(folder: Path, *, plain: bool = False) -> ModuleType:
    """The script with eight letters; `plain` with the class of CPython code in place of Backlight's."""
    source = (FOLDER / "names_gpt.py").read_text()
    if plain:
        source = source.replace("from backlight import Value", "from plain_value import Value")
    (folder / "names.txt").write_text("\n".join(NAMES))
    path = folder / f"names_gpt_{'plain' if plain else 'ours'}.py"
    path.write_text(source)
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(path), str(folder / "names.txt"), "100"])
        patch.syspath_prepend(str(FOLDER))
        spec.loader.exec_module(module)
    return module


def train(module: ModuleType, steps: int) -> list[float]:
    losses = []
    for step in range(steps):
        loss = module.name_loss(module.tokens_of(module.names[step % len(module.names)]))
        loss.backward()
        module.adam(step)
        losses.append(loss.data)
    return losses


def gradients(module: ModuleType) -> list[float]:
    return [p.grad for p in module.parameters]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    module = script(tmp_path_factory.mktemp("plain"), plain=True)
    losses = train(module, 7)
    random.seed(7)
    return {
        "losses": losses,
        "weights": [p.data for p in module.parameters],
        "sampled": [module.sample(0.5), module.sample(2)],
    }


@pytest.mark.parametrize("way", ["import changed", "replayed", "replayed and ScalarAdam"])
def test_losses_weights_and_names_are_those_of_cpythons_class(
    way: str, oracle: dict[str, object], tmp_path: Path
) -> None:
    module = script(tmp_path)
    if way != "import changed":
        module.name_loss = replayed(module.name_loss)
    if way == "replayed and ScalarAdam":
        adam = ScalarAdam(module.parameters, betas=(0.85, 0.99))

        def step(number: int) -> None:
            adam.lr = 0.01 * (1 - number / 100)
            adam.step()

        module.adam = step
    assert_allclose(train(module, 7), oracle["losses"], rtol=1e-12)
    assert_allclose([p.data for p in module.parameters], oracle["weights"], rtol=0, atol=1e-9)
    random.seed(7)
    assert [module.sample(0.5), module.sample(2)] == oracle["sampled"]


def test_a_batch_of_names_has_the_sum_of_their_gradients(tmp_path: Path) -> None:
    module = script(tmp_path)
    names = [name for name in NAMES if len(name) == 3]
    losses = []
    for name in names:
        loss = module.name_loss(module.tokens_of(name))
        loss.backward()
        losses.append(loss.data)
    expected = gradients(module)
    for p in module.parameters:
        p.zero_grad()
    run = batched(module.name_loss)
    assert_allclose(run([module.tokens_of(name) for name in names]), losses, rtol=1e-13)
    run.backward()
    assert_allclose(gradients(module), expected, rtol=1e-10, atol=1e-14)
    # a letter that the first names did not have, and other weights
    module.parameters[3].data = 0.5
    assert_allclose(run([module.tokens_of("cab")])[0], module.name_loss(module.tokens_of("cab")).data, rtol=1e-13)


def test_without_a_compiler_everything_is_the_same(oracle: dict[str, object], tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import test_microgpt as t\n"
        "from backlight.autograd import replayed; from backlight.autograd.number import compiled\n"
        "assert compiled is None\n"
        "module = t.script(pathlib.Path(sys.argv[2])); module.name_loss = replayed(module.name_loss)\n"
        "print(t.train(module, 3))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(FOLDER.parent), str(tmp_path)],
        capture_output=True, text=True, check=True, env={"BACKLIGHT_NATIVE": "0", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert_allclose([float(loss) for loss in run.stdout.strip("[]\n").split(",")], oracle["losses"][:3], rtol=1e-12)  # type: ignore[index]


def test_functions_are_recorded_likewise_without_a_compiler() -> None:
    """The tests of recording once more, with the class in Python."""
    folder = Path(__file__).parents[1] / "unit" / "autograd"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(folder / "test_recording.py"),
         str(folder / "test_batched.py"), "-k", "numpy and (ops or refused or index or data or keeps)"],
        env={"BACKLIGHT_NATIVE": "0", "PATH": "/usr/bin:/bin", "HOME": str(folder)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:]
