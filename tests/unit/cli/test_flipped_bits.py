"""A run with any one bit turned over, in any of its files: used, or refused in words; never a crash."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from backlight.cli.app import app
from backlight.core import BacklightError
from backlight.runs import RunDirectory

FILES = [
    "config.json", "vocabulary.json", "metrics.jsonl", "result.json", "samples.txt", "weights.safetensors",
    "optimiser.safetensors", "seen.safetensors",
]  # fmt: skip
FLIPS = 15
COMMANDS = ["sample {} --novel --count 1 --seed 1", "runs show {}", "runs compare {}", "train --resume {} --samples 0"]


def run(*words: str) -> BaseException | None:
    """Run a command in this process; return what it raised, if that is no ordinary end."""
    result = CliRunner().invoke(app, list(words))
    return None if isinstance(result.exception, SystemExit) else result.exception


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    (folder / "names.txt").write_text("emma\nolivia\nava\nmia\nnoah\nliam\nzoë\n")
    sizes = ["--context", "2", "--embedding", "2", "--hidden", "3", "--batch-size", "4", "--steps", "4"]
    words = ["train", str(folder / "names.txt"), *sizes, "--runs", str(folder), "--name", "run", "--samples", "5"]
    assert run(*words) is None
    return folder / "run"


@pytest.mark.parametrize("name", FILES)
def test_one_bit_turned_over(sound: Path, tmp_path: Path, name: str, rng: np.random.Generator) -> None:
    damaged = tmp_path / "run"
    content = (sound / name).read_bytes()
    refusals = 0
    for place in rng.integers(0, 8 * len(content), FLIPS):
        shutil.copytree(sound, damaged)
        data = bytearray(content)
        data[place // 8] ^= 1 << place % 8
        (damaged / name).write_bytes(data)
        for command in COMMANDS:
            error = run(*command.format(damaged).split())
            assert error is None or isinstance(error, BacklightError), (place, command)
            refusals += error is not None
            if error is not None:
                assert len(str(error).splitlines()) == 1
        shutil.rmtree(damaged)
    if name.endswith("safetensors") or name == "vocabulary.json":
        assert refusals >= FLIPS  # a checksum lets nothing pass


def test_a_sound_run_is_used(sound: Path) -> None:
    for command in COMMANDS:
        assert run(*command.format(sound).split()) is None
    RunDirectory.open(sound)
