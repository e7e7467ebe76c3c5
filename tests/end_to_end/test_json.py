"""`--json`: the last line of standard output is one JSON object, and what people read goes to standard error."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

COMMANDS = {
    "data list": {"corpora"},
    "data describe names.txt": {"items", "characters", "distinct", "vocabulary_size", "uniform_nats"},
    "runs list": {"runs"},
    "runs show net": {"run", "model", "parameters", "context", "train_nats", "dev_nats", "evaluations", "config"},
    "runs show counted": {"run", "model", "dev_nats", "evaluations"},
    "runs compare net counted": {"runs", "differing"},
    "sample net --seed 3": {"run", "seed", "samples"},
    "sample stream": {"run", "seed", "samples"},
    "score net names.txt": {"run", "lines", "characters", "nats_per_character", "scores"},
    "train --resume net": {"run", "model", "dev_nats"},
    "worlds": {"worlds"},
    "worlds graph pages --lesson 1": {"world", "path"},
    "explain x*x --at x=3": {"expression", "end", "value", "gradients", "steps"},
    "explain --run net": {"model", "corpus", "batch_size", "seed", "loss_nats", "end", "steps"},
    "find-lr names.txt --hidden 4": {"model", "rates", "losses", "smoothed", "suggestion", "reason", "steps", "train"},
}

VERDICT = {
    "run", "model", "parameters", "context", "train_nats", "dev_nats", "test_nats", "steps", "seconds", "initial_nats",
    "expected_initial_nats",
}  # fmt: skip


def strict(line: str) -> Any:
    """Parse JSON as other readers do: without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(line, parse_constant=refuse)


@pytest.mark.parametrize(("words", "keys"), COMMANDS.items())
def test_the_last_line_is_one_object(runs: Any, words: str, keys: set[str]) -> None:
    result = runs(*words.split(), "--json")
    assert result.code == 0
    assert result.out.count("\n") == 1
    found = strict(result.out)
    assert keys <= found.keys()
    assert result.err or words.startswith("sample")


@pytest.mark.parametrize(
    ("options", "steps"),
    [("--model mlp --hidden 4 --steps 7", 7), ("--model bigram --steps 3", 3), ("--model ngram", 0),
     ("--mode text --model bigram --steps 2", 2), ("--model ngram --smoothing add-k --k 0", 0)],
)  # fmt: skip
def test_train_tells_all_its_figures(shell: Any, options: str, steps: int) -> None:
    result = shell("train", "names.txt", *options.split(), "--json")
    assert result.code == 0
    assert result.out.count("\n") == 1
    found = strict(result.out)
    assert found.keys() >= VERDICT
    assert found["steps"] == steps
    assert found["model"] in options
    assert isinstance(found["parameters"], int)
    if "--k 0" in options:
        assert found["dev_nats"] is None  # infinity, which JSON does not have
    else:
        assert all(0 < found[f"{part}_nats"] < 10 for part in ("train", "dev", "test"))
        assert math.isclose(found["dev_bits"] * math.log(2), found["dev_nats"])
    assert strict((shell.folder / found["run"] / "result.json").read_text()) == found


def test_sample_tells_what_it_drew(runs: Any) -> None:
    found = runs.works("sample", "net", "--count", "5", "--seed", "3", "--prefix", "em", "--json").json
    assert found["seed"] == 3
    for sample in found["samples"]:
        assert sample["text"].startswith("em")
        assert len(sample["probabilities"]) == len(sample["text"]) - 2 + sample["ended"]
        assert math.isclose(sample["nats"], -sum(map(math.log, sample["probabilities"])), rel_tol=1e-6)
    again = runs.works("sample", "net", "--count", "5", "--seed", "3", "--prefix", "em").out
    assert again.splitlines() == [one["text"] + "…" * (not one["ended"]) for one in found["samples"]]


def test_a_seed_that_was_made_up_can_be_used_again(runs: Any) -> None:
    first = runs.works("sample", "net", "--json").json
    assert runs.works("sample", "net", "--seed", first["seed"], "--json").json == first


def test_sample_takes_the_newest_run(runs: Any, tiny: Callable[..., Any]) -> None:
    runs.works("train", "names.txt", *tiny(), "--name", "newest")
    assert runs.works("sample", "--json").json["run"] == "runs/newest"


def test_how_many_are_drawn(runs: Any) -> None:
    counts = {"net": 20, "stream": 1, "net --count 3": 3, "stream --count 20": 20}
    for words, count in counts.items():
        assert len(runs.works("sample", *words.split(), "--json").json["samples"]) == count


def test_what_is_novel_is_not_in_the_file(runs: Any) -> None:
    sampled = runs.works("sample", "counted", "--novel", "--unique", "--count", "50", "--seed", "1").out.splitlines()
    assert len(set(sampled)) == 50
    assert not set(sampled) & set((runs.folder / "names.txt").read_text().split())


def test_scores_are_those_of_the_verdict(runs: Any) -> None:
    """The mean over train, dev and test, weighted by targets, is the mean over the file."""
    found = runs("score", "counted", "names.txt", "--per-character", "--json").json
    assert math.isclose(sum(one["nats"] for one in found["scores"]), found["nats_per_character"] * found["characters"])
    for one in found["scores"]:
        assert math.isclose(sum(nats for _, nats in one["per_character"]), one["nats"])
    order = [one["nats_per_character"] for one in found["scores"]]
    assert order == sorted(order, reverse=True)
    in_file = runs("score", "counted", "names.txt", "--sort", "file", "--json").json["scores"]
    assert [one["text"] for one in in_file] == (runs.folder / "names.txt").read_text().split()
    typical = runs("score", "counted", "names.txt", "--sort", "typical", "--top", "3", "--json").json["scores"]
    assert [one["nats_per_character"] for one in typical] == order[::-1][:3]


def test_runs_are_compared_best_first(runs: Any) -> None:
    found = runs("runs", "compare", "net", "counted", "stream", "--json").json
    losses = [run["dev_nats"] for run in found["runs"]]
    assert losses == sorted(losses)
    assert "mode" in found["differing"]
    assert "seed" not in found["differing"]
