"""What Python saves, the commands use; and faults that were found by trying."""

import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.conftest import COMMAND, NAMES, Shell

import backlight
from backlight.runs import RunDirectory, new_run_path
from backlight.training import Run, RunConfig


@pytest.mark.parametrize("given", ["list", "path", "stream"])
def test_every_command_takes_a_run_that_python_saved(shell: Shell, given: str) -> None:
    sizes: dict[str, Any] = {"context": 2, "embedding": 2, "hidden": (4,), "batch_size": 8, "steps": 6}
    data = {"list": NAMES, "path": shell.folder / "names.txt", "stream": ["\n".join(NAMES)]}[given]
    model = backlight.train(data, **sizes, mode="text" if given == "stream" else None, progress=None, watch_every=1)
    model.save(shell.folder / "runs" / "saved")
    samples = shell.works("sample", "saved", "--count", "3", "--seed", "1", "--max-length", "20").out
    marked = "".join(text + "\n" for text in model.sample(3, seed=1, max_length=20))
    assert samples.replace("…\n", "\n") == marked  # an item that was cut off ends with an ellipsis
    scored = shell("score", "saved", "names.txt", "--sort", "file", "--json").json
    if given != "stream":
        assert [one["nats"] for one in scored["scores"]] == pytest.approx(list(model.score(NAMES)))
    assert "saved" in shell.works("runs").out
    shell.works("runs", "show", "saved")
    shell.works("health", "saved", "--report")
    drawn = shell("figures", "saved", "--json").json
    assert "loss" in drawn["drawn"]
    assert not any("needs the run's text" in reason for reason in drawn["not_drawn"].values()), drawn["not_drawn"]
    assert "Training is complete" in shell.works("train", "--resume", "saved").out
    shell.works("explain", "--run", "saved")


def test_a_run_in_a_folder_is_the_same_as_the_commands(shell: Shell, tiny: Any) -> None:
    shell.works("train", "names.txt", *tiny("--seed", "5"), "--name", "command")
    backlight.train(
        shell.folder / "names.txt", context=2, embedding=2, hidden=(4,), batch_size=8, steps=6, seed=5, progress=None,
        run=shell.folder / "runs" / "python",
    )  # fmt: skip
    one, other = (shell.folder / "runs" / name / "weights.safetensors" for name in ("command", "python"))
    assert one.read_bytes() == other.read_bytes()


def test_options_by_their_old_names_still_work_and_are_not_listed(shell: Shell, tiny: Any) -> None:
    old = tiny("--clip", "1", "--average", "0.9", "--evaluate-every", "3", "--optimizer", "adamw")
    new = tiny("--grad-clip", "1", "--ema-decay", "0.9", "--eval-interval", "3", "--optimiser", "adamw")
    found = [shell("train", "names.txt", *words, "--json").json for words in (old, new)]
    for one in found:
        del one["run"], one["seconds"]
    assert found[0] == found[1]
    gpt = ("train", "names.txt", "--model", "gpt", "--steps", "2", "--channels", "4", "--layers", "1", "--heads", "2")
    shell.works(*gpt)
    assert "names-compare-1" in shell.works("ladder", "names.txt", "--models", "ngram").out
    shown = shell.works("train", "--help").out + shell.works("--help").out
    assert not any(word in shown for word in ("--clip", "--average", "--evaluate-every", "--channels", "ladder"))


# -- runs that were stopped early --------------------------------------------------------------------------------------


def test_figures_of_a_run_that_was_killed_before_its_second_evaluation(shell: Shell, tiny: Any) -> None:
    process = shell.start(
        "train", "names.txt", *tiny("--steps", "100000000", "--eval-interval", "100000000"), "--name", "early"
    )
    checkpoint = shell.folder / "runs" / "early" / "optimiser.safetensors"
    wait_until(checkpoint.exists)
    process.kill()
    process.communicate()
    metrics = RunDirectory.open(shell.folder / "runs" / "early").load_metrics()
    assert [record["step"] for record in metrics] == [0], "or this test shows nothing"
    drawn = shell("figures", "early", "--json")
    assert drawn.code == 0
    assert "loss" in drawn.json["drawn"]
    shell.works("figures", "early", "loss")


def test_figures_of_a_run_without_any_metrics(runs: Shell) -> None:
    (runs.folder / "runs" / "net" / "metrics.jsonl").unlink()
    runs.refused("figures", "net", "loss", says="it needs losses")
    assert runs("figures", "net", "--json").code == 0


