"""The callbacks in real trainings of transformers, Lightning and Accelerate: they see it, and do not change it."""

import logging
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn import functional as F  # noqa: N812  (the field's name)
from torch.utils.data import DataLoader, TensorDataset
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from backlight.health import diagnose, watch
from backlight.health.integrations.lightning import Doctor
from backlight.health.integrations.transformers import DoctorCallback
from backlight.health.logs import read_log

pytestmark = pytest.mark.filterwarnings("default")  # these packages warn of what they will change


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


# -- transformers ------------------------------------------------------------------------------------------------------


def texts() -> list[dict[str, torch.Tensor]]:
    start = torch.randint(16, (256, 1))
    ids = (start + torch.arange(8)) % 16  # each id follows from the one before
    return [{"input_ids": row, "labels": row} for row in ids]


def gpt() -> GPT2LMHeadModel:
    small = {"n_layer": 1, "n_head": 2, "n_embd": 32, "vocab_size": 16, "n_positions": 8}
    return GPT2LMHeadModel(GPT2Config(**small, bos_token_id=0, eos_token_id=0))


def fit(model: Any, folder: Path, *callbacks: Any, **settings: Any) -> Trainer:
    given = {
        "max_steps": 80, "per_device_train_batch_size": 16, "learning_rate": 3e-3, "use_cpu": True, "report_to": [],
        "disable_tqdm": True, "save_strategy": "no", "logging_steps": 5, "seed": 1,
    }  # fmt: skip
    data = texts()
    trainer = Trainer(
        model=model, args=TrainingArguments(str(folder), **given | settings), train_dataset=data,
        eval_dataset=data[:32], callbacks=[*callbacks],
    )  # fmt: skip
    trainer.train()
    return trainer


def test_a_healthy_training_of_transformers(tmp_path: Path) -> None:
    shown: list[str] = []
    doctor = DoctorCallback(show=shown.append, record_to=tmp_path / "record.jsonl")
    trainer = fit(gpt(), tmp_path, doctor, eval_strategy="steps", eval_steps=20)
    seen = doctor.measurements
    assert seen is not None
    assert seen.total_steps == 80
    assert [one.step for one in seen.evaluations] == [20, 40, 60, 80]
    assert seen.losses[0].loss > 2
    assert seen.losses[-1].loss < 1
    assert all(one.optimiser_steps == 1 for one in seen.steps)
    assert doctor.diagnosis is not None
    assert not [one for one in doctor.diagnosis.findings if one.severity in {"fatal", "serious"}]
    assert "in 80 steps" in shown[0] or "on 80 steps" in shown[0]
    assert (tmp_path / "record.jsonl").stat().st_size > 1000
    trainer.state.save_to_json(str(tmp_path / "trainer_state.json"))
    log = read_log(tmp_path)
    assert (log.format, len(log.measurements.losses), len(log.measurements.evaluations)) == ("trainer_state", 16, 4)
    assert set(log.columns) == {"loss", "val_loss", "lr", "grad_norm", "step", "epoch"}
    assert diagnose(log.measurements).findings == ()


def test_the_training_of_transformers_is_the_same_to_the_bit(tmp_path: Path) -> None:
    weights = []
    for callbacks in ((), (DoctorCallback(show=None),)):
        torch.manual_seed(2)
        model = gpt()
        fit(model, tmp_path, *callbacks, max_steps=20, gradient_accumulation_steps=2)
        weights.append(model.state_dict())
    assert all(torch.equal(one, weights[1][name]) for name, one in weights[0].items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_rate_of_0_is_found_in_transformers(tmp_path: Path) -> None:
    doctor = DoctorCallback(show=None)
    fit(gpt(), tmp_path, doctor, learning_rate=0.0, max_steps=40)
    assert "no-step" in {one.id for one in doctor.diagnosis.findings}


# -- Lightning ---------------------------------------------------------------------------------------------------------


class Module(lightning.LightningModule):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
        self.rate = rate

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.rate)


def fit_lightning(rate: float, folder: Path, *callbacks: Any, **settings: Any) -> Module:
    torch.manual_seed(0)
    x = torch.randn(512, 10)
    loader = DataLoader(TensorDataset(x, x[:, :4].argmax(1)), 32)
    module = Module(rate)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    logger = lightning.pytorch.loggers.CSVLogger(str(folder), name="", version="")
    given = {"max_epochs": 6, "accelerator": "cpu", "logger": logger, "log_every_n_steps": 2, **quiet, **settings}
    lightning.Trainer(callbacks=[*callbacks], **given).fit(module, loader, loader)
    return module


def test_a_healthy_training_of_lightning(tmp_path: Path) -> None:
    shown: list[str] = []
    doctor = Doctor(show=shown.append)
    fit_lightning(0.3, tmp_path, doctor)
    seen = doctor.measurements
    assert seen is not None
    assert (seen.total_steps, len(seen.evaluations)) == (96, 6)
    assert seen.evaluations[-1].dev < seen.evaluations[0].dev
    assert doctor.diagnosis is not None
    assert doctor.diagnosis.findings == ()
    assert "on 96 steps" in shown[0]
    log = read_log(tmp_path)
    assert (log.format, log.columns["loss"], log.columns["val_loss"]) == ("lightning", "train_loss_step", "val_loss")
    assert (len(log.measurements.losses), len(log.measurements.evaluations)) == (48, 6)


def test_accumulated_gradients_in_lightning_are_one_step_and_change_nothing(tmp_path: Path) -> None:
    doctor = Doctor(show=None)
    watched = fit_lightning(0.3, tmp_path / "a", doctor, accumulate_grad_batches=4, max_epochs=4)
    alone = fit_lightning(0.3, tmp_path / "b", accumulate_grad_batches=4, max_epochs=4)
    assert doctor.measurements.total_steps == 16
    assert all(torch.equal(one, alone.state_dict()[name]) for name, one in watched.state_dict().items())


def test_a_rate_of_0_is_found_in_lightning(tmp_path: Path) -> None:
    doctor = Doctor(show=None)
    fit_lightning(0.0, tmp_path, doctor, max_epochs=3)
    assert "no-step" in {one.id for one in doctor.diagnosis.findings}


def test_what_cannot_be_watched_is_trained(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    doctor = Doctor(record_to=tmp_path / "no folder" / "record.jsonl", show=None)
    with caplog.at_level(logging.WARNING, logger="backlight"):
        module = fit_lightning(0.3, tmp_path, doctor, max_epochs=1)
    assert doctor.diagnosis is None
    assert "the training is not watched" in caplog.text
    torch.manual_seed(0)
    torch.randn(512, 10)
    assert not torch.equal(module.net[0].weight, Module(0.3).net[0].weight)


# -- Accelerate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "expected"), [(0.3, False), (0.0, True)])
def test_a_loop_of_accelerate(rate: float, expected: bool) -> None:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    x = torch.randn(512, 10)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    model, optimizer, loader = accelerator.prepare(
        net, torch.optim.SGD(net.parameters(), rate), DataLoader(TensorDataset(x, x[:, :4].argmax(1)), 16)
    )
    with watch(model, optimiser=optimizer.optimizer) as watcher:
        for _ in range(4):
            for inputs, targets in loader:
                with accelerator.accumulate(model):
                    loss = F.cross_entropy(model(inputs), targets)
                    accelerator.backward(loss)
                    optimizer.step()
                    optimizer.zero_grad()
                if accelerator.sync_gradients:
                    watcher.step(loss)
    seen = watcher.measurements()
    assert seen.total_steps == 64
    assert ("no-step" in {one.id for one in diagnose(seen).findings}) == expected
