"""Several processes of PyTorch's train one run: the losses of one process, one writer, and what happens if one dies."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.end_to_end.ranks import Ended, RankServer

pytest.importorskip("torch")

BATCH = 9  # in parts of 3 and 2 for four processes, and these in parts of 2
TRAIN = (
    "train", "names.txt", "--model", "gpt", "--n-embd", 8, "--n-layer", 1, "--n-head", 2, "--context", 6,
    "--dropout", 0, "--lr", 0.002, "--batch-size", BATCH, "--eval-interval", 20, "--ema-decay", 0.9, "--grad-clip", 1,
    "--samples", 3,
    "--engine", "torch", "--device", "cpu",
)  # fmt: skip
RESUME = ("train", "--resume", "run", "--engine", "torch", "--device", "cpu", "--samples", 3)


@pytest.fixture(scope="module")
def server() -> Iterator[RankServer]:
    made = RankServer()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # items of unequal lengths: processes have unequal numbers of targets
    items = [f"{a}{b}{c}"[: 2 + (ord(a) + ord(b)) % 3] + c for a in "bdfgk" for b in "aeiou" for c in "lmnrst"]
    (tmp_path / "names.txt").write_text("\n".join(items))
    return tmp_path


def losses(folder: Path, name: str) -> list[float]:
    lines = (folder / "runs" / name / "metrics.jsonl").read_text().splitlines()
    return [record["loss"] for record in map(json.loads, lines) if "loss" in record]


def devs(folder: Path, name: str) -> list[float]:
    lines = (folder / "runs" / name / "metrics.jsonl").read_text().splitlines()
    return [record["dev_nats"] for record in map(json.loads, lines) if "dev_nats" in record]


def read(group: Ended) -> dict[int, list[int]]:
    return {step: sorted(row for part in parts for row in part) for step, parts in group.read.items()}


def test_1_2_and_4_processes_have_the_same_losses(server: RankServer, folder: Path) -> None:
    words = [*TRAIN, "--steps", 200, "--eval-interval", 100, "--name"]
    one = server.train([*words, "one"], 1, folder)
    assert one.codes == [0], one.err
    for size, more in ((2, ()), (4, ("--micro-batch-size", 2))):
        name = f"of-{size}"
        group = server.train([*words, name, *more], size, folder)
        assert group.codes == [0] * size, group.err
        assert group.out[1:] == [""] * (size - 1)
        assert losses(folder, name) == pytest.approx(losses(folder, "one"), abs=1e-4)
        assert devs(folder, name) == pytest.approx(devs(folder, "one"), abs=1e-4)
        assert read(group) == read(one)
    results = [json.loads((folder / f"runs/{name}/result.json").read_text()) for name in ("one", "of-2", "of-4")]
    for part in ("train", "dev", "test"):
        nats = [result[f"{part}_nats"] for result in results]
        assert nats[1:] == pytest.approx([nats[0]] * 2, abs=1e-4)


def test_fewer_examples_than_processes(server: RankServer, folder: Path) -> None:
    words = [*TRAIN, "--steps", 20, "--batch-size", 3, "--name"]
    for size in (1, 4):
        assert server.train([*words, f"of-{size}"], size, folder).codes == [0] * size
    assert losses(folder, "of-4") == pytest.approx(losses(folder, "of-1"), abs=1e-5)


@pytest.mark.parametrize(
    ("size", "rank", "where", "then"), [(2, 1, "backward", 1), (3, 2, "update", 4), (2, 0, "forward", 2)]
)
def test_a_killed_process_ends_the_group_and_the_run_resumes(
    server: RankServer, folder: Path, size: int, rank: int, where: str, then: int
) -> None:
    words = [*TRAIN, "--steps", 20, "--eval-interval", 7, "--name"]
    whole = server.train([*words, "whole"], 1, folder)
    killed = server.train([*words, "run"], size, folder, kill=(rank, 16, where))
    assert killed.codes == [-9 if one == rank else 1 for one in range(size)]
    lines = [line for err in killed.err for line in err.splitlines()]
    if rank:  # what the first process says; if that is killed, `--devices` says it
        assert len(lines) == 1
        assert "another process of the group has ended" in lines[0]
        assert f"--resume runs/run --engine torch --device cpu --devices {size}" in lines[0]
    else:
        assert not lines
    resumed = server.train(RESUME, then, folder)
    assert resumed.codes == [0] * then, resumed.err
    assert min(resumed.read) == 14  # its last checkpoint
    assert read(killed) | read(resumed) == read(whole)
    assert losses(folder, "run") == pytest.approx(losses(folder, "whole"), abs=1e-4)


def test_errors_are_one_line_of_the_first_process(server: RankServer, folder: Path) -> None:
    cases = {
        "several processes train with the engine torch": ["train", "names.txt"],
        "batch norm needs the statistics": ["train", "names.txt", "--engine", "torch", "--model", "wavenet"],
        "cannot share standard input": ["train", "-", "--engine", "torch"],
        "there is no 'none'": ["train", "--resume", "none", "--engine", "torch"],
    }
    for message, words in cases.items():
        group = server.train([*words, "--samples", 0], 2, folder)
        assert group.codes == [1, 1]
        assert message in group.err[0]
        assert [len(err.splitlines()) for err in group.err] == [1, 0]
    assert not (folder / "runs").exists()
