#!/usr/bin/env bash
# peft 0.21.2 (with torch 2.13.0): half of an adapter plus half of the same adapter is twice the adapter.
#
# `add_weighted_adapter` with combination_type="linear" does not add up the changes to the weights. It adds up the factors A and
# B, each scaled by the square root of its weight, and multiplies the sums, which brings in A of one adapter times B of the other.
# With 0.5 and 0.5 of one adapter that is twice its change; for two unrelated adapters the result is as far from the average of
# their changes as it could be: about as far as nothing at all. "cat" gives the weighted sum to the last bit or two.
# Why it surprises: the name is linear, and the weights are weights; the guess was a weighted sum of the changes.
# Seen: a factor of 2, and an error of about 100 % where "cat" has less than one in a million.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check peft==0.21.2 torch==2.13.0 transformers==5.24.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

torch.manual_seed(0)
config = LoraConfig(r=4, target_modules=["0"])
model = get_peft_model(nn.Sequential(nn.Linear(64, 64)), config, adapter_name="a")
model.add_adapter("b", config)
layer = model.base_model.model[0]
for name in "ab":
    nn.init.normal_(layer.lora_B[name].weight)


def change(kind, adapters, weights):
    model.add_weighted_adapter(adapters, weights, "mixed", combination_type=kind)
    found = layer.get_delta_weight("mixed").detach()
    model.delete_adapter("mixed")
    return found


a, b = (layer.get_delta_weight(name).detach() for name in "ab")
print("0.5 a + 0.5 a, as a multiple of a:", round((change("linear", ["a", "a"], [0.5, 0.5]) / a).mean().item(), 4))
for kind in "linear", "cat":
    wanted = 0.5 * a + 0.5 * b
    error = ((change(kind, ["a", "b"], [0.5, 0.5]) - wanted).norm() / wanted.norm()).item()
    print(kind, "0.5 a + 0.5 b, error:", "over 90 %" if error > 0.9 else "under 1e-6" if error < 1e-6 else error)
PYTHON
cat >"$folder/expected" <<'EXPECTED'
0.5 a + 0.5 a, as a multiple of a: 2.0
linear 0.5 a + 0.5 b, error: over 90 %
cat 0.5 a + 0.5 b, error: under 1e-6
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "peft_half_plus_half: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "peft_half_plus_half: as expected"
