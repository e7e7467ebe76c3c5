"""A GGUF file, version 3, of the architecture gpt2, which llama.cpp and programs on top of it read.

The tokens are written as GPT-2's are: bytes as characters, with the merges that make each token. A vocabulary of
characters gets merges too: a character of several bytes is merged from them, first to last, and since no character
begins with a byte that continues another one, no merge spans two characters. llama.cpp needs no tokens for the parts of
such a merge, and does not read a file without any merge, so ASCII characters get one of a byte that no text has. Words
cannot be merged from bytes without merging parts of other words, so they are refused. The boundary is put before a text
(`add_bos_token`), and for a model of items it ends one.

As llama.cpp's own converter does, vectors and positions are always float32.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from backlight.core import Array, ExportError, FloatArray, IntArray
from backlight.export.exportable import Exportable, logits_of
from backlight.models import GPT
from backlight.text.tokenizers import TokenVocabulary
from backlight.text.tokenizers.formats.byte_characters import to_characters
from backlight.text.tokenizers.splitting import GPT2
from backlight.text.tokenizers.vocabulary import END_OF_TEXT
from backlight.text.vocabulary import Vocabulary

_BLOCK: Final = {
    "first_norm": "attn_norm", "attention.qkv": "attn_qkv", "attention.output": "attn_output",
    "second_norm": "ffn_norm", "mlp.0": "ffn_up", "mlp.2": "ffn_down",
}  # fmt: skip
_POSITIONS: Final = "position_embd.weight"
_VOCABULARY: Final = ("token_embd.weight", "output.weight")


def gguf_names(n_layer: int, *, tied: bool) -> dict[str, str]:
    """Return the name in a GGUF of each weight of a `GPT`, by ours."""
    names = {"token.weight": "token_embd.weight", "position.weight": _POSITIONS}
    for n in range(n_layer):
        for ours, theirs in _BLOCK.items():
            names |= {f"blocks.{n}.{ours}.{part}": f"blk.{n}.{theirs}.{part}" for part in ("weight", "bias")}
    names |= {f"norm.{part}": f"output_norm.{part}" for part in ("weight", "bias")}
    return names if tied else {**names, "output.weight": "output.weight"}


def write(subject: Exportable, place: Path, *, numbers: str) -> None:
    """Write the file, with matrices of float32 or float16.

    Raises:
        ExportError: the model is no GPT, or its tokens have no merges.
    """
    network = subject.gpt("GGUF")
    tokens, merges = _tokens(subject)
    import gguf

    config, boundary = network.config, int(subject.places[0])
    writer = gguf.GGUFWriter(place, "gpt2")
    writer.add_name(subject.name)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.n_embd)
    writer.add_feed_forward_length(4 * config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(network.norm.eps)
    kind = gguf.LlamaFileType.MOSTLY_F16 if numbers == "f16" else gguf.LlamaFileType.ALL_F32
    writer.add_file_type(kind)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    special = {END_OF_TEXT, *_special_tokens(subject)}
    writer.add_token_types([gguf.TokenType.CONTROL if one in special else gguf.TokenType.NORMAL for one in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(boundary)
    writer.add_add_bos_token(True)  # noqa: FBT003
    if subject.run.ends:
        writer.add_eos_token_id(boundary)
    for name, array in _weights(network, subject.order).items():
        small = numbers == "f16" and array.ndim == 2 and name != _POSITIONS
        writer.add_tensor(name, array.astype(np.float16) if small else array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _weights(network: GPT, order: IntArray) -> dict[str, Array]:
    """Return the weights by their names in a GGUF, (outputs, inputs) of a linear layer."""
    names = gguf_names(len(network.blocks), tied=network.output is None)
    weights = {}
    for ours, array in network.state_dict().items():
        name = names[ours]
        weights[name] = array.T if _is_linear(name) else array
        if name in _VOCABULARY:
            weights[name] = weights[name][order]
    return {name: np.ascontiguousarray(array) for name, array in weights.items()}


def _is_linear(name: str) -> bool:
    return name.endswith(".weight") and "norm" not in name and not name.startswith(("token_embd", "position"))


def _tokens(subject: Exportable) -> tuple[list[str], list[str]]:
    """Return the tokens in the order of the file, and the merges, with bytes as characters."""
    vocabulary = subject.vocabulary
    match vocabulary:
        case TokenVocabulary():
            if vocabulary.tokenizer.table.pattern != GPT2:
                raise ExportError(
                    "a GGUF of gpt2 implies GPT-2's splitting pattern; this tokenizer has another one. Use --to hf."
                )
            merges = vocabulary.tokenizer.table.merges
        case Vocabulary():
            merges = character_merges(vocabulary.characters)
        case _:
            raise ExportError(
                f"GGUF has no form of tokens that are {subject.run.config.tokens[:40]}. Use --to hf, or train with "
                "--tokens characters."
            )
    spellings = [to_characters(vocabulary.spelling(token)) or END_OF_TEXT for token in subject.order.tolist()]
    return spellings, [f"{to_characters(left)} {to_characters(right)}" for left, right in merges]


def _special_tokens(subject: Exportable) -> Iterable[str]:
    vocabulary = subject.vocabulary
    return vocabulary.tokenizer.special_tokens if isinstance(vocabulary, TokenVocabulary) else ()


def character_merges(characters: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """Return the merges that make each character of its bytes in UTF-8, those of two bytes first; never none."""
    parts = {raw[:end] for raw in map(str.encode, characters) for end in range(2, len(raw) + 1)} or {b"\xff\xff"}
    return [(part[:-1], part[-1:]) for part in sorted(parts, key=lambda part: (len(part), part))]


def read_logits(subject: Exportable, place: Path) -> FloatArray:
    """Return the logits of the examples, computed by our network from the values that `gguf` reads in the file.

    Raises:
        ExportError: tokens or settings are not as they were written.
    """
    import gguf

    network = subject.gpt("GGUF")
    reader: Any = gguf.GGUFReader(place)
    arrays = {tensor.name: np.asarray(tensor.data) for tensor in reader.tensors}
    names = gguf_names(len(network.blocks), tied=network.output is None)
    state: dict[str, Array] = {}
    for ours, name in names.items():
        array = arrays[name].astype(np.float32)
        if name in _VOCABULARY:
            array = array[subject.places]
        state[ours] = array.T if _is_linear(name) else array
    if reader.get_field("tokenizer.ggml.tokens").contents() != _tokens(subject)[0]:
        raise ExportError("gguf must read the tokens as they were written; it does not. Nothing was written.")
    again = GPT(network.config, rng=np.random.default_rng(0)).eval()
    again.load_state_dict(state)
    return logits_of(again, subject.x)
