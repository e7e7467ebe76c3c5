"""Train the network whose weights the check of exercise 6.2 keeps, and keep them again; about 20 s.

    python scripts/train_lesson_6.py

An MLP that reads six characters, on the training part of the embedded names (seed 1, split seed 42). Of the recipe's
evaluations on the dev part the best is kept, as every run keeps it, and rounded to half precision: 62 thousand numbers
of 2 bytes. What it then reaches on the held-out parts is printed.
"""

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from backlight.lessons.recorded import PRETRAINED, WEIGHTS, load_pretrained
from backlight.training import RECIPES, Plan, mean_nll, prepare

PATH = Path(__file__).parents[1] / "src" / "backlight" / "lessons" / "weights" / WEIGHTS


def main() -> None:
    """Train, keep, and print what was kept."""
    recipe = replace(RECIPES["mlp"], steps=12_000, weight_decay=0.08)
    settings = {name: size for name, size in asdict(PRETRAINED).items() if name != "vocabulary_size"}
    plan = Plan(corpus="names", model="mlp", settings=settings, recipe=recipe)
    with tempfile.TemporaryDirectory() as folder:
        session = prepare(plan, Path(folder) / "run")
        session.trainer().fit()
        arrays, facts = session.run.load_weights()
    PATH.parent.mkdir(exist_ok=True)
    save_file({name: array.astype(np.float16) for name, array in arrays.items()}, PATH)
    net = load_pretrained()
    nats = {part: mean_nll(net, session.data[part]) for part in ("train", "dev", "test")}
    print(f"{PATH.name}  {PATH.stat().st_size:,} bytes  step {facts['step']:,}")
    print("  ".join(f"{part} {loss:.4f}" for part, loss in nats.items()))


if __name__ == "__main__":
    main()
