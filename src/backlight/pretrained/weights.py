"""The weights of a GPT-2 in files, into a `GPT`: names, layouts and the order of the vocabulary."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from backlight.core import DataError, IntArray
from backlight.models import GPT, GPTConfig
from backlight.models.gpt2_names import EMBEDDING, LINEAR, OUTPUT, gpt2_names
from backlight.pretrained.weight_files import WeightFiles, check_dtype

_PREFIXES: Final = ("_orig_mod.", "module.", "transformer.")
"""What names may begin with: of a compiled model, of one in several processes, of one with an output layer."""

_MASKS: Final = (".attn.bias", ".attn.masked_bias")
"""Constants that are saved with some models: the causal mask and its value."""

_NAMED: Final = 5


def gpt_with_weights(files: WeightFiles, config: GPTConfig, order: IntArray, *, unused: int) -> GPT:
    """Return a GPT with the weights in the files, in evaluation mode.

    Args:
        files: the files.
        config: the sizes, with the vocabulary of the tokenizer.
        order: (V,) our id of each of the tokenizer's tokens.
        unused: number of tokens at the end of the files' vocabulary that the tokenizer does not have.

    Raises:
        DataError: weights are missing, unknown, or of other shapes. The message names them.
    """
    names = gpt2_names(config.n_layer, tied=config.tie_weights)
    found = _found(files, set(names.values()), tied=config.tie_weights)
    network = GPT(config, rng=_Zeros(np.random.PCG64(0))).eval()
    first = f"{EMBEDDING.removesuffix('wte.weight')}h.0.{LINEAR[0]}.weight"
    C = config.n_embd
    transposed = files.shape(found[first]) == (3 * C, C)  # as PyTorch's Linear has them, and so nanoGPT
    targets = {name: parameter.array for name, parameter in network.named_parameters()}
    plan = []
    for ours, theirs in names.items():
        target, rows = targets[ours], None
        if ours.startswith(("token.", "output.")):
            target, rows = (target if ours.startswith("token.") else target.T), order
        elif transposed and any(part in theirs for part in LINEAR):
            target = target.T
        plan.append((target, found.get(theirs), rows, theirs))
    _check_shapes(files, plan, unused)
    for target, name, rows, _ in plan:
        if name is None:  # a model without biases
            target[...] = 0
            continue
        for where, part in files.parts(name):
            if rows is None:
                target[where] = part
            else:
                kept = rows[where]  # fewer than the part has where tokens are unused
                target[kept] = part[: len(kept)]
    _check_finite(targets)
    return network


def _found(files: WeightFiles, wanted: set[str], *, tied: bool) -> dict[str, str]:
    """Return the name in the files of each weight, by GPT-2's name."""
    given = {_plain(name): name for name in files.places if not name.endswith(_MASKS)}
    if tied and OUTPUT in given:
        _check_copy(files, given.pop(OUTPUT), given.get(EMBEDDING))
    biases = {name for name in wanted if name.endswith(".bias")}
    optional = biases if not biases & given.keys() else set()  # nanoGPT can leave out all of them
    missing = sorted(wanted - given.keys() - optional)
    if missing:
        raise DataError(
            f"a GPT-2 of these sizes needs {len(wanted)} weights; missing: {_listed(missing)}. Is the file complete, "
            "and config.json the right one?"
        )
    unknown = sorted(given.keys() - wanted)
    if unknown:
        raise DataError(
            f"a GPT-2 of these sizes has {len(wanted)} weights and no others; got {_listed(unknown)}. Is "
            "config.json the right one?"
        )
    for name in given.values():
        check_dtype(files, name)
    return given


def _check_copy(files: WeightFiles, output: str, embedding: str | None) -> None:
    """Check that an output layer that is tied to the embedding is a copy of it."""
    same = embedding is not None and files.shape(output) == files.shape(embedding)
    if embedding is not None and same:
        pairs = zip(files.parts(output), files.parts(embedding), strict=True)
        same = all(np.array_equal(one, other) for (_, one), (_, other) in pairs)
    if not same:
        raise DataError(
            f"{output} must be a copy of the embedding, to which it is tied; it is not. Set tie_word_embeddings to "
            "false in config.json."
        )


def _plain(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name if name == OUTPUT else f"transformer.{name}"


def _check_shapes(files: WeightFiles, plan: list[Any], unused: int) -> None:
    for target, name, rows, theirs in plan:
        if name is None:
            continue
        shape = target.shape if rows is None else (target.shape[0] + unused, *target.shape[1:])
        if files.shape(name) != shape:
            raise DataError(
                f"{theirs} must have the shape {shape}; it has {files.shape(name)}. Is config.json the right one?"
            )


def _check_finite(weights: Mapping[str, Any]) -> None:
    for name, array in weights.items():
        if not np.isfinite(array.sum(dtype=np.float64)):
            raise DataError(f"weights must be finite; {name} is not. Download the file again.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


class _Zeros(np.random.Generator):
    """Draws zeros: initial weights that are replaced need no random numbers."""

    def standard_normal(self, size: Any = None, *rest: Any, **settings: Any) -> Any:
        del rest, settings
        return np.zeros(size, np.float32)
