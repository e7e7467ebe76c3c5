"""`backlight health` as people run it: on healthy runs, on faulty ones, on files, and on what it cannot check."""

import json
from pathlib import Path
from typing import Any

LEARNS = ("--hidden", "64", "--embedding", "16", "--steps", "600", "--eval-interval", "100", "--samples", "0")


def test_a_healthy_run_with_a_record(shell: Any) -> None:
    shell.works("train", "names", *LEARNS, "--health", "--name", "healthy")
    result = shell("health", "healthy", "--report", "--json")
    assert result.code == 0
    assert result.json["findings"] == []
    assert result.json["watched"] is True
    assert "No findings: " in result.err
    page = (shell.folder / "runs" / "healthy" / "report.html").read_text(encoding="utf-8")
    assert 'id="figure-update-to-data"' in page
    shell.works("figures", "healthy", "update-to-data")
    again = shell("health", "runs/healthy/health.jsonl", "--report", "--json")  # the record alone, as a file
    assert again.json["checked"] == result.json["checked"]
    assert Path(again.json["report"]).name == "health.jsonl.html"
    assert (shell.folder / "runs" / "healthy" / "health.jsonl.html").is_file()


def test_the_findings_of_a_faulty_run(shell: Any) -> None:
    shell.works("train", "names", *LEARNS, "--health", "--output-scale", "30", "--name", "faulty")
    found = {one["id"]: one for one in shell("health", "faulty", "--json").json["findings"]}
    assert "overconfident-start" in found
    assert found["overconfident-start"]["evidence"][0]["value"] > 10


def test_a_run_without_a_record_is_examined(runs: Any) -> None:
    result = runs("health", "net", "--json")
    assert (result.code, result.json["watched"]) == (0, False)
    assert "Train with --health" in " ".join(result.err.split())
    assert "saturated units" in result.json["checked"]
    assert "update" in runs.refused("figures", "net", "update-to-data", says="Train with --health")


def test_what_has_no_health(runs: Any) -> None:
    runs.refused("health", "counted", says="which counts")
    runs.refused("health", "nowhere", says="there is no 'nowhere'")
    record = runs.folder / "runs" / "net" / "health.jsonl"
    record.write_text("{]\n")
    runs.refused("health", "net", says="health.jsonl")
    runs.refused("health", "runs/net/health.jsonl", says="health.jsonl")


def test_a_finding_is_explained_with_the_lesson_on_it(shell: Any) -> None:
    shown = shell.works("health", "--about", "saturated-units", env={"COLUMNS": "80"}).out
    assert "passes next to no gradient" in " ".join(shown.split())
    assert shown.endswith("Lesson 4: backlight lessons open 4\n")
    assert max(map(len, shown.splitlines())) <= 80
    assert shell("health", "--about", "no-step", "--json").json["lessons"] == []
    shell.refused("health", "net", "--about", "no-step", says="takes no run")
    shell.refused("health", "--about", "nothing", says="a finding is one of ")


def test_the_newest_run_if_none_is_named(runs: Any) -> None:
    named = json.loads(runs("health", "--json").out.splitlines()[-1])["run"]
    assert named.startswith("runs/")