# -- several at once ---------------------------------------------------------------------------------------------------


def test_trainings_that_start_at_once_get_a_name_each(shell: Shell, tiny: Any) -> None:
    processes = [shell.start("train", "names.txt", *tiny("--steps", "2")) for _ in range(3)]
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    assert sorted(path.name for path in (shell.folder / "runs").iterdir()) == [f"names-mlp-{n}" for n in (1, 2, 3)]


def test_a_name_that_another_process_takes_in_between_is_passed_over(shell: Shell) -> None:
    asked: list[Path] = []

    def path(name: str) -> Path:
        found = new_run_path(shell.folder / "runs", name, "ngram")
        if len(asked) < 2:
            found.mkdir(parents=True)  # somebody was faster
        asked.append(found)
        return found

    config = RunConfig.of(str(shell.folder / "names.txt"), model="ngram")
    assert Run.create(config, path).path.name == "names-ngram-3"
    assert len(asked) == 3
    with pytest.raises(backlight.core.RunError, match="exists already"):
        Run.create(config, shell.folder / "runs" / "names-ngram-3")


# -- the terminal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "interval"), [(signal.SIGHUP, "100000000"), (None, "1000")], ids=["hup", "shut"])
def test_a_terminal_that_is_closed_saves(shell: Shell, tiny: Any, number: signal.Signals | None, interval: str) -> None:
    """As when a window is shut: the process gets SIGHUP, and whatever it still prints fails."""
    ours, theirs = pty.openpty()
    words = ("train", "names.txt", *tiny("--steps", "100000000", "--eval-interval", interval), "--name", "run")
    process = subprocess.Popen(
        [COMMAND, *words], cwd=shell.folder, env=shell.environment({"TERM": "xterm"}), stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    checkpoint = shell.folder / "runs" / "run" / "optimiser.safetensors"
    shown = b""
    while shown.count(b"left") < 5:  # the bar has moved
        shown += os.read(ours, 4096)
    if number is not None:
        process.send_signal(number)
    os.close(ours)
    process.wait(timeout=60)
    assert process.returncode == 130
    step = RunDirectory.open(checkpoint.parent).load_checkpoint()[1]["step"]
    assert step > 0, "saved when the terminal went, not at the only evaluation"


def test_a_signal_that_is_ignored_stays_ignored(shell: Shell, tiny: Any) -> None:
    """As under nohup."""
    process = shell.start(
        "train", "names.txt", *tiny("--steps", "300", "--eval-interval", "10"),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().startswith(b"10 "):
            break
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")
    assert b"The run is in" in out


@pytest.mark.parametrize("columns", ["0", "1", "20", "x"])
def test_a_narrow_terminal_loses_no_column(runs: Shell, columns: str) -> None:
    out = runs.works("runs", "list", env={"COLUMNS": columns}).out
    for word in ("net", "counted", "stream", "finished", "names.txt"):
        assert word in out


def test_what_begins_with_a_dash_is_proposed_so_that_it_works(shell: Shell, tiny: Any) -> None:
    out = shell.works("train", "names.txt", *tiny(), "--runs=-x").out
    assert "backlight sample ./-x/names-mlp-1" in out
    shell.works("sample", "./-x/names-mlp-1", "--count", "2")


def test_a_file_that_a_corpus_hides_is_pointed_out(shell: Shell) -> None:
    shell.write("names", "a\nb\nc\n")
    out = shell.works("train", "names", "--model", "ngram", "--order", "1", "--samples", "0").out
    assert "Reading the corpus named names. To read the file of that name, write ./names." in out
    assert "pointed" not in shell.works("train", "./names", "--model", "ngram", "--order", "1").out


# -- numbers that are too large ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("sample net --count 1000000000", "count must be from 1 to 1,000,000; got 1000000000"),
        ("sample net --count 100000000000000000000", "count must be from 1 to 1,000,000"),
        ("sample net --max-length 100000000000000000000", "max_length must be from 1 to 1,000,000"),
        ("sample net --count 1000000000 --novel", "count must be from 1 to 1,000,000"),
        ("train names.txt --hidden " + ",".join(["4"] * 101), "hidden must have from 1 to 100 numbers; got 101"),
        ("train names.txt --hidden 1000000,1000000", "does not fit into memory"),
        ("train names.txt --model gpt --n-layer 1001", "n_layer must be from 1 to 1,000"),
    ],
)
def test_numbers_that_nobody_can_wait_for_are_refused_at_once(runs: Shell, words: str, says: str) -> None:
    runs.refused(*words.split(), says=says)


