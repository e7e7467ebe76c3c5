"""The names of a GPT's weights in GPT-2, which Hugging Face and nanoGPT use too.

The layouts are the same: GPT-2 stores the weights of a linear layer as (inputs, outputs), in a class called `Conv1D`,
and queries, keys and values are concatenated in this order. Only the output layer, `lm_head`, is (V, C) there and
(C, V) here.
"""

from typing import Final

_BLOCK: Final = {
    "first_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.output": "attn.c_proj",
    "second_norm": "ln_2",
    "mlp.0": "mlp.c_fc",
    "mlp.2": "mlp.c_proj",
}

EMBEDDING: Final = "transformer.wte.weight"
OUTPUT: Final = "lm_head.weight"
LINEAR: Final = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
"""The linear layers of a block, by GPT-2's names."""


def gpt2_names(n_layer: int, *, tied: bool) -> dict[str, str]:
    """Return GPT-2's name of each weight of a `GPT`, by ours.

    Args:
        n_layer: number of blocks.
        tied: whether the output layer has the weights of the embedding, and so no name.
    """
    names = {"token.weight": EMBEDDING, "position.weight": "transformer.wpe.weight"}
    for n in range(n_layer):
        for ours, theirs in _BLOCK.items():
            for part in ("weight", "bias"):
                names[f"blocks.{n}.{ours}.{part}"] = f"transformer.h.{n}.{theirs}.{part}"
    names |= {f"norm.{part}": f"transformer.ln_f.{part}" for part in ("weight", "bias")}
    return names if tied else {**names, "output.weight": OUTPUT}
