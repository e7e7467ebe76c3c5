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
    assert '"update_to_data":' in page  # the recording is inside, and so are the samples
    assert '"type":"samples","step":0' in page
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


def log_of(folder: Path, loss: str = "2 * 0.98**step") -> Path:
    path = folder / "log.csv"
    rows = (f"{step},{eval(loss, {'step': step})}\n" for step in range(400))  # noqa: S307
    path.write_text("step,my_loss,lr\n" + "".join(row.replace("\n", ",0.1\n") for row in rows), encoding="utf-8")
    return path


def test_a_log_alone(shell: Any) -> None:
    log_of(shell.folder)
    result = shell.works("health", "--log", "log.csv", "--column", "loss=my_loss")
    assert "400 rows of csv: loss from 'my_loss', lr from 'lr', step from 'step'." in result.out
    assert "No findings: 5 checks on the log of 400 steps" in result.out
    assert "Not checked" in result.out
    assert "saturated units" in result.out
    shell.refused("health", "--log", "log.csv", says="Choose one: --column loss=NAME")
    shell.refused("health", "--log", "nowhere.csv", says="there is no 'nowhere.csv'")
    (shell.folder / "empty.csv").write_text("")
    shell.refused("health", "--log", "empty.csv", says="nothing can be said")
    shell.refused("health", "a", "--log", "log.csv", says="Leave one of them out")
    shell.refused("health", "--log", "log.csv", "--trials", says="--trials needs a network")
    shell.refused("health", "--log", "log.csv", "--column", "my_loss", says="as in loss=my_loss")
    shell.refused("health", "--format", "csv", says="Add --log FILE")
    shell.refused("health", "--log", "log.csv", "--format", "xml", says="csv, jsonl")


def test_a_finding_fails_a_build(shell: Any) -> None:
    log_of(shell.folder, "2 + step / 100")
    ask = ("health", "--log", "log.csv", "--column", "loss=my_loss", "--json")
    for severity, code in (("note", 2), ("warning", 2), ("serious", 0), ("fatal", 0)):
        result = shell(*ask, "--fail-on", severity)
        assert (result.code, result.json["failed"], result.json["fail_on"]) == (code, code == 2, severity)
        assert [one["id"] for one in result.json["findings"]] == ["loss-rose"]
    assert shell(*ask).code == 0
    shell.refused(*ask, "--fail-on", "minor", says="--fail-on takes one of note, warning, serious, fatal")


def entries_of(page: str) -> dict[str, set[str]]:
    """Return the entries of each object that docs/health_json.md describes."""
    found: dict[str, set[str]] = {}
    for part in page.split("\n## ")[1:]:
        name, _, rest = part.partition("\n")
        found[name] = {line.split("`")[1] for line in rest.splitlines() if line.startswith("| `")}
    return found


def test_the_object_is_the_one_that_is_described(runs: Any) -> None:
    described = entries_of((Path(__file__).parents[2] / "docs" / "health_json.md").read_text(encoding="utf-8"))
    told = runs("health", "net", "--json", "--trials", "--minutes", "0.05", "--report").json
    assert told.keys() == described["HealthOutput"]
    assert (told["schema"], told["source"], told["watched"]) == (1, "examine", False)
    assert len(told["trials"]) == 8
    for objects, name in (("findings", "Finding"), ("trials", "TrialResult"), ("candidates", "Candidate")):
        assert all(one.keys() == described[name] for one in told[objects])
    assert all(number.keys() == described["Observation"] for one in told["trials"] for number in one["seen"])
    path = log_of(runs.folder, "2 + step / 100")
    found = runs("health", "--log", path, "--column", "loss=my_loss", "--json").json
    assert found.keys() == described["HealthOutput"]
    assert found["columns"] == {"loss": "my_loss", "lr": "lr", "step": "step"}
    assert all(one.keys() == described["Finding"] for one in found["findings"])
    assert all(one.keys() == described["Evidence"] for one in found["findings"][0]["evidence"])
    assert "NotMeasured" in described


def test_trials_on_a_run(shell: Any) -> None:
    shell.works("train", "names", *LEARNS, "--name", "net")
    weights = (shell.folder / "runs" / "net" / "weights.safetensors").read_bytes()
    result = shell.works("health", "net", "--trials", "--minutes", "0.3")
    assert (shell.folder / "runs" / "net" / "weights.safetensors").read_bytes() == weights
    assert "trials were made on copies of the network" in result.out
    assert "Where the fault may lie" in result.out
    assert "pointed at" not in result.out
    shell.refused("health", "net", "--minutes", "1", says="Add --trials")
    shell.refused("health", "net", "--trials", "--minutes", "0", says="minutes must be above 0")