# -- files that were edited --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"), [('"steps": 6', '"steps": 50'), ('"seed": 1', '"seed": 2'), ('"lr": 0.005', '"lr": "0.1"')]
)
def test_a_configuration_changed_by_hand_is_refused(runs: Shell, old: str, new: str) -> None:
    path = runs.folder / "runs" / "net" / "config.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    runs.refused("train", "--resume", "net", says="it was changed after the run was made, but a run keeps its settings")
    assert "cannot be opened" in runs.works("runs").out


def test_a_configuration_that_is_a_pipe_hangs_nothing(runs: Shell) -> None:
    path = runs.folder / "runs" / "net" / "config.json"
    path.unlink()
    os.mkfifo(path)
    out = runs.works("runs").out
    assert "cannot be opened" in out
    assert "counted" in out


FACTS: list[Any] = [
    {}, {"step": -5}, {"step": "3"}, {"step": 2.5}, {"step": 10**18}, {"rng": None}, {"rng": {}}, {"best": None},
    {"rng": {"bit_generator": "PCG64", "state": 1}}, {"best": {"dev_nats": "x"}}, {"loss_sum": None}, {"seconds": []},
]  # fmt: skip


@pytest.mark.parametrize("facts", FACTS, ids=str)
def test_facts_of_a_checkpoint_that_were_edited(runs: Shell, facts: dict[str, Any]) -> None:
    store = RunDirectory.open(runs.folder / "runs" / "net")
    arrays, whole = store.load_checkpoint()
    store.save_checkpoint(arrays, {**whole, **facts} if facts else {})
    runs.refused("train", "--resume", "net", says="a checkpoint must belong to its run")


def test_arrays_of_another_kind(runs: Shell) -> None:
    store = RunDirectory.open(runs.folder / "runs" / "net")
    arrays, facts = store.load_checkpoint()
    store.save_checkpoint({name: a for name, a in arrays.items() if name != "parameters"}, facts)
    runs.refused("train", "--resume", "net", says="there is no 'parameters'")
    store.save_checkpoint({**arrays, "optimiser.mean": arrays["optimiser.mean"][:3]}, facts)
    runs.refused("train", "--resume", "net", says="a checkpoint must belong to its run")
    store.save_checkpoint({name: a for name, a in arrays.items() if not name.startswith("optimiser")}, facts)
    runs.refused("train", "--resume", "net", says="Restore the right one, or start a new run.")
    store.save_checkpoint(arrays, facts)
    weights, facts = store.load_weights()
    store.save_weights({name: array.astype("i4") for name, array in weights.items()}, facts)
    runs.refused("sample", "net", says="must be float32; that of runs/net is int32")
    store.save_weights({name: array.astype("f8") for name, array in weights.items()}, facts)
    runs.refused("sample", "net", says="must be float32; that of runs/net is float64")
    store.save_weights(weights, {})
    runs.refused("train", "--resume", "net", says="weights must have a step")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_weights_that_are_beyond_all_numbers_give_one_line_and_no_warning(runs: Shell, value: float) -> None:
    store = RunDirectory.open(runs.folder / "runs" / "net")
    weights, facts = store.load_weights()
    weights["output.weight"][...] = value
    weights["embedding.weight"][...] = 3e38
    store.save_weights(weights, facts)
    if value != 1e38:
        runs.refused("sample", "net", says="weights must be finite; output.weight of runs/net is not")
        runs.refused("train", "--resume", "net", says="its training has diverged")
    runs.works_or_is_refused("sample", "net")
    runs.works_or_is_refused("score", "net", "names.txt")


@pytest.mark.parametrize(
    "line", ['{"dev_nats": 2}', '{"step": 3}', '{"step": 3, "loss": "x"}', '{"step": 3, "loss": 1e400}']
)
@pytest.mark.parametrize("words", ["figures net loss", "train --resume net", "runs show net", "health net"])
def test_lines_of_metrics_that_were_edited(runs: Shell, words: str, line: str) -> None:
    (runs.folder / "runs" / "net" / "metrics.jsonl").write_text(line + "\n")
    runs.refused(*words.split(), says="metrics.jsonl is damaged: line 1: ")


def test_a_result_that_was_edited(runs: Shell) -> None:
    (runs.folder / "runs" / "net" / "result.json").write_text('{"dev_nats": "x"}')
    runs.refused("runs", "compare", "net", "counted", says='result.json is damaged: "dev_nats" is not a number')


def wait_until(condition: Any) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("waited for a minute in vain")
