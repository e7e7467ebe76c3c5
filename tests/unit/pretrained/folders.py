"""Small folders of a GPT-2, as transformers and nanoGPT have them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from backlight.export.hugging_face import config_json, gpt2_weights
from backlight.models import GPT, GPTConfig
from backlight.models.gpt2_names import LINEAR
from backlight.text.tokenizers import BPETokenizer, TokenVocabulary

TOKENIZER = BPETokenizer.train("she sells sea shells by the sea shore " * 9, 270, special_tokens=["<|endoftext|>"])
VOCABULARY = TokenVocabulary(TOKENIZER)
V = VOCABULARY.size


def network(*, tied: bool = True, seed: int = 0) -> GPT:
    """Return a small network whose weights, biases and gains are all random."""
    rng = np.random.default_rng(seed)
    sizes = GPTConfig(vocabulary_size=V, context=12, n_embd=8, n_layer=2, n_head=2, dropout=0.1, tie_weights=tied)
    made = GPT(sizes, rng=rng).eval()
    made.load_state_dict({name: array + _small(rng, array) for name, array in made.state_dict().items()})
    return made


def write_hugging_face(folder: Path, made: GPT, *, shards: int = 1, **changes: Any) -> dict[str, Any]:
    """Write a folder as `save_pretrained` does. Returns the weights by their names."""
    folder.mkdir(exist_ok=True)
    weights = gpt2_weights(made, VOCABULARY.order)
    weights |= {f"transformer.h.{n}.attn.bias": np.tri(12, dtype=np.bool_)[None, None] for n in range(2)}
    if shards == 1:
        save_file(weights, folder / "model.safetensors")
    else:
        names = [f"model-{nth:05}-of-{shards:05}.safetensors" for nth in range(1, shards + 1)]
        place = {name: names[nth % shards] for nth, name in enumerate(weights)}
        for file in names:
            save_file({name: weights[name] for name in weights if place[name] == file}, folder / file)
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": place}))
    (folder / "config.json").write_text(json.dumps({**config_json(made, V - 1), **changes}))
    TOKENIZER.save(folder / "tokenizer.json")
    return weights


def write_nanogpt(folder: Path, made: GPT, *, padded: int = 0, bias: bool = True) -> None:
    """Write a checkpoint of nanoGPT that was converted: names of a compiled model, and PyTorch's linear layers."""
    folder.mkdir(exist_ok=True)
    weights = gpt2_weights(made, VOCABULARY.order)
    weights = {name: _linear(name, array) for name, array in weights.items() if bias or not name.endswith(".bias")}
    extra = np.ones((padded, 8), np.float32)
    weights["transformer.wte.weight"] = np.concatenate([weights["transformer.wte.weight"], extra])
    weights["lm_head.weight"] = weights["transformer.wte.weight"].copy()
    save_file(
        {f"_orig_mod.{name}": np.ascontiguousarray(one) for name, one in weights.items()}, folder / "model.safetensors"
    )
    sizes = {
        "n_layer": 2,
        "n_head": 2,
        "n_embd": 8,
        "block_size": 12,
        "bias": bias,
        "vocab_size": V + padded,
        "dropout": 0.0,
    }
    (folder / "config.json").write_text(json.dumps(sizes))
    TOKENIZER.save(folder / "tokenizer.json")


def _linear(name: str, array: Any) -> Any:
    is_linear = name.endswith(".weight") and any(part in name for part in LINEAR)
    return array.T if is_linear else array


def _small(rng: np.random.Generator, array: Any) -> Any:
    return (rng.standard_normal(array.shape) * 0.1).astype(np.float32)
