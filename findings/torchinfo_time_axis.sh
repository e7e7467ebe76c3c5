#!/usr/bin/env bash
# torchinfo 1.8.0 (with torch 2.13.0): the multiply-adds of a Linear layer do not grow with the sequence.
#
# A Linear of 4 x 8 weights without a bias, applied to 2 sequences of T positions, needs 2 * T * 32 multiply-adds. `summary` says
# 64 for every T: it multiplies the weights by the first axis of the input alone. Given the same positions as one flat batch, it
# says the right number. An LSTM is multiplied by its positions. A weight shared by the
# embedding and the output layer is counted twice in the total of the parameters.
# Why it surprises: `summary` is what people paste under a transformer, where nearly all the work is Linear over positions; the
# guess was that every row of the table counts the same thing.
# Seen: 64 for 1, 7 and 100 positions, and 80 parameters in a network that has 40.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torchinfo==1.8.0 torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import torch
from torch import nn
from torchinfo import summary

for positions in 1, 7, 100:
    found = summary(nn.Linear(4, 8, bias=False), input_size=(2, positions, 4), verbose=0)
    print("Linear, 2 sequences of", positions, "positions:", found.total_mult_adds, "needed:", 2 * positions * 32)
found = summary(nn.Linear(4, 8, bias=False), input_size=(14, 4), verbose=0)
print("Linear, flat batch of 14:", found.total_mult_adds, "needed:", 14 * 32)
for positions in 1, 7:
    found = summary(nn.LSTM(4, 8, batch_first=True, bias=False), input_size=(2, positions, 4), verbose=0)
    print("LSTM, 2 sequences of", positions, "positions:", found.total_mult_adds)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.output = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, tokens):
        return self.output(self.embedding(tokens))


network = Shared()
found = summary(network, input_data=torch.zeros(2, 3, dtype=torch.long), verbose=0)
print("shared weight, parameters:", found.total_params, "there are:", sum(p.numel() for p in network.parameters()))
PYTHON
cat >"$folder/expected" <<'EXPECTED'
Linear, 2 sequences of 1 positions: 64 needed: 64
Linear, 2 sequences of 7 positions: 64 needed: 448
Linear, 2 sequences of 100 positions: 64 needed: 6400
Linear, flat batch of 14: 448 needed: 448
LSTM, 2 sequences of 1 positions: 768
LSTM, 2 sequences of 7 positions: 5376
shared weight, parameters: 80 there are: 40
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "torchinfo_time_axis: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "torchinfo_time_axis: as expected"
