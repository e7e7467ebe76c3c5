"""Make the pictures of docs/gallery.md again, from networks that are trained for it.

    python scripts/make_gallery.py [--keep FOLDER]

Takes about two minutes. Each picture is drawn for light and for dark pages.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from threadpoolctl import threadpool_limits

from backlight.figures.catalogue import PICTURES
from backlight.figures.data import Source, measured
from backlight.figures.pages import Page
from backlight.figures.saving import new_figure
from backlight.models.neural import NeuralModel
from backlight.runs import RunDirectory
from backlight.runs.atomic import write_atomically
from backlight.training import Run, RunConfig, TrainConfig
from backlight.watch.api import watch
from backlight.watch.records import Measurements

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images" / "gallery"
BACKLIGHT = str(Path(sys.executable).with_name("backlight"))

DOTS = 140
"""Per inch: a page of 8 inches has 1,120, more than a column of text on the web takes."""

COLOURS = 200
"""A picture has few: lines, letters and one scale of colours."""

RUNS = {
    **{f"runs/{order}-gram": ("--model", "ngram", "--order", str(order)) for order in range(1, 6)},
    "runs/bigram": ("--model", "bigram"),
    "runs/mlp": ("--model", "mlp", "--hidden", "100,100,100,100", "--steps", "2500"),
    "runs/wavenet": ("--model", "wavenet", "--steps", "1200"),
    "runs/gpt": ("--model", "gpt", "--steps", "1500"),
    "others/plane": ("--model", "mlp", "--embedding", "2", "--context", "3", "--hidden", "200", "--steps", "4000"),
    "others/overconfident": ("--model", "mlp", "--output-scale", "20", "--steps", "1000"),
}
"""By folder, the options that each is trained with. The others are not for the league."""


def train(folder: Path) -> None:
    """Train all runs in a folder; those that are there already are left alone."""
    for name, options in RUNS.items():
        if (folder / name / "result.json").is_file():
            continue
        print(f"train {name}", flush=True)
        group, own = name.split("/")
        subprocess.run(
            [BACKLIGHT, "train", "names", "--runs", group, "--name", own, "--samples", "0", *options],
            cwd=folder, env={**os.environ, "COLUMNS": "80"}, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip


@dataclass(frozen=True)
class Watched:
    """A network that was watched, as what pictures are made of."""

    measurements: Measurements


def watched(steps: int, *, lr: float | None = None, sick: Callable[[NeuralModel], None] | None = None) -> Watched:
    """Train an MLP of five tanh layers on the names, and measure it on the way.

    Args:
        steps: minibatches.
        lr: the learning rate; the model's default if None.
        sick: does something to the first weights that should not be done.
    """
    config = TrainConfig.of("mlp", steps=steps, warmup=0, **({} if lr is None else {"lr": lr}))
    run = Run.create(RunConfig(corpus="names", model="mlp", settings={"hidden": [100] * 5}, train=config))
    model: Any = run.model
    if sick is not None:
        sick(model)
    optimiser, rate, rng = config.build(model.flat()), config.rate(), run.batch_rng()
    with threadpool_limits(1), watch(model, optimiser=optimiser) as watcher:
        for step in range(steps):
            loss = model.loss(run.data["train"].sample(config.batch_size, rng))
            optimiser.zero_grad()
            loss.backward()
            optimiser.lr = rate(step)
            optimiser.step()
            watcher.step(loss)
    return Watched(watcher.measurements())


def scaled(factor: float) -> Callable[[NeuralModel], None]:
    """Return what multiplies the weights of all hidden layers."""

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


def layer_pictures() -> Iterator[tuple[str, Callable[[], Page]]]:
    """Yield the pictures of layers: of a net that is well, and of nets that are not."""
    print("watch", flush=True)
    well, large, small, dead = (
        watched(1),
        watched(1, sick=scaled(3)),
        watched(1, sick=scaled(0.3)),
        watched(1, sick=deaden),
    )
    yield "activations", lambda: measured.activations(well)
    yield "activations-sick", lambda: measured.activations(large)
    yield "preactivations", lambda: measured.preactivations(well)
    yield "saturation", lambda: measured.saturation(well)
    yield "saturation-sick", lambda: measured.saturation(large)
    yield "dead-units", lambda: measured.dead_units(well)
    yield "dead-units-sick", lambda: measured.dead_units(dead)
    yield "activation-gradients", lambda: measured.activation_gradients(well)
    yield "activation-gradients-sick", lambda: measured.activation_gradients(small)
    yield "weight-gradients", lambda: measured.weight_gradients(well)
    yield "gradient-to-data", lambda: measured.gradient_to_data(well)
    yield "update-to-data", lambda: measured.update_to_data(watched(1500))
    yield "update-to-data-sick", lambda: measured.update_to_data(watched(400, lr=5e-6))


def pictures(folder: Path) -> Iterator[tuple[str, Callable[[], Page]]]:
    """Yield the name of each picture and what makes its page."""

    def of(run: str, picture: str, text: str | None = None) -> Callable[[], Page]:
        source = Source(RunDirectory.open(folder / run), text=text)
        return lambda: PICTURES[picture].gather(source)

    for picture in ("bigram-counts", "bigram-probabilities", "weights", "weight-gradient", "firing-rates"):
        yield picture, of("runs/bigram", picture)
    yield "embedding", of("others/plane", "embedding")
    yield "loss", of("runs/mlp", "loss")
    yield "loss-sick", of("others/overconfident", "loss")
    yield "rate-sweep", of("runs/mlp", "rate-sweep")
    yield "next-character", of("runs/gpt", "next-character", "mar")
    yield "surprise", of("runs/gpt", "surprise", "elizabeth")
    yield "dlogits", of("runs/mlp", "dlogits")
    yield "attention", of("runs/gpt", "attention", "alexandria")
    yield "receptive-field", of("runs/wavenet", "receptive-field", "alexandr")
    yield "league", of("runs/mlp", "league")
    yield from layer_pictures()


def draw(page: Page, path: Path, *, dark: bool) -> None:
    """Write a page as a PNG of few colours."""
    with new_figure(page.width, page.height, dark=dark) as figure:
        page.draw(figure)
        raw = BytesIO()
        figure.savefig(raw, dpi=DOTS, bbox_inches="tight", pad_inches=0.12)
    few = Image.open(raw).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    whole = BytesIO()
    few.save(whole, "PNG", optimize=True)
    write_atomically(path, whole.getvalue())


def main() -> None:
    """Train, draw, and say how large it all is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="train in this folder and keep the runs, or use those that are there")
    kept: Path | None = parser.parse_args().keep
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = kept or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        train(folder)
        for name, make in pictures(folder):
            print(name, flush=True)
            page = make()
            draw(page, IMAGES / f"{name}.png", dark=False)
            draw(page, IMAGES / f"{name}-dark.png", dark=True)
    size = sum(path.stat().st_size for path in IMAGES.iterdir())
    print(f"{len(list(IMAGES.iterdir()))} pictures, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
