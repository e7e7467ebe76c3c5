#!/usr/bin/env bash
# torch 2.13.0 (CPU): FlopCounterMode counts nothing for attention, for an LSTM, and for a matrix times a vector.
#
# The counter knows operators by name, and on a CPU these calls end in operators that it has no name for: the fused attention of
# the CPU, the fused LSTM, and mv. What it does not know it counts as zero, without a warning. A GRU and a plain RNN of the same
# shape are counted, and so is attention written out with two matrix products. nn.MultiheadAttention is counted when it trains;
# under no_grad and eval() it takes a fused path and costs zero.
# Why it surprises: the counter is the documented way to compare networks, and the guess was a number or an error.
# Seen: 0 for attention (1152 written out), 0 for the LSTM (3600 for the GRU), 0 for the vector (30 for a matrix of one column).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode


def count(function, *inputs):
    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    return counter.get_total_flops()


q = torch.randn(1, 2, 6, 4)
print("attention             ", count(scaled_dot_product_attention, q, q, q))
print("attention written out ", count(lambda q: torch.softmax(q @ q.transpose(-1, -2) / 2, -1) @ q, q))
for name in "LSTM", "GRU", "RNN":
    print(f"{name:22}", count(getattr(nn, name)(4, 6, batch_first=True), torch.randn(2, 5, 4)))
print("matrix @ vector       ", count(torch.matmul, torch.randn(5, 3), torch.randn(3)))
print("matrix @ one column   ", count(torch.matmul, torch.randn(5, 3), torch.randn(3, 1)))
heads, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(2, 5, 8)
print("MultiheadAttention    ", count(heads, x, x, x))
with torch.no_grad():
    print("the same, eval, no_grad", count(heads.eval(), x, x, x))
PYTHON
cat >"$folder/expected" <<'EXPECTED'
attention              0
attention written out  1152
LSTM                   0
GRU                    3600
RNN                    1200
matrix @ vector        0
matrix @ one column    30
MultiheadAttention     6720
the same, eval, no_grad 0
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "flop_counter_zero: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "flop_counter_zero: as expected"
