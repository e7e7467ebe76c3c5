"""One rung, from its plan to its row of the table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backlight.core import DomainError
from backlight.sample import NotEnoughError, SampleConfig, sample_batch, sample_items
from backlight.training import Plan, Progress, Session, prepare

_SAMPLES = 2  # a random stream of its own, as in `backlight train`
_STREAM_LENGTH = 40


def train_one(
    plan: Plan, path: Path, *, on_progress: Callable[[Progress], None], samples: int, stdin: BinaryIO | None = None
) -> dict[str, Any]:
    """Train a rung and return its row: the run's result, `characters_per_second` and `samples`.

    Args:
        plan: what is to be done.
        path: the run's folder.
        on_progress: called a few times a second.
        samples: how many new items to draw; of running text, pieces of 40 characters.
        stdin: where a corpus "-" comes from.

    Raises:
        BacklightError: the text cannot be used, training diverged, or the disk refused.
    """
    session = prepare(plan, path, stdin=stdin)
    with session.run.lock():
        if plan.recipe is None:
            seconds = session.count()
            result = session.result(steps=0, seconds=seconds)
            characters = float(session.data["train"].targets)
        else:
            trainer = session.trainer()
            trainer.on_progress = on_progress
            trainer.fit()
            seconds = trainer.seconds
            result = session.result(steps=trainer.step, seconds=seconds)
            data = session.data["train"]
            characters = trainer.step * plan.recipe.batch_size * data.targets / len(data)
        drawn = _drawn(session, samples) if samples else []
        session.run.save_samples("".join(text + "\n" for text in drawn))
    return {**result, "characters_per_second": characters / seconds, "samples": drawn}


def _drawn(session: Session, count: int) -> list[str]:
    """Return items that are not in the text; of a stream, how it might go on. Fewer if they do not turn up."""
    rng = np.random.default_rng([session.plan.seed, _SAMPLES])
    model, vocabulary = session.model, session.vocabulary
    if not session.ends:
        config = SampleConfig(max_length=_STREAM_LENGTH)
        return [one.text for one in sample_batch(model, vocabulary, count, config=config, rng=rng, ends=False)]
    try:
        found = sample_items(
            model,
            vocabulary,
            count,
            config=SampleConfig(),
            rng=rng,
            novel_to=session.run.load_training_hashes(),
            unique=True,
        )
    except NotEnoughError as error:
        found = error.found
    except DomainError:  # counts without smoothing can lead where nothing was counted
        return []
    return [one.text for one in found]
