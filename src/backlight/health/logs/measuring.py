"""Rows of a log to measurements."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backlight.core import DataError
from backlight.health.logs.columns import Quantity, columns_of
from backlight.health.logs.reading import Format, Row, number_in, read_rows
from backlight.watch.records import EvaluationPoint, LossPoint, Measurements, NonFinite, StepRecord


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log that was read.

    Attributes:
        path: where it is.
        format: of the file.
        columns: the column that each quantity was read from.
        rows: how many rows there are.
        measurements: what it says.
    """

    path: Path
    format: Format
    columns: Mapping[Quantity, str]
    rows: int
    measurements: Measurements


def read_log(path: Path, *, format: str | None = None, columns: Mapping[str, str] | None = None) -> Log:  # noqa: A002
    """Read a log.

    Args:
        path: a file or a folder; see `read_rows`.
        format: of the file; by default as it looks.
        columns: the columns of quantities that have no usual names.

    Raises:
        ConfigError: no such format or quantity, or TensorBoard is missing.
        DataError: no such file, no such column, no loss in it, or not of that format.
    """
    kind, rows = read_rows(path, format)
    if not rows:
        raise DataError(f"a log has rows of numbers; {str(path)!r} has none, so nothing can be said.")
    found = columns_of(rows, columns or {})
    return Log(path=path, format=kind, columns=found, rows=len(rows), measurements=_measured(rows, found))


def _measured(rows: Sequence[Row], columns: Mapping[Quantity, str]) -> Measurements:
    by_step = _by_step(rows, columns)
    with_loss = [(step, one) for step, one in sorted(by_step.items()) if "loss" in one]
    if not with_loss:
        raise DataError(f"a log needs a loss; column {columns['loss']!r} is empty. Choose one: --column loss=NAME.")
    rates = sorted((step, one["lr"]) for step, one in by_step.items() if "lr" in one)
    steps, at, rate = [], 0, None
    for step, one in with_loss:
        while at < len(rates) and rates[at][0] <= step:
            rate, at = rates[at][1], at + 1
        steps.append(
            StepRecord(
                step=step, loss=one["loss"], lr=() if rate is None else (rate,), gradient_norm=one.get("grad_norm"),
                backward_passes=0,
            )
        )  # fmt: skip
    held_out = [(step, one["val_loss"]) for step, one in sorted(by_step.items()) if "val_loss" in one]
    last = max(by_step)
    return Measurements(
        framework="torch", source="log", model="", interval=max(1, last // max(len(steps), 1)), total_steps=last + 1,
        steps=tuple(steps), losses=tuple(LossPoint(step=one.step, loss=_finite_or_nan(one.loss)) for one in steps),
        evaluations=tuple(EvaluationPoint(step=step, dev=loss) for step, loss in held_out),
        first_nonfinite=_first_nonfinite(steps, held_out),
    )  # fmt: skip


def _by_step(rows: Sequence[Row], columns: Mapping[Quantity, str]) -> dict[int, dict[Quantity, float]]:
    """Return what is known of each step. Without a step in the log, its rows are counted.

    Where a log says two things of a step, as after a resumed training, the later row counts.
    """
    wanted = [one for one in columns if one not in {"step", "epoch"}]
    found: dict[int, dict[Quantity, float]] = {}
    counted = 0
    for at, row in enumerate(rows, 1):
        values = {one: value for one in wanted if (value := number_in(row, columns[one], at)) is not None}
        if not values:
            continue
        step = number_in(row, columns["step"], at) if "step" in columns else None
        if step is not None and math.isfinite(step) and step >= 0:
            place = int(step)
        else:
            place = counted if "step" not in columns else max(found, default=0)
        counted += 1
        found.setdefault(place, {}).update(values)
    return found


def _finite_or_nan(loss: float | None) -> float:
    return math.nan if loss is None else loss


def _first_nonfinite(steps: Sequence[StepRecord], held_out: Sequence[tuple[int, float]]) -> NonFinite | None:
    """Return where a number first was not finite.

    Gradients that overflow now and then belong to mixed precision, whose scaler leaves such steps out; they count only
    where most of the last quarter are such.
    """
    broken = [("loss", one.step) for one in steps if one.loss is not None and not math.isfinite(one.loss)]
    broken += [("the held-out loss", step) for step, loss in held_out if not math.isfinite(loss)]
    if broken:
        where, step = min(broken, key=lambda one: one[1])
        return NonFinite(where=where, direction="loss", step=step)
    norms = [(one.step, one.gradient_norm) for one in steps if one.gradient_norm is not None]
    late = norms[-max(1, len(norms) // 4) :]
    odd = [step for step, norm in late if not math.isfinite(norm)]
    if norms and 2 * len(odd) > len(late):
        return NonFinite(where="the gradients", direction="backward", step=odd[0])
    return None
