#!/usr/bin/env bash
# safetensors 0.8.0 (with numpy 2.4.6 and torch 2.13.0): `save` writes the memory of an array, not the array.
#
# A transposed NumPy matrix is a view: same memory, other strides. safetensors writes the shape of the view and the bytes of the
# memory, so what is loaded has the right shape and its numbers in the wrong places, and nothing says so. PyTorch tensors are
# checked for their strides (a transposed one is refused), but not for the lazy conjugate: the imaginary part comes back with
# its sign flipped.
# Why it surprises: a weight stored as (in, out) and transposed for the file is the most ordinary export there is, and the
# PyTorch half of the same package refuses it. The guess was that NumPy's half refuses or copies.
# Seen: numbers 0 1 2 3 4 5 in place of 0 3 1 4 2 5, and 1+2j in place of 1-2j.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6 torch==2.13.0

cat >"$folder/look.py" <<'PYTHON'
import numpy as np
import torch
from safetensors import numpy as for_numpy
from safetensors import torch as for_torch

weight = np.arange(6, dtype=np.float32).reshape(2, 3).T
back = for_numpy.load(for_numpy.save({"weight": weight}))["weight"]
print("numpy saved ", weight.tolist())
print("numpy loaded", back.tolist(), "same shape" if back.shape == weight.shape else "other shape")

try:
    for_torch.save({"weight": torch.from_numpy(weight)})
except ValueError:
    print("torch, transposed: refused")

conjugate = torch.tensor([1 + 2j]).conj()
back = for_torch.load(for_torch.save({"weight": conjugate}))["weight"]
print("torch saved ", conjugate.tolist())
print("torch loaded", back.tolist())
PYTHON
cat >"$folder/expected" <<'EXPECTED'
numpy saved  [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
numpy loaded [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]] same shape
torch, transposed: refused
torch saved  [(1-2j)]
torch loaded [(1+2j)]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "safetensors_memory_order: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "safetensors_memory_order: as expected"
