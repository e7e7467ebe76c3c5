"""A log alone: files of each form are read as they are written, what is wrong with one is one line, and nothing more
is said than it holds."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from backlight.core import BacklightError, ConfigError, DataError
from backlight.health import diagnose
from backlight.health.logs import read_log
from backlight.health.logs.columns import columns_of
from backlight.health.logs.reading import read_rows

LOSSES = [2.0 * 0.98**step for step in range(100)]


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return write


def lines(*columns: str, sep: str = ",") -> str:
    return "\n".join([sep.join(columns), *(f"{step}{sep}{loss}" for step, loss in enumerate(LOSSES))]) + "\n"


def trainer_state(**more: Any) -> str:
    """Return a file of the documented form: an entry for each logging step and each evaluation, and a summary."""
    history: list[dict[str, Any]] = []
    for step in range(10, 210, 10):
        loss = 2.0 - step / 200
        history.append(
            {"epoch": step / 100, "grad_norm": 1.5, "learning_rate": 5e-5, "loss": loss, "step": step} | more
        )
        if step % 50 == 0:
            history.append({"epoch": step / 100, "eval_loss": loss + 0.1, "eval_runtime": 1.2, "step": step})
    history.append({"epoch": 2.0, "step": 200, "total_flos": 1e12, "train_loss": 1.4, "train_runtime": 60.0})
    return json.dumps({"best_metric": None, "epoch": 2.0, "global_step": 200, "log_history": history}, indent=2)


METRICS = "epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_loss\n" + "".join(
    f",0.001,{step},,,\n0,,{step},,{2.0 - step / 100},\n"
    + (f"0,,{step},,,{2.1 - step / 100}\n0,,{step},1.9,,\n" if step % 40 == 39 else "")
    for step in range(9, 100, 10)
)
"""As Lightning's CSVLogger writes it: one group of columns a row."""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", lines("step", "loss")),
        ("log.csv", "\ufeff" + lines("Step", "Loss").replace("\n", "\r\n")),
        ("log.tsv", lines("global_step", "train/loss", sep="\t")),
        ("wandb.csv", lines("Step", "calm-sun-3 - train/loss")),
        ("log.jsonl", "".join(json.dumps({"step": s, "train": {"loss": x}}) + "\n" for s, x in enumerate(LOSSES))),
        ("log.txt", "".join(json.dumps({"iter": s, "loss": str(x)}) + "\n" for s, x in enumerate(LOSSES))),
        ("cut.jsonl", "".join(json.dumps({"step": s, "loss": x}) + "\n" for s, x in enumerate(LOSSES)) + '{"st'),
        ("list.json", json.dumps([{"step": s, "loss": x} for s, x in enumerate(LOSSES)])),
        ("no-step.csv", lines("time", "loss")),
    ],
)
def test_a_log_is_read(file: Any, name: str, text: str) -> None:
    log = read_log(file(name, text))
    assert [one.loss for one in log.measurements.losses] == pytest.approx(LOSSES)
    assert [one.step for one in log.measurements.losses] == list(range(100))
    assert log.measurements.total_steps == 100
    diagnosis = diagnose(log.measurements)
    assert diagnosis.findings == ()
    assert str(diagnosis).startswith("No findings: 4 checks on the log of 100 steps found nothing wrong.")
    assert {"steps taken", "saturated units", "logged gradient norms", "learning rate too high"} <= {*diagnosis.unknown}


def test_a_trainer_state(file: Any, tmp_path: Path) -> None:
    file("trainer_state.json", trainer_state())
    log = read_log(tmp_path)  # the folder of a checkpoint
    assert log.format == "trainer_state"
    assert log.columns == {
        "loss": "loss", "val_loss": "eval_loss", "lr": "learning_rate", "grad_norm": "grad_norm", "step": "step",
        "epoch": "epoch",
    }  # fmt: skip
    seen = log.measurements
    assert len(seen.steps) == 20  # the summary at the end is no minibatch
    assert (seen.steps[-1].lr, seen.steps[-1].gradient_norm) == ((5e-5,), 1.5)
    assert [(one.step, round(one.dev, 3)) for one in seen.evaluations] == [
        (50, 1.85),
        (100, 1.6),
        (150, 1.35),
        (200, 1.1),
    ]
    assert "logged gradient norms" in diagnose(seen).checked


def test_lightnings_metrics(file: Any, tmp_path: Path) -> None:
    file("metrics.csv", METRICS)
    log = read_log(tmp_path)
    assert log.format == "lightning"
    assert (log.columns["loss"], log.columns["lr"]) == ("train_loss_step", "lr-AdamW")
    assert [one.step for one in log.measurements.steps] == list(range(9, 100, 10))
    assert {one.lr for one in log.measurements.steps} == {(0.001,)}
    assert [one.step for one in log.measurements.evaluations] == [39, 79]


