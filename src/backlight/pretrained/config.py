"""The sizes in a `config.json` of Hugging Face's GPT-2, or of nanoGPT (its `model_args`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backlight.core import ConfigError, DataError
from backlight.models import GPTConfig

CONFIG: Final = "config.json"

_TANH: Final = {"gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python_tanh"}
"""Names of GELU's tanh approximation in `transformers`."""

_ONLY: Final = {
    "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False,
    "layer_norm_epsilon": 1e-5,
}  # fmt: skip
"""Settings of GPT-2 of which a `GPT` has one value only, with that value."""


@dataclass(frozen=True)
class Sizes:
    """What a `config.json` says.

    Attributes:
        tokens: number of tokens, with unused ones.
        model: the sizes of the network; its `vocabulary_size` is `tokens`.
        nanogpt: whether it is of nanoGPT, whose GELU is exact.
    """

    tokens: int
    model: GPTConfig
    nanogpt: bool


def read_config(folder: Path) -> Sizes:
    """Read `config.json`.

    Raises:
        DataError: it is missing or damaged, or describes another architecture.
    """
    place = folder / CONFIG
    try:
        values = json.loads(place.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"a model's folder must have a {CONFIG}; {folder} has none. Copy it from where the model is from."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{place} must be JSON; it is not ({str(error)[:80]}). Download it again.") from None
    if not isinstance(values, Mapping):
        raise DataError(f"{place} must be an object; it is not. Download it again.")
    nanogpt = "model_type" not in values and "block_size" in values
    _check_architecture(values, nanogpt=nanogpt)
    tokens = _number(values, "vocab_size")
    try:
        model = GPTConfig(
            vocabulary_size=tokens,
            context=_number(values, "block_size" if nanogpt else "n_positions"),
            n_embd=_number(values, "n_embd"),
            n_layer=_number(values, "n_layer"),
            n_head=_number(values, "n_head"),
            dropout=_dropout(values, "dropout" if nanogpt else "resid_pdrop"),
            tie_weights=values.get("tie_word_embeddings", True) is True,
        )
    except ConfigError as error:
        raise DataError(f"{CONFIG} must have the sizes of a GPT-2; in this one {error}") from error
    return Sizes(tokens, model, nanogpt)


def _check_architecture(values: Mapping[str, Any], *, nanogpt: bool) -> None:
    kind = values.get("model_type")
    if not nanogpt and kind != "gpt2":
        raise DataError(
            f"a model must be a GPT-2, with the model_type gpt2; this {CONFIG} has {kind!r}. Other architectures "
            "cannot be loaded."
        )
    activation = values.get("activation_function", "gelu_new")
    if activation not in _TANH:
        raise DataError(f"a GPT-2 must have the activation gelu_new; this one has {activation!r}. It cannot be loaded.")
    for name, only in _ONLY.items():
        if values.get(name, only) != only:
            raise DataError(f"a GPT-2 must have {name} {only}; this one has {values[name]!r}. It cannot be loaded.")
    inner = values.get("n_inner")
    if inner is not None and inner != 4 * _number(values, "n_embd"):
        raise DataError(f"a GPT-2 must have an n_inner of 4 n_embd; this one has {inner!r}. It cannot be loaded.")


def _number(values: Mapping[str, Any], name: str) -> int:
    found = values.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        raise DataError(f"{CONFIG} must have a whole number {name}; got {found!r}. Is the file complete?")
    return found


def _dropout(values: Mapping[str, Any], name: str) -> float:
    found = values.get(name, 0.0)
    if not isinstance(found, int | float) or not 0 <= found < 1:
        raise DataError(f"{CONFIG} must have a {name} from 0 to 1; got {found!r}. Correct it.")
    return float(found)
