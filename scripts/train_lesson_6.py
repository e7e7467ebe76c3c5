"""Train the pretrained network of exercise 6.2, and save its weights in the package; this takes about 20 s.

    python scripts/train_lesson_6.py

The network is an MLP that reads six characters. It is trained on the train part of the included names (seed 1, split
seed 42). The weights of the best evaluation on dev are saved in float16: 62 thousand numbers of 2 bytes. The script
prints the losses of the saved weights.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from backlight.lessons.recorded import PRETRAINED, WEIGHTS, load_pretrained
from backlight.training import Run, RunConfig, mean_nll

PATH = Path(__file__).parents[1] / "src" / "backlight" / "lessons" / "weights" / WEIGHTS


def main() -> None:
    """Train, save the weights, and print their losses."""
    settings = {name: size for name, size in asdict(PRETRAINED).items() if name != "vocabulary_size"}
    run = Run.create(RunConfig.of("names", steps=12_000, weight_decay=0.08, **settings))
    run.train()
    arrays, facts = run.store.load_weights()
    PATH.parent.mkdir(exist_ok=True)
    save_file({name: array.astype(np.float16) for name, array in arrays.items()}, PATH)
    net = load_pretrained()
    nats = {part: mean_nll(net, run.data[part]) for part in ("train", "dev", "test")}
    print(f"{PATH.name}  {PATH.stat().st_size:,} bytes  step {facts['step']:,}")
    print("  ".join(f"{part} {loss:.4f}" for part, loss in nats.items()))


if __name__ == "__main__":
    main()
