"""`backlight compare` as people run it: every model on a tiny text, and what can go wrong on the way."""

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from backlight.models import MODELS

FEW = ("--steps", "6")
PAIR = ("bigram", "mlp")


def without_times(found: dict[str, Any]) -> list[dict[str, Any]]:
    timed = {"seconds", "characters_per_second", "run"}
    return [{key: value for key, value in row.items() if key not in timed} for row in found["models"]]


def test_every_model_is_in_the_table_in_the_json_and_in_the_files(shell: Any) -> None:
    result = shell("compare", "names.txt", *FEW, "--json")
    assert result.code == 0
    found = result.json
    assert [row["model"] for row in found["models"]] == list(MODELS)
    assert found["failed"] == {}
    folder = shell.folder / "runs" / "names-compare-1"
    assert json.loads((folder / "comparison.json").read_text()) == found
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    lines = (folder / "comparison.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2 : 2 + len(MODELS)]] == list(MODELS)
    known = (shell.folder / "names.txt").read_text().split()
    for row in found["models"]:
        assert row["steps"] == (0 if row["model"] == "ngram" else 6)
        assert row["characters_per_second"] > 0
        assert len(row["samples"]) == 5
        assert not set(row["samples"]) & set(known)
        assert f"{row['dev_nats']:.4f}" in result.err
    assert "Sample the best model" in result.err


def test_a_model_is_what_train_makes_of_it(shell: Any) -> None:
    found = shell("compare", "names.txt", *FEW, "--models", "mlp,gru", "--json").json
    options = ("--samples", "0", *FEW, "--patience", "6", "--json")
    for model, row in zip(("mlp", "gru"), found["models"], strict=True):
        trained = shell("train", "names.txt", "--model", model, *options).json
        assert trained.keys() <= row.keys()
        assert {key: row[key] for key in trained if key not in {"seconds", "run"}} == {
            key: value for key, value in trained.items() if key not in {"seconds", "run"}
        }


def test_the_table_does_not_depend_on_how_many_are_trained_at_a_time(shell: Any) -> None:
    found = [
        shell("compare", "names.txt", *FEW, "--models", "bigram,ngram,mlp", "--jobs", jobs, "--json").json
        for jobs in (1, 3)
    ]
    assert without_times(found[0]) == without_times(found[1])


def test_a_model_can_be_used_like_any_run(shell: Any) -> None:
    shell.works("compare", "names.txt", *FEW, "--models", "bigram")
    shell.works("sample", "runs/names-compare-1/bigram", "--count", "3")
    assert "names-compare-2" in shell.works("compare", "names.txt", *FEW, "--models", "ngram").out


def test_standard_input_and_running_text(shell: Any) -> None:
    text = (shell.folder / "names.txt").read_bytes() * 3
    out = shell.works("compare", "-", *FEW, "--mode", "text", "--models", "ngram,gpt", stdin=text).out
    assert "standard input" in out
    found = json.loads((shell.folder / "runs" / "stdin-compare-1" / "comparison.json").read_text())
    assert all(len(sample) == 40 for row in found["models"] for sample in row["samples"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("missing.txt",), "there is no 'missing.txt'"),
        (("names.txt", "--models", "mlp,transformer"), "got transformer"),
        (("names.txt", "--models", ""), "the models are"),
        (("names.txt", "--steps", "0"), "steps must be from 1"),
        (("two.txt",), "need an item each"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_made(shell: Any, words: tuple[str, ...], says: str) -> None:
    shell.write("two.txt", "ab\nba\n")
    shell.refused("compare", *words, says=says)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_signal_leaves_no_model_running_and_every_run_whole(shell: Any, number: signal.Signals) -> None:
    process = shell.start(
        "compare", "names.txt", "--steps", "100000000", "--models", ",".join(PAIR), start_new_session=True
    )
    checkpoints = [shell.folder / "runs" / "names-compare-1" / model / "optimiser.safetensors" for model in PAIR]
    wait_until(lambda: all(path.exists() for path in checkpoints) or process.poll() is not None)
    process.send_signal(number)
    out, err = (stream.decode() for stream in process.communicate(timeout=60))
    assert (process.returncode, err) == (130, "")
    assert "backlight train --resume runs/names-compare-1/mlp" in out
    wait_until(lambda: nobody_is_left(process.pid))
    shell.works("runs", "show", "runs/names-compare-1/mlp")


def nobody_is_left(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("waited for half a minute in vain")
