"""The pictures of a watched network, drawn for light pages and for dark ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from backlight.figures import pages
from backlight.figures.catalogue import PICTURES
from backlight.figures.data import NoPictureError, measured
from backlight.figures.data.training import running_mean
from backlight.figures.loss import LossCurves
from backlight.figures.pages import Page
from backlight.figures.saving import page_bytes
from backlight.watch.records import Measurements

_SMOOTHED_OVER = 40


@dataclass(frozen=True)
class Drawing:
    """A picture as the bytes of two PNG files.

    Attributes:
        about: what it shows, in a line.
        light: dark on light.
        dark: light on dark.
    """

    about: str
    light: bytes
    dark: bytes


@dataclass(frozen=True)
class _Watched:
    measurements: Measurements


def drawings(seen: Measurements) -> dict[str, Drawing]:
    """Return by name every picture that the measurements can have, in the order of the lectures."""
    drawn = {}
    for name, gather in _GATHER.items():
        try:
            page = gather(_Watched(seen))
        except NoPictureError:  # a net without tanh has no saturation, and so on: what there is, is shown
            continue
        drawn[name] = Drawing(PICTURES[name].about, page_bytes(page), page_bytes(page, dark=True))
    return drawn


def _loss(source: _Watched) -> Page:
    seen = source.measurements
    points = [(one.step, one.loss) for one in seen.losses]
    if len(points) < 2:
        raise NoPictureError("it needs the losses of a few steps")
    losses = np.array([loss for _, loss in points], np.float64)
    classes = None if seen.loss is None else seen.loss.classes
    return pages.loss(
        LossCurves(
            steps=np.array([step for step, _ in points], np.int64),
            losses=losses,
            smoothed=running_mean(losses, max(1, len(losses) // _SMOOTHED_OVER)),
            dev_steps=np.array([one.step for one in seen.evaluations], np.int64),
            dev=np.array([one.dev for one in seen.evaluations], np.float64),
            know_nothing=None if classes is None else float(np.log(classes)),
            unit="loss" if classes is None else "nats per target",
        )
    )


_GATHER: Final[dict[str, Callable[[_Watched], Page]]] = {
    "loss": _loss,
    "activations": measured.activations,
    "preactivations": measured.preactivations,
    "activation-gradients": measured.activation_gradients,
    "weight-gradients": measured.weight_gradients,
    "saturation": measured.saturation,
    "dead-units": measured.dead_units,
    "gradient-to-data": measured.gradient_to_data,
    "update-to-data": measured.update_to_data,
}