def test_tensorboards_events(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:
        for step, loss in enumerate(LOSSES):
            writer.add_scalar("Loss/train", loss, step)
            writer.add_scalar("lr", 1e-3, step, new_style=step % 2 == 0)
        writer.add_scalar("Loss/test", 1.0, 99)
        writer.add_text("note", "hello", 0)
    log = read_log(tmp_path)
    assert log.format == "tensorboard"
    assert log.columns == {"loss": "Loss/train", "val_loss": "Loss/test", "lr": "lr", "step": "step"}
    assert [one.loss for one in log.measurements.losses] == pytest.approx(LOSSES)
    assert log.measurements.steps[-1].lr == pytest.approx((1e-3,))
    (one,) = tmp_path.iterdir()
    assert read_log(one).rows == 100
    broken = tmp_path / "broken" / "events.out.tfevents.1"
    broken.parent.mkdir()
    broken.write_bytes(b"nothing of the sort")
    with pytest.raises(DataError, match=r"has none|cannot read"):
        read_log(broken)


def test_what_broke_is_found(file: Any) -> None:
    nan = read_log(file("nan.csv", "step,loss\n" + "".join(f"{s},{'nan' if s > 60 else 2.0}\n" for s in range(100))))
    assert [one.id for one in diagnose(nan.measurements).findings] == ["not-finite"]
    hidden = trainer_state()
    history = json.loads(hidden)["log_history"]
    for row in history:
        if row["step"] > 100 and "loss" in row:
            row |= {"loss": 0.0, "grad_norm": math.nan}
    found = read_log(file("hidden.json", json.dumps({"log_history": history})))
    assert "loss-zeroed" in {one.id for one in diagnose(found.measurements).findings} | {
        title for one in diagnose(found.measurements).findings for title in one.consequences
    }
    scaled = trainer_state()
    history = json.loads(scaled)["log_history"]
    for at in (0, -3):  # steps of a mixed-precision training, which its scaler leaves out
        history[at]["grad_norm"] = math.inf
    assert diagnose(read_log(file("scaled.json", json.dumps(history))).measurements).findings == ()


def test_a_rate_that_ended(file: Any) -> None:
    text = "step,loss,lr\n" + "".join(f"{s},{2 + s % 3 / 50},{0.1 if s < 20 else 0}\n" for s in range(0, 400, 4))
    assert [one.id for one in diagnose(read_log(file("a.csv", text)).measurements).findings] == ["rate-ended"]


def test_overfitting(file: Any) -> None:
    rows = ["step,loss,val_loss", *(f"{s},{2 * 0.99**s}," for s in range(400))]
    rows += [f"{s},,{1.0 + abs(s - 100) / 200}" for s in range(50, 400, 50)]
    found = diagnose(read_log(file("a.csv", "\n".join(rows))).measurements)
    assert [one.id for one in found.findings] == ["overfitting"]


def test_a_resumed_training_says_some_steps_twice(file: Any) -> None:
    text = "step,loss\n" + "".join(f"{s},9\n" for s in range(50)) + "".join(f"{s},1\n" for s in range(40, 60))
    seen = read_log(file("a.csv", text)).measurements
    assert [one.loss for one in seen.losses] == [9.0] * 40 + [1.0] * 20


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "step,loss\n", "has none"),
        ("a.csv", "1,2\n3,4\n", "names its columns"),
        ("a.csv", "step,speed\n1,2\n", "its columns are step, speed"),
        ("a.csv", "step,loss\n1,fast\n", "in row 1 it has 'fast'"),
        ("a.csv", b"\xff\xfe\x00", "UTF-8"),
        ("a.jsonl", '{"loss": 1}\nno\n{"loss": 2}\n', "line 2 of"),
        ("a.jsonl", '{"loss": 1}\n[1]\n', "entry 2 of"),
        ("a.json", "[1, 2]", "is an object"),
        ("a.json", '{\n"a": 1}', "list log_history"),
        ("a.json", '{\n"log_history": 1', "is not JSON"),
        ("a.jsonl", '{"loss": true}\n', "has True"),
        ("a.jsonl", "{}\n", "its columns are none"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(file: Any, name: str, text: Any, says: str) -> None:
    path = file(name, text)
    with pytest.raises(DataError) as error:
        read_log(path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_what_is_wrong_with_the_question(file: Any, tmp_path: Path) -> None:
    path = file("a.csv", lines("step", "error"))
    assert read_log(path, columns={"loss": "error"}).columns["loss"] == "error"
    for chosen, error in (({"loss": "nothing"}, DataError), ({"speed": "error"}, ConfigError)):
        with pytest.raises(error):
            read_log(path, columns=chosen)
    with pytest.raises(ConfigError, match="csv, jsonl"):
        read_log(path, format="xml")
    for wrong in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(BacklightError):
            read_rows(wrong)


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        (["train_loss", "loss"], "loss"),
        (["Train Loss", "val_loss"], "Train Loss"),
        (["train_loss_epoch", "train_loss_step"], "train_loss_step"),
        (["loss/train", "loss/val"], "loss/train"),
        (["run - train/loss__MIN", "run - train/loss"], "run - train/loss"),
    ],
)
def test_usual_names(columns: list[str], chosen: str) -> None:
    rows = [dict.fromkeys(columns, 1.0)] * 3
    assert columns_of(rows, {})["loss"] == chosen


def test_a_total_at_the_end_is_not_the_loss() -> None:
    rows = [{"loss/train": 1.0}] * 3 + [{"loss": 0.5}]
    assert columns_of(rows, {})["loss"] == "loss/train"


def test_a_smallest_value_in_an_export_is_not_the_rate() -> None:
    assert "lr" not in columns_of([{"run - loss": 1.0, "run - lr__MIN": 0.1}] * 3, {})
