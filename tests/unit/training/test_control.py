"""What others ask of a training, from the moment on in which they see that it goes on."""

from pathlib import Path
from typing import Any

import pytest

from backlight.training import Run, RunConfig, Trainer, trainer
from backlight.training.control import Request, ask


def test_what_is_asked_while_the_trainer_is_made_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the lock on others see that the run is trained, and may ask; the trainer comes later."""
    made = Run.trainer

    def late(run: Run, *given: Any) -> Trainer:
        ask(run.store, Request(stop=True))
        return made(run, *given)

    monkeypatch.setattr(Run, "trainer", late)
    monkeypatch.setattr(trainer, "PROGRESS_SECONDS", 0.0)
    run = Run.create(RunConfig.of("names", model="bigram", steps=50, eval_interval=50), tmp_path / "run")
    assert run.train() is False
