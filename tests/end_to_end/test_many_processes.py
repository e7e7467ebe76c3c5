"""Several processes of PyTorch's train one run: the losses of one process, one writer, and what happens if one dies."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.end_to_end.ranks import Ended, RankServer

import backlight
from backlight.core import Array, RunError
from backlight.runs import RunDirectory
from backlight.runs.shards import Layout
from backlight.runs.tensors import decode, load_tensors
from backlight.training import Run, branched

pytest.importorskip("torch")

BATCH = 9  # in parts of 3 and 2 for four processes, and these in parts of 2
TRAIN = (
    "train", "names.txt", "--model", "gpt", "--n-embd", 8, "--n-layer", 1, "--n-head", 2, "--context", 6,
    "--dropout", 0, "--lr", 0.002, "--batch-size", BATCH, "--eval-interval", 20, "--ema-decay", 0.9, "--grad-clip", 1,
    "--samples", 3,
    "--engine", "torch", "--device", "cpu",
)  # fmt: skip
FILE = "shard-{:05}-model-00001-of-00001.safetensors"
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


# -- divided among the processes ---------------------------------------------------------------------------------------


def arrays_of(folder: Path, name: str) -> dict[str, Array]:
    return RunDirectory.open(folder / "runs" / name).load_checkpoint()[0]


def shards_of(folder: Path, name: str) -> list[str]:
    return sorted(str(path.relative_to(folder / "runs" / name)) for path in (folder / "runs" / name).glob("shards-*/*"))


def test_divided_processes_have_the_losses_of_one(server: RankServer, folder: Path) -> None:
    """The second process begins with other weights: FSDP2 would keep its rows of them."""
    words = [*TRAIN, "--steps", 10, "--eval-interval", 5, "--weight-decay", 0.1, "--keep-checkpoints", 2, "--name"]
    one = server.train([*words, "one"], 1, folder)
    group = server.train([*words, "many", "--shard"], 2, folder, other_weights=1)
    assert group.codes == [0] * 2, group.err
    assert losses(folder, "many") == pytest.approx(losses(folder, "one"), abs=1e-4)
    assert devs(folder, "many") == pytest.approx(devs(folder, "one"), abs=1e-4)
    assert read(group) == read(one)
    assert not shards_of(folder, "many")  # the finished run has a whole checkpoint
    results = [json.loads((folder / f"runs/{name}/result.json").read_text()) for name in ("one", "many")]
    for part in ("train", "dev", "test"):
        assert results[1][f"{part}_nats"] == pytest.approx(results[0][f"{part}_nats"], abs=1e-4)
    for file in ("optimiser.safetensors", "weights.safetensors", "checkpoint-5.safetensors"):
        ours, theirs = (load_tensors(folder / "runs" / name / file, remedy="") for name in ("one", "many"))
        assert ours[1]["step"] == theirs[1]["step"]
        assert ours[0].keys() == theirs[0].keys()
        for name, array in ours[0].items():
            assert theirs[0][name] == pytest.approx(array, abs=2e-3), name


def test_a_divided_run_that_is_killed_while_it_saves_is_resumed_by_more_processes(
    server: RankServer, folder: Path
) -> None:
    """Of these, one computes a part more than the others, and evaluates a batch more."""
    words = [*TRAIN, "--steps", 15, "--eval-interval", 7, "--name"]
    whole = server.train([*words, "whole"], 1, folder)
    killed = server.train([*words, "run", "--shard"], 2, folder, kill=(0, 13, "written"))
    assert killed.codes == [-9, 1]
    assert shards_of(folder, "run") == [f"shards-b/{FILE.format(rank)}" for rank in (1, 2)]
    resumed = server.train([*RESUME, "--shard", "--micro-batch-size", 2], 4, folder)
    assert resumed.codes == [0] * 4, resumed.err
    assert min(resumed.read) == 7  # "a" was the checkpoint of step 0, and that of step 14 was not finished
    assert read(killed) | read(resumed) == read(whole)
    assert losses(folder, "run") == pytest.approx(losses(folder, "whole"), abs=1e-4)
    assert not shards_of(folder, "run")
    assert not [path for path in (folder / "runs/run").iterdir() if "partial" in path.name]


def test_a_run_goes_from_ddp_to_divided_processes_and_to_the_compiled_engine(server: RankServer, folder: Path) -> None:
    words = [*TRAIN, "--steps", 20, "--eval-interval", 5, "--name"]
    server.train([*words, "whole"], 1, folder)
    server.train([*words, "run"], 2, folder, kill=(1, 6, "update"))
    killed = server.train([*RESUME, "--shard"], 2, folder, kill=(1, 14, "save"))
    assert min(killed.read) == 5
    assert killed.codes == [1, -9]
    assert len(killed.err[0].splitlines()) == 1
    assert "--resume runs/run --engine torch --device cpu --shard --devices 2" in killed.err[0]
    assert RunDirectory.open(folder / "runs/run").last_step() == 10
    assert server.train(RESUME[:3], 1, folder).codes == [0]
    assert losses(folder, "run") == pytest.approx(losses(folder, "whole"), abs=1e-4)
    assert devs(folder, "run") == pytest.approx(devs(folder, "whole"), abs=1e-4)
    assert not shards_of(folder, "run")


def test_whatever_reads_a_checkpoint_in_parts_joins_it(
    server: RankServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged one is refused in one line."""
    words: list[object] = [*TRAIN, "--steps", 10, "--eval-interval", 7, "--name", "run", "--shard"]
    server.train(words, 2, folder, kill=(1, 8, "update"))
    monkeypatch.chdir(folder)
    run = RunDirectory.open(folder / "runs/run")
    arrays, facts = run.load_checkpoint()
    layout = Layout.of(run.load_unjoined()[1])
    assert layout is not None
    assert facts["step"] == 7
    assert int(arrays["optimiser.steps"]) == 7
    assert decode(run.files()["optimiser.safetensors"])[0].keys() == arrays.keys()
    assert backlight.load(run.path).score(["babl"])[0] > 0  # of the best weights so far
    assert branched(Run.open(run.path), None, step=7, options={}).store.load_checkpoint()[1]["step"] == 7
    part = run.path / layout.folder / FILE.format(2)
    length = struct.unpack("<Q", part.read_bytes()[:8])[0]
    part.write_bytes(part.read_bytes()[: 8 + length + 10])
    for words in (RESUME[:3], (*RESUME, "--shard")):
        ended = server.train(words, 2 if "--shard" in words else 1, folder)
        assert ended.codes[0] == 1
        assert "damaged" in ended.err[0]
        assert len(ended.err[0].splitlines()) == 1
    part.unlink()
    with pytest.raises(RunError, match="is not complete"):
        run.load_checkpoint()


def test_what_cannot_be_divided_is_refused(server: RankServer, folder: Path) -> None:
    words = ["train", "names.txt", "--model", "gpt", "--samples", 0, "--shard"]
    cases: dict[str, tuple[int, list[object]]] = {
        "shard is for the engine torch": (2, words),
        "divides a model among several processes; there is one": (1, [*words, "--engine", "torch"]),
        "Muon needs whole matrices": (2, [*words, "--engine", "torch", "--optimiser", "muon"]),
        "recording needs whole weights": (2, [*words, "--engine", "torch", "--health"]),
    }
    for message, (size, given) in cases.items():
        group = server.train(given, size, folder)
        assert group.codes == [1] * size
        assert message in group.err[0]
        assert [len(err.splitlines()) for err in group.err] == [1, 0][:size]
    assert not (folder / "runs").exists()
