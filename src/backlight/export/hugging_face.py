"""A folder that `transformers` loads as `GPT2LMHeadModel`: the model, and its tokenizer.

A `GPT` is a GPT-2: positions are learnt, norms come before their sublayers and once more at the end, GELU is the tanh
approximation, and the output layer has no bias and is tied to the embedding or not. So no code has to be loaded.

What begins a text is the boundary (`tokenizer_json.py`). For a model of items it also ends one, as `eos_token_id`.
Running text has no end: there the boundary is never generated, as in our own samples, and generation stops at
`max_length`. That is one more than the context, since the last token is not read; GPT-2 cannot go on beyond its
positions, as our samples do.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from backlight.core import Array, ExportError, FloatArray, IntArray
from backlight.export.exportable import Exportable
from backlight.export.model_card import model_card
from backlight.export.tokenizer_json import tokenizer_json
from backlight.models import GPT
from backlight.models.gpt2_names import EMBEDDING, OUTPUT, gpt2_names
from backlight.text.tokenizers.vocabulary import END_OF_TEXT

_ROWS = 64


def write(subject: Exportable, place: Path) -> None:
    """Write the folder.

    Raises:
        ExportError: the model is no GPT, or its vocabulary has no form as `tokenizer.json`.
    """
    network = subject.gpt("a Hugging Face folder")
    boundary = int(subject.places[0])
    normalise = subject.run.config.reading.normalise
    files: dict[str, Any] = {
        "config.json": config_json(network, boundary),
        "generation_config.json": _generation_config(subject, network, boundary),
        "tokenizer.json": tokenizer_json(subject.vocabulary, normalise=normalise),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": END_OF_TEXT,
            "eos_token": END_OF_TEXT,
            "model_max_length": network.context,
            "clean_up_tokenization_spaces": False,
        },
    }
    place.mkdir()
    for name, values in files.items():
        (place / name).write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (place / "model.safetensors").write_bytes(save(gpt2_weights(network, subject.order), metadata={"format": "pt"}))
    (place / "README.md").write_text(model_card(subject), encoding="utf-8")


def gpt2_weights(network: GPT, order: IntArray) -> dict[str, Array]:
    """Return the weights of a GPT by GPT-2's names and in its layout.

    Args:
        network: the network.
        order: (V,) our id of each of their ids.
    """
    names = gpt2_names(len(network.blocks), tied=network.output is None)
    weights = {names[ours]: array for ours, array in network.state_dict().items()}
    weights[EMBEDDING] = weights[EMBEDDING][order]
    if OUTPUT in weights:
        weights[OUTPUT] = weights[OUTPUT].T[order]
    return {name: np.ascontiguousarray(array) for name, array in weights.items()}


def config_json(network: GPT, boundary: int) -> dict[str, Any]:
    """Return the content of `config.json`."""
    config = network.config
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocabulary_size,
        "n_positions": config.context,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": network.norm.eps,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
        "tie_word_embeddings": network.output is None,
        "bos_token_id": boundary,
        "eos_token_id": boundary,
        "dtype": "float32",
    }


def _generation_config(subject: Exportable, network: GPT, boundary: int) -> dict[str, Any]:
    ends: dict[str, Any] = {"eos_token_id": boundary, "pad_token_id": boundary}
    goes_on: dict[str, Any] = {"suppress_tokens": [boundary], "pad_token_id": boundary}
    return {
        "bos_token_id": boundary,
        **(ends if subject.run.ends else goes_on),
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 0,
        "max_length": network.context + 1,
    }


def read_logits(subject: Exportable, place: Path) -> FloatArray:
    """Return the logits of the examples, computed by `transformers` from the folder.

    Raises:
        ExportError: its tokenizer gives other ids than ours.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _quietly():
        tokenizer: Any = AutoTokenizer.from_pretrained(str(place))
        model: Any = AutoModelForCausalLM.from_pretrained(str(place), dtype=torch.float32).eval()
        check_ids(subject, lambda text: tokenizer(text)["input_ids"], tokenizer.decode, "tokenizers")
    ids = torch.from_numpy(subject.places[subject.x])
    with torch.inference_mode():
        parts = [model(rows).logits[..., torch.from_numpy(subject.places)].numpy() for rows in torch.split(ids, _ROWS)]
    return np.concatenate(parts)


def check_ids(subject: Exportable, encode: Any, decode: Any, reader: str) -> None:
    """Check that another tokenizer encodes the texts to our ids, after a boundary, and decodes them.

    Args:
        subject: the model.
        encode: the function from a text to the other tokenizer's ids, with a boundary at the beginning.
        decode: the function from ids to a text, which leaves out special tokens if told `skip_special_tokens=True`.
        reader: the name of the other tokenizer, for the message.

    Raises:
        ExportError: ids or a text differ.
    """
    for text in subject.texts:
        ours = subject.places[[0, *subject.vocabulary.encode(text).tolist()]].tolist()
        try:
            theirs = list(encode(text))
        except Exception as error:
            raise ExportError(f"{reader} cannot encode {text[:40]!r}: {error}. {_REMEDY}") from error
        if theirs != ours:
            raise ExportError(f"{reader} must give our ids; for {text[:40]!r} it gives others. {_REMEDY}")
        if decode(ours, skip_special_tokens=True) != subject.vocabulary.decode(subject.order[ours]):
            raise ExportError(f"{reader} must restore a text; {text[:40]!r} comes back changed. {_REMEDY}")


_REMEDY = "Nothing was written. Use --to onnx, which needs no tokenizer."


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep `transformers` from showing progress bars and remarks."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
