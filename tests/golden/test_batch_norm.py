"""Networks with batch norm, trained through the command to the losses of the lectures' 200,000 steps."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("backlight")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "parameters", "at_most"),
    [
        (
            "--batch-norm --context 3 --embedding 10 --hidden 200 --steps 20000 --lr 3e-3 --weight-decay 0.01",
            12_097,
            2.105,
        ),
        ("--model wavenet --embedding 10 --hidden 68 --steps 15000 --weight-decay 0.03", 22_397, 2.025),
    ],
    ids=["mlp", "wavenet"],
)
def test_batch_norm_comes_to_the_lectures_losses(words, parameters, at_most, tmp_path, makemore_names) -> None:
    command = [COMMAND, "train", makemore_names, *words.split(), "--duplicates", "keep", "--samples", "0", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=400)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["parameters"] == parameters
    assert result["dev_nats"] <= at_most
    assert abs(result["dev_nats"] - result["test_nats"]) < 0.02
