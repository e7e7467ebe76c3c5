"""What sampling and scoring share: the number of rows per call of a model, and a check of the vocabulary."""

from backlight.core import VocabularyError
from backlight.models.protocol import LanguageModel
from backlight.text import Vocabulary

MOST_ROWS = 4096
MOST_TEXTS = 16_384
_MOST_LOGITS = 1 << 20


def rows_at_once(model: LanguageModel) -> int:
    """Return the number of rows per call of a model: 1 to 4096, with at most about a million logits."""
    positions = model.context if model.reads == "sequences" else 1
    return min(MOST_ROWS, max(1, _MOST_LOGITS // (positions * model.vocabulary_size)))


def texts_at_once(model: LanguageModel) -> int:
    """Return the number of texts that are sampled at a time; a model of windows keeps only the ids of each."""
    if model.reads == "sequences":
        return rows_at_once(model)
    return min(MOST_TEXTS, max(1, _MOST_LOGITS // model.vocabulary_size))


def check_fit(model: LanguageModel, vocabulary: Vocabulary) -> None:
    """SampleCheck that a model and a vocabulary have the same size.

    Raises:
        VocabularyError: they do not.
    """
    if model.vocabulary_size != vocabulary.size:
        raise VocabularyError(
            f"the model needs the vocabulary it was trained with, of {model.vocabulary_size} ids; got one of "
            f"{vocabulary.size}. Use both from the same run."
        )
