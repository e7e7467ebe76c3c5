"""`backlight health` as people run it: on runs that are well, on sick ones, and on what cannot be judged."""

import json
from typing import Any

LEARNS = ("--hidden", "64", "--embedding", "16", "--steps", "600", "--eval-interval", "100", "--samples", "0")


def test_a_watched_run_that_is_well(shell: Any) -> None:
    shell.works("train", "names", *LEARNS, "--health", "--name", "well")
    result = shell("health", "well", "--report", "--json")
    assert result.code == 0
    assert result.json["findings"] == []
    assert result.json["watched"] is True
    assert "No findings" in result.err
    page = (shell.folder / "runs" / "well" / "report.html").read_text(encoding="utf-8")
    assert 'id="figure-update-to-data"' in page
    shell.works("figures", "well", "update-to-data")


def test_a_sick_run_is_told_what_and_where(shell: Any) -> None:
    shell.works("train", "names", *LEARNS, "--health", "--output-scale", "30", "--name", "sick")
    found = {one["id"]: one for one in shell("health", "sick", "--json").json["findings"]}
    assert "overconfident-start" in found
    assert found["overconfident-start"]["evidence"][0]["value"] > 10


def test_a_run_that_was_not_watched_is_examined(runs: Any) -> None:
    result = runs("health", "net", "--json")
    assert (result.code, result.json["watched"]) == (0, False)
    assert "Train with --health" in " ".join(result.err.split())
    assert "saturated units" in result.json["checked"]
    assert "update" in runs.refused("figures", "net", "update-to-data", says="Train with --health")


def test_what_cannot_be_judged(runs: Any) -> None:
    runs.refused("health", "counted", says="which counts")
    runs.refused("health", "nowhere", says="there is no 'nowhere'")
    kept = runs.folder / "runs" / "net" / "health.jsonl"
    kept.write_text("{]\n")
    runs.refused("health", "net", says="health.jsonl")


def test_a_finding_is_explained_with_the_lesson_on_it(shell: Any) -> None:
    said = shell.works("health", "--about", "saturated-units", env={"COLUMNS": "80"}).out
    assert "passes next to no gradient" in " ".join(said.split())
    assert said.endswith("Lesson 4: backlight lessons open 4\n")
    assert max(map(len, said.splitlines())) <= 80
    assert shell("health", "--about", "no-step", "--json").json["lessons"] == []
    shell.refused("health", "net", "--about", "no-step", says="takes no run")
    shell.refused("health", "--about", "nothing", says="a finding is one of ")


def test_the_newest_run_is_judged_if_none_is_named(runs: Any) -> None:
    named = json.loads(runs("health", "--json").out.splitlines()[-1])["run"]
    assert named.startswith("runs/")
