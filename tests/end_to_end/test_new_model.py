"""A model in one file and one line of registration: every command that handles models then has it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODEL = '''
"""A model that is made for this test: the vectors of the last characters are summed, not joined."""

from dataclasses import dataclass

from backlight.core.settings import setting
from backlight.models import ModelConfig, ModelSpec
from backlight.models.neural import NeuralModel
from backlight.nn import Embedding, Linear


@dataclass(frozen=True, kw_only=True)
class BagConfig(ModelConfig):
    context: int = setting("Context length in characters.", default=3, at_least=1, at_most=100)
    bag_size: int = setting("Length of the bag's vector.", default=8, at_least=2, at_most=64)
    no_order: bool = setting("A switch of this model only.", default=False)


class Bag(NeuralModel):
    fixed_graph = True

    def __init__(self, config, *, rng):
        self.config, self.vocabulary_size, self.context = config, config.vocabulary_size, config.context
        self.embedding = Embedding(config.vocabulary_size, config.bag_size, rng=rng)
        self.output = Linear(config.bag_size, config.vocabulary_size, scale=0.1, rng=rng)

    def forward(self, x):
        return self.output(self.embedding(x).sum(1).tanh())


SPEC = ModelSpec(
    name="bag", summary="a bag of characters", config=BagConfig, build=lambda config, rng: Bag(config, rng=rng),
    train={"steps": 40, "batch_size": 8, "lr": 0.05}, quick={"steps": 20}, cost=1,
)
'''

MAIN = """
import bag
from backlight.cli import main
from backlight.models import register_model

register_model(bag.SPEC)

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def run(shell: Any) -> Any:
    """Run the command with the model registered, in a process of its own."""
    shell.write("bag.py", MODEL)
    shell.write("own.py", MAIN)

    def call(*words: object, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "own.py", *map(str, words)],
            cwd=shell.folder, env=shell.environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if code == 0 else done.stderr

    call.folder = shell.folder  # type: ignore[attr-defined]
    return call


def test_it_is_trained_sampled_scored_shown_and_compared(run: Any) -> None:
    shown = run("train", "--help")
    assert "--bag-size" in shown
    assert "Length of the bag's vector" in shown
    assert "--no-order" in shown
    out = run("train", "names.txt", "--model", "bag", "--bag-size", "4", "--name", "mine", "--health")
    assert "bag on names.txt" in out
    assert len(run("sample", "mine", "--count", "3", "--seed", "1").splitlines()) == 3
    assert "nats" in run("score", "mine", "names.txt")
    assert "bag_size" in run("runs", "show", "mine")
    run("health", "mine")
    run("figures", "mine", "loss", "embedding")
    found = json.loads(run("compare", "names.txt", "--models", "bag,ngram", "--json").splitlines()[-1])
    assert [row["model"] for row in found["models"]] == ["ngram", "bag"]
    assert found["models"][1]["steps"] <= 20


def test_what_is_wrong_with_it_is_one_line(run: Any) -> None:
    for words, says in (
        (("--bag-size", "1"), "bag_size must be from 2 to 64; got 1"),
        (("--hidden", "4"), "hidden is a setting of mlp, wavenet, rnn, gru, lstm; bag has context, bag_size, no_order"),
    ):
        err = run("train", "names.txt", "--model", "bag", *words, code=1)
        assert says in err
        assert err.count("\n") == 1
    err = run("gradcheck", "--model", "bag", code=1)
    assert "gradcheck/model_cases.py" in err


def test_it_is_resumed(run: Any) -> None:
    words = ("train", "names.txt", "--model", "bag", "--steps", "400", "--eval-interval", "10")
    run(*words, "--name", "whole")
    code = (
        "import signal, sys\nimport bag\nfrom backlight.models import register_model\nregister_model(bag.SPEC)\n"
        "from backlight.training.trainer import Trainer\nsave = Trainer.save\n"
        "def stop(trainer, **how):\n    save(trainer, **how)\n"
        "    trainer.step == 50 and signal.raise_signal(signal.SIGINT)\n"
        "Trainer.save = stop\nfrom backlight.cli import main\nsys.argv[0] = 'backlight'\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--name", "stopped"],
        cwd=run.folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 128 + signal.SIGINT
    run("train", "--resume", "stopped")
    whole, stopped = (Path(run.folder) / "runs" / name / "weights.safetensors" for name in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()
