"""Going on from a trained model: its configuration with changes, and its weights for a larger vocabulary."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np

from backlight.core import Array, ConfigError, IntArray
from backlight.text import Reading
from backlight.text.records.reading import AS_IT_IS
from backlight.text.tokenizers import TextVocabulary
from backlight.training.config import RunConfig, TrainConfig

_OF_THE_RUN: Final = ("seed", "split_seed", "duplicates", "watch_every", "line", "keep_checkpoints")
"""Options that belong neither to the training nor to the reading of the text."""


def continued(
    config: RunConfig, name: str, *, new_text: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> RunConfig:
    """Return the configuration of a run that starts with the weights of another.

    Args:
        config: the configuration of the other run.
        name: its name.
        new_text: "corpus", "also" and "mode" of the text to train on; None for the text of the other run.
        options: changes, by name: training settings, `seed`, `split_seed`, `duplicates`, and how a new text is read.

    Raises:
        ConfigError: the other model is counted, or a change would need other weights, or an option is out of range.
    """
    if config.train is None:
        raise ConfigError(
            f"only a network can go on from its weights; {name} is {config.model}, which counts n-grams. Count both"
            f" texts: backlight train FILE FILE --model {config.model}."
        )
    training = {one.name for one in fields(TrainConfig)}
    reading = {one.name for one in fields(Reading)}
    for option, value in options.items():
        own = config.settings.get(option) if option in config.spec.settings else getattr(config, option, None)
        if option in {*config.spec.settings, "model", "tokens"}:
            if _plain(value) == _plain(own):
                continue
            has = "its default" if own is None else own
            raise ConfigError(
                f"a model that goes on keeps its sizes and tokens; {name} has {option} {has}; got {value}. Leave it"
                " out, or train a new model."
            )
        if option not in {*training, *reading, *_OF_THE_RUN}:
            raise ConfigError(f"{option} is no option of a model that goes on. Leave it out, or train a new model.")
    read = {option: value for option, value in options.items() if option in reading}
    if new_text is None and read:
        raise ConfigError(f"the text of {name} is read as before; got {', '.join(read)}. Leave it out, or give a file.")
    if config.reading.labels is not None and new_text is not None and "label" not in read:
        raise ConfigError(
            f"{name} has labels, so a text on which it goes on needs some too. Give a table, and its column: --label."
        )
    # the labels of the other run keep their characters
    own_form = {"normalise": config.reading.normalise, "labels": config.reading.labels if "label" in read else None}
    text = {} if new_text is None else {**new_text, "reading": replace(AS_IT_IS, **{**own_form, **read})}
    return replace(
        config, **text, start=name,
        train=replace(config.train, **{option: value for option, value in options.items() if option in training}),
        watch_every=options.get("watch_every"), line=options.get("line"),
        keep_checkpoints=options.get("keep_checkpoints"), branch=None,
        **{option: options[option] for option in ("seed", "split_seed", "duplicates") if option in options},
    )  # fmt: skip


def new_places(old: TextVocabulary, new: TextVocabulary) -> IntArray:
    """Return the id in a grown vocabulary of each id of the old one. Shape: (old V,) int64."""
    ids = {new.spelling(token): token for token in range(new.size)}
    return np.array([ids[old.spelling(token)] for token in range(old.size)], np.int64)


def grown_state(
    old: Mapping[str, Array], fresh: Mapping[str, Array], places: IntArray
) -> tuple[dict[str, Array], list[str]]:
    """Return the weights of a trained model for a larger vocabulary.

    The axes in which an array of the two models differs are those of the vocabulary: along them, the old rows move to
    their new ids, and the others are those of the new model.

    Args:
        old: arrays of any shape, of the trained model.
        fresh: arrays of the new model, with its initial values.
        places: (old V,) what `new_places` returned.

    Returns:
        The arrays, in the shapes of `fresh`, and the names of those that have new rows.
    """
    state, larger = {}, []
    for name, array in fresh.items():
        trained = old[name]
        if trained.shape == array.shape:
            state[name] = trained.copy()
            continue
        where = [places if a != b else np.arange(a) for a, b in zip(trained.shape, array.shape, strict=True)]
        state[name] = array.copy()
        state[name][np.ix_(*where)] = trained
        larger.append(name)
    return state, larger


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
