"""microgpt: a GPT made of single numbers, against the same script with the class of numbers that it has in CPython.

The script is `tests/oracle/microgpt/names_gpt.py`: the calls of A. Karpathy's microgpt (2026), 4,192 parameters. A
step is a forward pass, a backward pass and a step of Adam. Backlight's sides are:

    import changed       `from backlight import Value` in place of the class, and nothing else
    decorator            besides, `@replayed` above the function that returns the loss of a name
    decorator and Adam   besides, `ScalarAdam` in place of the loop over the parameters
    batches of 32        `batched` in place of `replayed`: 32 names of a length at once; the time is that of one name
"""

import sys
import tempfile
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from itertools import cycle
from pathlib import Path
from types import ModuleType

import numpy as np

from backlight.core.threads import limit_threads
from backlight.optim import ScalarAdam
from backlight.text import load_corpus
from benchmarks.harness import Comparison, compare, save

SCRIPT = Path(__file__).parent.parent / "tests" / "oracle" / "microgpt" / "names_gpt.py"
PEER = "names_gpt.py in CPython"
LETTERS = 6
"""All names that are timed have this many letters, so that all steps do the same work."""

STEPS = 1000
BATCH = 32
OURS = "from backlight import Value\nfrom backlight.autograd import replayed, batched\n"
Step = Callable[[int], None]


def script(folder: Path, name: str, changes: dict[str, str]) -> ModuleType:
    """Return the script as a module, with some lines replaced.

    Args:
        folder: where the changed script, and the names, are written.
        name: of the module.
        changes: the new text for each old one, each of which occurs.
    """
    source = SCRIPT.read_text()
    for old, new in changes.items():
        assert old in source
        source = source.replace(old, new)
    names = [name for name in load_corpus("names").items if name.isascii() and name.isalpha() and name.islower()]
    (folder / "names.txt").write_text("\n".join(names))
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    before = sys.argv
    sys.argv = [str(path), str(folder / "names.txt"), str(STEPS)]
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.argv = before
        sys.path.remove(str(SCRIPT.parent))
    return module


def stepping(module: ModuleType, losses: list[float], *, flat: bool = False, batch: int = 1) -> Step:
    """Return a training step of a script.

    Args:
        module: the script.
        losses: the list to which each loss is appended.
        flat: whether Adam is `ScalarAdam` rather than the script's loop.
        batch: names a step; above 1 the script's loss is `batched`.
    """
    names = cycle([module.tokens_of(name) for name in module.names if len(name) == LETTERS])
    betas = module.BETA_1, module.BETA_2
    adam = ScalarAdam(module.parameters, betas=betas, eps=module.EPSILON) if flat else None

    def step(number: int) -> None:
        if batch > 1:
            found = module.name_loss(np.array([next(names) for _ in range(batch)]))
            module.name_loss.backward(1 / batch)
            losses.append(float(found.mean()))
        else:
            loss = module.name_loss(next(names))
            loss.backward()
            losses.append(loss.data)
        if adam is not None:
            adam.lr = module.RATE * (1 - number / STEPS)
            adam.step()
        else:
            module.adam(number)

    return step


def main() -> None:
    """Measure the four ways, and check that the losses of one name a step are equal."""
    results: list[Comparison] = []
    with tempfile.TemporaryDirectory() as name, limit_threads(1):
        folder = Path(name)
        ways = {
            "import changed": ("", False, 1, 5, 6),
            "decorator": ("@replayed\n", False, 1, 20, 20),
            "decorator and Adam": ("@replayed\n", True, 1, 150, 60),
            f"batches of {BATCH}, a name": ("@batched\n", True, BATCH, 1000, 30),
        }
        for way, (decorator, flat, batch, at_least, our_steps) in ways.items():
            plain = script(folder, "plain", {"from backlight import Value": "from plain_value import Value"})
            changed = {"from backlight import Value\n": OURS, "def name_loss": f"{decorator}def name_loss"}
            ours = script(folder, "ours", changed)
            our_losses: list[float] = []
            their_losses: list[float] = []
            step = stepping(ours, our_losses, flat=flat, batch=batch)
            found = compare(
                f"microgpt, {way}", PEER, step, stepping(plain, their_losses), threads=1, at_least=at_least,
                steps=2, our_steps=our_steps, blocks=5, warm_up=2,
            )  # fmt: skip
            results.append(found if batch == 1 else per_name(found, batch))
            if batch == 1:
                shared = min(len(our_losses), len(their_losses))
                apart = np.abs(np.array(our_losses[:shared]) - np.array(their_losses[:shared])).max()
                assert apart < 1e-9, f"{way}: the two sides must do the same work; their losses are {apart:.2g} apart"
    save("microgpt", results)


def per_name(found: Comparison, batch: int) -> Comparison:
    """Return the comparison of a step of one name with a share of a step of several."""
    fields = {name: getattr(found, name) for name in ("claim", "peer", "threads", "theirs", "at_least")}
    ratios = {name: batch * getattr(found, name) for name in ("ratio", "lowest", "highest")}
    return Comparison(**fields, **ratios, ours=found.ours / batch)


if __name__ == "__main__":
    main()
