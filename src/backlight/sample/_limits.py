"""What sampling and scoring share: how many rows go through a model at once, and whose ids they are."""

from backlight.core import VocabularyError
from backlight.models.protocol import LanguageModel
from backlight.text import Vocabulary

MOST_ROWS = 4096
MOST_TEXTS = 16_384
_MOST_LOGITS = 1 << 20


def rows_at_once(model: LanguageModel) -> int:
    """Return how many rows a model is given at a time: 1 to 4096, and about a million logits at most."""
    positions = model.context if model.reads == "sequences" else 1
    return min(MOST_ROWS, max(1, _MOST_LOGITS // (positions * model.vocabulary_size)))


def texts_at_once(model: LanguageModel) -> int:
    """Return how many texts are under way at a time: of those that a model of windows reads, only ids are kept."""
    if model.reads == "sequences":
        return rows_at_once(model)
    return min(MOST_TEXTS, max(1, _MOST_LOGITS // model.vocabulary_size))


def check_fit(model: LanguageModel, vocabulary: Vocabulary) -> None:
    """Check that a model and a vocabulary have the same size.

    Raises:
        VocabularyError: they do not.
    """
    if model.vocabulary_size != vocabulary.size:
        raise VocabularyError(
            f"the model needs the vocabulary it was trained with, of {model.vocabulary_size} ids; got one of "
            f"{vocabulary.size}. Take both from the same run."
        )
