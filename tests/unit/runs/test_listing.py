"""Names for new runs, and a summary of each."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backlight.core import RunError
from backlight.runs import RunDirectory, list_runs, new_files, new_run_path, store


@pytest.mark.parametrize(
    ("corpus", "name"),
    [
        ("names", "names"),
        ("makemore-names", "makemore-names"),
        ("-", "stdin"),
        ("/data/My words (2).txt", "My-words-2"),
        ("../städte.v2.csv", "städte-v2"),
        ("हिन्दी.txt", "हिन्दी"),
        (".hidden", "hidden"),
        ("..", "text"),
        ("/", "text"),
        ("😀.txt", "text"),
        ("caf\udce9\n.txt", "caf"),
        ("x" * 300, "x" * 40),
    ],
)
def test_a_corpus_s_name_becomes_a_folder_s(tmp_path: Path, corpus: str, name: str) -> None:
    path = new_run_path(tmp_path / "runs", corpus, "mlp")
    assert path == tmp_path / "runs" / f"{name}-mlp-1"
    assert not path.parent.exists()
    RunDirectory.create(path, new_files(config={}, vocabulary={}))
    assert new_run_path(tmp_path / "runs", corpus, "mlp").name == f"{name}-mlp-2"


def test_the_next_number_follows_the_highest_of_the_same_name(tmp_path: Path) -> None:
    for name in ("names-mlp-2", "Names-MLP-10", "names-mlp-x", "names-mlp-11b", "names-ngram-30", "my-names-mlp-40"):
        (tmp_path / name).mkdir()
    assert new_run_path(tmp_path, "names", "mlp").name == "names-mlp-11"
    assert new_run_path(tmp_path, "names", "wavenet").name == "names-wavenet-1"


def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    for use in (lambda: list_runs(tmp_path / "runs"), lambda: new_run_path(tmp_path / "runs", "names", "mlp")):
        with pytest.raises(RunError, match="not a directory"):
            use()


def test_no_root_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "runs") == []


def test_what_is_not_a_run_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "figures").mkdir()
    (tmp_path / ".0.backlight-partial").mkdir()
    (tmp_path / ".0.backlight-partial" / "config.json").touch()
    assert list_runs(tmp_path) == []


def test_each_state_of_a_run(tmp_path: Path) -> None:
    config = {"model": {"name": "mlp"}, "corpus": "names", "parameters": 11}
    started, stopped, finished = (
        RunDirectory.create(tmp_path / f"names-mlp-{number}", new_files(config=config, vocabulary={}))
        for number in (2, 9, 10)
    )
    records = [{"step": 10, "dev_nats": 2.5}, {"step": 20, "dev_nats": 2.2}, {"step": 30, "dev_nats": float("nan")}]
    for run in (stopped, finished):
        run.save_checkpoint({"w": np.ones(1)}, {})
        run.save_metrics(records)
    finished.save_result({"model": "mlp", "parameters": 12, "steps": 40, "dev_nats": 2.1})
    found = {run.path: run for run in list_runs(tmp_path)}
    assert set(found) == {started.path, stopped.path, finished.path}
    one, two, three = found[started.path], found[stopped.path], found[finished.path]
    assert (one.state, one.step, one.dev_nats, one.parameters) == ("started", None, None, 11)
    assert (two.state, two.step, two.dev_nats, two.parameters) == ("stopped", 30, 2.2, 11)
    assert (three.state, three.step, three.dev_nats, three.parameters) == ("finished", 40, 2.1, 12)
    for summary, run in ((one, started), (two, stopped), (three, finished)):
        assert (summary.model, summary.corpus, summary.problem) == ("mlp", "names", None)
        assert summary.created == run.config["created"]


def test_oldest_first_and_ten_after_nine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        today = ""

        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls.fromisoformat(cls.today).replace(tzinfo=tz)

    monkeypatch.setattr(store, "datetime", Clock)
    for name, created in (("a-10", "2024-05-01"), ("a-9", "2024-05-01"), ("a-1", "2024-06-01"), ("z-1", "2024-01-01")):
        Clock.today = created
        RunDirectory.create(tmp_path / name, new_files(config={}, vocabulary={}))
    (tmp_path / "0-broken").mkdir()
    (tmp_path / "0-broken" / "config.json").touch()
    assert [run.path.name for run in list_runs(tmp_path)] == ["z-1", "a-9", "a-10", "a-1", "0-broken"]


def test_runs_that_cannot_be_opened_are_listed_with_their_problem(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        RunDirectory.create(tmp_path / name, new_files(config={"model": "mlp"}, vocabulary={}))
    (tmp_path / "a" / "config.json").write_text('{"format": 7}')
    (tmp_path / "b" / "vocabulary.json").write_text("{")
    (tmp_path / "c" / "metrics.jsonl").write_text("x")
    (tmp_path / "d" / "config.json").unlink()
    problems = [run.problem or "" for run in list_runs(tmp_path)]
    for problem, part in zip(problems, ("format 7", "vocabulary.json", "line 1", "config.json"), strict=True):
        assert part in problem
        assert "\n" not in problem


def test_a_config_of_odd_values_is_still_listed(tmp_path: Path) -> None:
    RunDirectory.create(
        tmp_path / "a", new_files(config={"model": ["x"], "corpus": 3, "parameters": "many"}, vocabulary={})
    )
    (found,) = list_runs(tmp_path)
    assert (found.model, found.corpus, found.parameters, found.step, found.dev_nats) == (None,) * 5
    RunDirectory.open(tmp_path / "a").save_metrics([{"step": "x", "dev_nats": True}, {}])
    (found,) = list_runs(tmp_path)
    assert "metrics.jsonl is damaged: line 1" in str(found.problem)
