"""The messages of a recording that is over: measurements, diagnoses and samples."""

from collections.abc import Iterator, Sequence

from backlight.health.diagnosis import Diagnosis
from backlight.studio import messages
from backlight.studio.line_index import thinned
from backlight.watch.records import Measurements
from backlight.watch.stream import line_of, records_of


def measured_messages(
    seen: Measurements,
    history: Sequence[tuple[int, Diagnosis]],
    *,
    title: str,
    samples: Sequence[tuple[int, Sequence[str]]] = (),
) -> Iterator[bytes]:
    """Yield the messages of a recording, thinned if it is long.

    Args:
        seen: what was measured.
        history: what `over_time` returned. The page has the words of the last diagnosis already.
        title: the name of the network.
        samples: what the model wrote on the way, as pairs of a number of steps and texts.
    """
    yield messages.hello(title=title, total_steps=seen.total_steps)
    yield messages.records(thinned([line_of(*one) for one in records_of(seen)]))
    yield from (messages.samples(step, texts) for step, texts in samples)
    yield from (messages.diagnosis(step, one, titles_only=True) for step, one in history)
