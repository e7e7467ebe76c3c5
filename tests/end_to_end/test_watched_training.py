"""`backlight train --health` leaves in the run what can be judged afterwards, and only then."""

import json
from typing import Any

import pytest


def steps(shell: Any, name: str) -> list[int]:
    lines = [json.loads(line) for line in (shell.folder / "runs" / name / "health.jsonl").read_text().splitlines()]
    assert (lines[0]["type"], lines[0]["framework"]) == ("start", "backlight")
    assert [line["type"] for line in lines if line.get("layers")] == ["network", *["step"] * len(steps_of(lines))]
    return steps_of(lines)


def steps_of(lines: list[Any]) -> list[int]:
    return [line["step"] for line in lines if line["type"] == "step"]


def test_a_watched_run_keeps_records(shell: Any, tiny: Any) -> None:
    shell.works("train", "names.txt", *tiny("--steps", "25"), "--health", "--name", "watched")
    assert steps(shell, "watched") == list(range(25))
    shell.works("train", "names.txt", *tiny("--steps", "25"), "--health-every", "8", "--name", "rarely")
    assert steps(shell, "rarely") == [*range(10), 16, 24]
    shell.works("train", "names.txt", *tiny("--steps", "25"), "--name", "unwatched")
    assert not (shell.folder / "runs" / "unwatched" / "health.jsonl").exists()
    weights = [(shell.folder / "runs" / name / "weights.safetensors").read_bytes() for name in ("watched", "unwatched")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("names.txt", "--model", "ngram", "--health"), "--health needs a model that is trained step by step"),
        (("--resume", "net", "--health"), "keeps its text and settings; got health"),
    ],
)
def test_what_cannot_be_watched_is_refused(runs: Any, options: tuple[str, ...], says: str) -> None:
    runs.refused("train", *options, says=says)
