#!/usr/bin/env bash
# transformers 5.24.0 (with torch 2.13.0): texts packed into one row with `position_ids` that start again at 0 are kept apart only
# if the key-value cache is off and no attention mask is given; with the defaults each text attends to those before it.
#
# The causal mask is cut where the positions start again, but only in a call without a cache and without `attention_mask`.
# `use_cache` is True by default, in `train()` mode as well, and an attention mask of ones is what every tokenizer returns. So the
# same row has two results, and nothing is said. `Trainer` turns the cache off by its own default; a loop of one's own, or scoring, does not.
# Why it surprises: the guess was that positions alone either always separate texts (as the flash-attention path does) or never do.
# An empty cache and a mask of ones take nothing away from any position, and yet they switch the separation off.
# Seen, for GPT-2 and Llama, eager and sdpa: the logits of the second text equal those of the text alone to 1e-5 with
# `use_cache=False`, and differ by more than 1 by default and with a mask of ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 transformers==5.24.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM


def model(family, attention):
    torch.manual_seed(0)
    shared = {"vocab_size": 17, "initializer_range": 0.5, "attn_implementation": attention, "bos_token_id": 0, "eos_token_id": 0}
    if family == "GPT-2":
        return GPT2LMHeadModel(GPT2Config(n_positions=8, n_embd=8, n_layer=2, n_head=2, **shared)).eval()
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(**sizes, **shared)).eval()


first, second = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[5, 6, 7, 8]])
packed = {"input_ids": torch.cat([first, second], 1), "position_ids": torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3]])}
ways = {
    "default": {},
    "no cache": {"use_cache": False},
    "no cache, a mask of ones": {"use_cache": False, "attention_mask": torch.ones(1, 8, dtype=torch.long)},
}
for family in "GPT-2", "Llama":
    for attention in "eager", "sdpa":
        net = model(family, attention)
        with torch.no_grad():
            alone = net(second).logits[0]
            for way, options in ways.items():
                apart = (net(**packed, **options).logits[0, 4:] - alone).abs().max().item()
                verdict = "as alone" if apart < 1e-5 else "differs by more than 1" if apart > 1 else apart
                print(f"{family} {attention}, {way}: {verdict}")
PYTHON
cat >"$folder/expected" <<'EXPECTED'
GPT-2 eager, default: differs by more than 1
GPT-2 eager, no cache: as alone
GPT-2 eager, no cache, a mask of ones: differs by more than 1
GPT-2 sdpa, default: differs by more than 1
GPT-2 sdpa, no cache: as alone
GPT-2 sdpa, no cache, a mask of ones: differs by more than 1
Llama eager, default: differs by more than 1
Llama eager, no cache: as alone
Llama eager, no cache, a mask of ones: differs by more than 1
Llama sdpa, default: differs by more than 1
Llama sdpa, no cache: as alone
Llama sdpa, no cache, a mask of ones: differs by more than 1
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "transformers_packed_cache: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "transformers_packed_cache: as expected"
