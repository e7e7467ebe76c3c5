"""Make the figures of docs/gallery.md, from networks that are trained for them.

    python scripts/make_gallery.py [--keep FOLDER]

This takes about two minutes. Each figure is drawn for light and for dark pages.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from threadpoolctl import threadpool_limits

from backlight.figures import FIGURES, NoFigureError, RunData, SizedFigure, new_figure
from backlight.models.neural import NeuralModel
from backlight.runs.atomic import write_atomically
from backlight.training import Run, RunConfig, TrainConfig
from backlight.watch.api import watch
from backlight.watch.records import Measurements

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images" / "gallery"
BACKLIGHT = str(Path(sys.executable).with_name("backlight"))

DOTS = 140
"""Pixels per inch: a figure of 8 inches has 1,120, more than the width of a column of text on the web."""

COLOURS = 200
"""Colours of a PNG file: a figure has few, those of lines, text and one colour map."""

RUNS = {
    **{f"runs/{order}-gram": ("--model", "ngram", "--order", str(order)) for order in range(1, 6)},
    "runs/bigram": ("--model", "bigram"),
    "runs/mlp": ("--model", "mlp", "--hidden", "100,100,100,100", "--steps", "2500"),
    "runs/wavenet": ("--model", "wavenet", "--steps", "1200"),
    "runs/gpt": ("--model", "gpt", "--steps", "1500"),
    "others/plane": ("--model", "mlp", "--embedding", "2", "--context", "3", "--hidden", "200", "--steps", "4000"),
    "others/overconfident": ("--model", "mlp", "--output-scale", "20", "--steps", "1000"),
}
"""The options of each training run, by folder. Those in `others` are not part of the figure "league"."""


def train(folder: Path) -> None:
    """Train all runs in a folder, except those that are there already."""
    for name, options in RUNS.items():
        if (folder / name / "result.json").is_file():
            continue
        print(f"train {name}", flush=True)
        group, own = name.split("/")
        subprocess.run(
            [BACKLIGHT, "train", "names", "--runs", group, "--name", own, "--samples", "0", *options],
            cwd=folder, env={**os.environ, "COLUMNS": "80"}, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip


def watched(steps: int, *, lr: float | None = None, fault: Callable[[NeuralModel], None] | None = None) -> Measurements:
    """Train an MLP of five tanh layers on the names, and return measurements of the training.

    Args:
        steps: training steps.
        lr: the learning rate; the model's default if None.
        fault: changes the initial weights to something wrong.
    """
    config = TrainConfig.of("mlp", steps=steps, warmup=0, **({} if lr is None else {"lr": lr}))
    run = Run.create(RunConfig(corpus="names", model="mlp", settings={"hidden": [100] * 5}, train=config))
    model: Any = run.model
    if fault is not None:
        fault(model)
    optimiser, rate, rng = config.build(model.flat()), config.rate(), run.batch_rng()
    with threadpool_limits(1), watch(model, optimiser=optimiser) as watcher:
        for step in range(steps):
            loss = model.loss(run.data["train"].sample(config.batch_size, rng))
            optimiser.zero_grad()
            loss.backward()
            optimiser.lr = rate(step)
            optimiser.step()
            watcher.step(loss)
    return watcher.measurements()


def scaled(factor: float) -> Callable[[NeuralModel], None]:
    """Return a function that multiplies the weights of all hidden layers by a factor."""

    def scale(model: NeuralModel) -> None:
        for name, parameter in model.named_parameters():
            if name.startswith("hidden") and name.endswith("weight"):
                parameter.array *= factor

    return scale


def deaden(model: NeuralModel) -> None:
    """Set every eighth bias of the hidden layers to 6."""
    for name, parameter in model.named_parameters():
        if name.startswith("hidden") and name.endswith("bias"):
            parameter.array[::8] = 6


EXAMPLES: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(["bigram-counts", "bigram-probabilities", "weights", "weight-gradient", "firing-rates"],
                    ("runs/bigram", None)),
    "embedding": ("others/plane", None),
    "next-character": ("runs/gpt", "mar"),
    "surprise": ("runs/gpt", "elizabeth"),
    "attention": ("runs/gpt", "alexandria"),
    "receptive-field": ("runs/wavenet", "alexandr"),
}  # fmt: skip
"""The run and the text of a figure; figures without an entry use runs/mlp. Figures of layers need no run."""


def figures(folder: Path) -> Iterator[tuple[str, SizedFigure]]:
    """Yield the name of each image, and its figure."""
    print("watch", flush=True)
    yield "loss-faulty", FIGURES["loss"].of(RunData(folder / "others/overconfident"))
    large, small, dead = (watched(1, fault=fault) for fault in (scaled(3), scaled(0.3), deaden))
    for name, faulty in (("activations", large), ("saturation", large), ("dead-units", dead),
                       ("activation-gradients", small), ("update-to-data", watched(400, lr=5e-6))):  # fmt: skip
        yield f"{name}-faulty", FIGURES[name].of(faulty)
    first = watched(1)
    for name, spec in FIGURES.items():
        if name == "update-to-data":
            yield name, spec.of(watched(1500))
            continue
        try:
            yield name, spec.of(first)
        except NoFigureError:
            run, text = EXAMPLES.get(name, ("runs/mlp", None))
            yield name, spec.of(RunData(folder / run, text=text))


def draw(figure: SizedFigure, path: Path, *, dark: bool) -> None:
    """Write a figure as a PNG file with few colours.

    Args:
        figure: the figure.
        path: the file to write.
        dark: light on dark instead of dark on light.
    """
    with new_figure(figure.width, figure.height, dark=dark, layout=figure.layout) as drawn:
        figure.draw(drawn)
        raw = BytesIO()
        drawn.savefig(raw, dpi=DOTS, bbox_inches="tight", pad_inches=0.12)
    few = Image.open(raw).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    whole = BytesIO()
    few.save(whole, "PNG", optimize=True)
    write_atomically(path, whole.getvalue())


def main() -> None:
    """Train, draw, and print the total size of the images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="keep the runs in this folder, and use those that are already there")
    keep: Path | None = parser.parse_args().keep
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        train(folder)
        for name, figure in figures(folder):
            print(name, flush=True)
            draw(figure, IMAGES / f"{name}.png", dark=False)
            draw(figure, IMAGES / f"{name}-dark.png", dark=True)
    size = sum(path.stat().st_size for path in IMAGES.iterdir())
    print(f"{len(list(IMAGES.iterdir()))} images, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
