#!/usr/bin/env bash
# torch 2.13.0 (CPU): the gradient of a bfloat16 embedding stops growing at 256, where other sums of the same numbers go on.
#
# A token that occurs 1000 times in a batch, with a gradient of 1 each time, gets a gradient of 256 in its row of the embedding:
# the row is added up in bfloat16, where 256 + 1 is 256. index_add_ and index_put_ do the same. scatter_add_, which fits the same
# description, adds up in float32 and gives 1000, and so do sum, cumsum, EmbeddingBag's forward pass and the bias of a Linear.
# Why it surprises: "torch accumulates bfloat16 in float32" is common knowledge, and true of everything that one would try first.
# The most frequent tokens of a text (the space, the newline) are those whose gradients are cut.
# Seen: 256 in three places and 1000 in five.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import torch

torch.set_num_threads(1)
ones = torch.ones(1000, dtype=torch.bfloat16)
rows = torch.zeros(1000, dtype=torch.long)
one = torch.zeros(1, dtype=torch.bfloat16)

embedding = torch.nn.Embedding(3, 1, dtype=torch.bfloat16)
embedding(rows).sum().backward()
linear = torch.nn.Linear(1, 1, dtype=torch.bfloat16)
linear(ones[:, None]).sum().backward()
bag = torch.nn.EmbeddingBag.from_pretrained(ones[:3, None], mode="sum")

print("embedding gradient", embedding.weight.grad[0].item())
print("index_add         ", one.index_add(0, rows, ones).item())
print("index_put         ", one.index_put((rows,), ones, accumulate=True).item())
print("scatter_add       ", one.scatter_add(0, rows, ones).item())
print("sum               ", ones.sum().item())
print("cumsum            ", ones.cumsum(0)[-1].item())
print("embedding bag     ", bag(rows[None]).item())
print("bias gradient     ", linear.bias.grad.item())
PYTHON
cat >"$folder/expected" <<'EXPECTED'
embedding gradient 256.0
index_add          256.0
index_put          256.0
scatter_add        1000.0
sum                1000.0
cumsum             1000.0
embedding bag      1000.0
bias gradient      1000.0
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "bfloat16_embedding_gradient: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "bfloat16_embedding_gradient: as expected"
