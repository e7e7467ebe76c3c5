"""New items at the end of training, as many side by side as the terminal has room for."""

import numpy as np
from rich.cells import cell_len
from rich.console import Console

from backlight.cli.output import one_line, source, visible
from backlight.core import DomainError
from backlight.sample import NotEnoughError, SampleConfig, sample_batch, sample_items
from backlight.training import Session

_SAMPLES = 2  # a random stream of its own
_STREAM_LENGTH = 500


def show_new(session: Session, count: int, out: Console) -> None:
    """Print and keep items that are not in the corpus; of a stream, how it might go on."""
    rng = np.random.default_rng([session.plan.seed, _SAMPLES])
    model, vocabulary = session.model, session.vocabulary
    if not session.ends:
        (stream,) = sample_batch(
            model, vocabulary, 1, config=SampleConfig(max_length=_STREAM_LENGTH), rng=rng, ends=False
        )
        session.run.save_samples(stream.text + "\n")
        out.print("\n" + visible(stream.text), soft_wrap=True)
        return
    seen = session.run.load_training_hashes()
    try:
        found = sample_items(model, vocabulary, count, config=SampleConfig(), rng=rng, novel_to=seen, unique=True)
    except NotEnoughError as error:
        found = error.found
        out.print(f"\nOnly {len(found)} of {count} turned up in {error.draws:,} draws: the rest was known or repeated.")
    except DomainError as error:  # of counts without smoothing; they are what was asked for all the same
        out.print(f"\nNothing new to show: {error}", soft_wrap=True)
        return
    texts = [sample.text for sample in found]
    session.run.save_samples("".join(text + "\n" for text in texts))
    if not texts:
        return
    out.print(f"\n{len(texts)} new ones, none of them in {source(session.corpus.name)}:\n", soft_wrap=True)
    for line in _columns(texts, out.width):
        out.print(line)


def _columns(texts: list[str], width: int) -> list[str]:
    """Return texts side by side, as many as fit on a line."""
    shown = [one_line(text) for text in texts]
    cell = max(map(cell_len, shown)) + 2
    across = max(1, min(5, (width - 2) // cell))
    return [
        "  " + "".join(text + " " * (cell - cell_len(text)) for text in shown[i : i + across]).rstrip()
        for i in range(0, len(shown), across)
    ]
