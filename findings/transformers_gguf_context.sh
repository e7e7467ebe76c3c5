#!/usr/bin/env bash
# transformers 5.24.0 (with accelerate 1.15.0, gguf 0.19.0, torch 2.13.0): a GPT-2 in GGUF loads only if its context is the default one.
#
# `from_pretrained(folder, gguf_file=...)` stores the file's `gpt2.context_length` as `config.n_ctx`, a name that GPT-2's model
# code does not read. `n_positions`, which sizes the position embeddings, stays at its default of 1024. So a file whose context is
# 64 or 2048 is refused for its position embeddings; width, layers, heads and the norms' epsilon are taken from it.
# Why it surprises: the guess was that the sizes of the file arrive or none does, and the context is in the configuration, printed
# beside the others. Every GPT-2 of OpenAI has a context of 1024, so the usual files all load.
# Seen: n_positions 1024 for each file; 1024 loads with equal logits, 64 and 2048 raise RuntimeError, and load if
# `config=` says n_positions.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 transformers==5.24.0 accelerate==1.15.0 gguf==0.19.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import re

import gguf
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

OUTER = {
    "transformer.wte.weight": "token_embd.weight", "transformer.wpe.weight": "position_embd.weight",
    "transformer.ln_f.weight": "output_norm.weight", "transformer.ln_f.bias": "output_norm.bias",
    "lm_head.weight": "output.weight",
}
INNER = {
    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def write(context):
    torch.manual_seed(0)
    sizes = GPT2Config(n_positions=context, n_embd=16, n_layer=1, n_head=2, layer_norm_epsilon=0.01)
    model = GPT2LMHeadModel(sizes).eval()
    file = gguf.GGUFWriter(f"{context}.gguf", "gpt2")
    file.add_context_length(context)
    file.add_embedding_length(16)
    file.add_block_count(1)
    file.add_head_count(2)
    file.add_feed_forward_length(64)
    file.add_layer_norm_eps(0.01)
    for name, tensor in model.state_dict().items():
        inner = re.fullmatch(r"transformer\.h\.(\d+)\.(.+)\.(weight|bias)", name)
        array = tensor.numpy()
        if inner and array.ndim == 2:
            array = array.T.copy()
        file.add_tensor(f"blk.{inner[1]}.{INNER[inner[2]]}.{inner[3]}" if inner else OUTER[name], array)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return model


ids = torch.arange(40)[None]
for context in 1024, 64, 2048:
    model = write(context)
    file = f"{context}.gguf"
    config = AutoConfig.from_pretrained(".", gguf_file=file)
    print(f"context {context}: n_ctx {config.n_ctx}, n_positions {config.n_positions}, epsilon {config.layer_norm_epsilon:.2f}")
    try:
        loaded = AutoModelForCausalLM.from_pretrained(".", gguf_file=file)
        print("loaded as it is, largest difference", (model(ids).logits - loaded(ids).logits).abs().max().item())
    except RuntimeError:
        config.n_positions = context
        loaded = AutoModelForCausalLM.from_pretrained(".", gguf_file=file, config=config)
        print("refused; told n_positions, largest difference", (model(ids).logits - loaded(ids).logits).abs().max().item())
PYTHON
cat >"$folder/expected" <<'EXPECTED'
context 1024: n_ctx 1024, n_positions 1024, epsilon 0.01
loaded as it is, largest difference 0.0
context 64: n_ctx 64, n_positions 1024, epsilon 0.01
refused; told n_positions, largest difference 0.0
context 2048: n_ctx 2048, n_positions 1024, epsilon 0.01
refused; told n_positions, largest difference 0.0
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "transformers_gguf_context: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "transformers_gguf_context: as expected"
