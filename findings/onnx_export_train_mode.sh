#!/usr/bin/env bash
# torch 2.13.0 (with onnx 1.23.2, onnxruntime 1.32.0, onnxscript 0.7.2): exported in train mode, a network is half in each mode.
#
# `torch.onnx.export` of a network in train mode leaves dropout on: the runtime gives other numbers at each call. Batch norm in
# the same network comes out in inference mode: it uses the running averages, and disappears into the Linear before it. The
# network itself is in neither state: in training it would use the batch, in evaluation it would drop nothing.
# Why it surprises: the guess was one mode for the whole graph, training as the network is, or evaluation as exporters once set.
# Someone who checks the file with batch norm alone finds it deterministic and right for evaluation.
# Seen: with dropout two calls differ; with batch norm two calls agree with each other and with eval(), not with train().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import contextlib
import io
import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 4) * 3 + 5
for name, layer in ("Dropout", nn.Dropout(0.5)), ("BatchNorm1d", nn.BatchNorm1d(3)):
    network = nn.Sequential(nn.Linear(4, 3), layer).train()
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(network, (x,), "network.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession("network.onnx", providers=["CPUExecutionProvider"])
    first, second = (session.run(None, {session.get_inputs()[0].name: x.numpy()})[0] for _ in range(2))
    evaluated = network.eval()(x).detach().numpy()
    trained = network.train()(x).detach().numpy()
    print(name, "nodes:", *[node.op_type for node in onnx.load("network.onnx").graph.node])
    print(name, "two calls of the runtime agree:", bool((first == second).all()))
    print(name, "agrees with eval():", np.allclose(first, evaluated, atol=1e-4))
    print(name, "agrees with train():", np.allclose(first, trained, atol=1e-4))
PYTHON
cat >"$folder/expected" <<'EXPECTED'
Dropout nodes: Gemm Dropout
Dropout two calls of the runtime agree: False
Dropout agrees with eval(): False
Dropout agrees with train(): False
BatchNorm1d nodes: Gemm
BatchNorm1d two calls of the runtime agree: True
BatchNorm1d agrees with eval(): True
BatchNorm1d agrees with train(): False
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "onnx_export_train_mode: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "onnx_export_train_mode: as expected"
