"""A disk without space left: one line, and every file that was whole stays whole."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def small_disk(shell: Any) -> Iterator[Path]:
    folder = shell.folder / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        refused = subprocess.run(mount, capture_output=True, check=False).returncode
    except FileNotFoundError:
        refused = 1
    if refused:
        pytest.skip("needs the right to mount a small disk, which is root's")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Use up all the space there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast


def test_no_run_is_begun_on_a_full_disk(shell: Any, tiny: Callable[..., Any], small_disk: Path) -> None:
    fill(small_disk)
    shell.refused(
        "train", "names.txt", *tiny(), "--runs", "disk/runs", says="no space is left on the disk; no run was made",
        keeps=False,
    )  # fmt: skip
    assert not list(small_disk.rglob("*.json"))
    assert not list(small_disk.rglob("*partial*"))


def test_a_run_goes_on_when_there_is_space_again(shell: Any, tiny: Callable[..., Any], small_disk: Path) -> None:
    network = tiny("--hidden", "200", "--steps", "40", "--eval-interval", "1")
    shell.works("train", "names.txt", *network, "--name", "whole")
    # the weights and one checkpoint fit, and the next checkpoint finds no room beside the old one
    (small_disk / "ballast").write_bytes(b"\0" * 116_000)
    says = "no space is left on the disk; the old file is unchanged"
    shell.refused("train", "names.txt", *network, "--runs", "disk", "--name", "run", says=says, keeps=False)
    shell.refused("train", "--resume", "disk/run", says=says, keeps=False)
    (small_disk / "ballast").unlink()
    shell.works("train", "--resume", "disk/run")
    mine, reference = (folder / "weights.safetensors" for folder in (small_disk / "run", shell.folder / "runs/whole"))
    assert mine.read_bytes() == reference.read_bytes()


@pytest.mark.parametrize("words", ["data", "runs list --json", "sample net", "score net names.txt", "data --help"])
def test_standard_output_on_a_full_disk(runs: Any, words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        result = runs(*words.split(), stdout=full)
    assert result.code == 1
    assert "No space left on device" in result.err.splitlines()[-1]
