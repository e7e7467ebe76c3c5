#!/usr/bin/env bash
# onnxruntime 1.32.0 (with onnx 1.23.2): whether the maximum of numbers with a NaN is NaN depends on where the NaN stands.
#
# ReduceMax and ReduceMin over four numbers give NaN if the NaN is the first and leave it out if it is any other. MaxPool leaves
# it out, and where its window has nothing but NaN it gives the lowest float there is, -3.4e38. Max of two tensors and Relu do
# hand NaN on. ONNX's own reference evaluator gives NaN in all of these cases.
# Why it surprises: the same operator on the same numbers in another order gives another answer, so a network that has diverged
# can come out of the runtime with finite outputs. The guess was NaN everywhere, or nowhere.
# Seen: the table below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6

cat >"$folder/look.py" <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

NAN = float("nan")


def run(name, *arrays, **attributes):
    names = [f"x{i}" for i in range(len(arrays))]
    graph = helper.make_graph(
        [helper.make_node(name, names, ["y"], **attributes)],
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in zip(names, arrays)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = dict(zip(names, arrays))
    shown = [np.ravel(found[0]).tolist() for found in (session.run(None, feed), ReferenceEvaluator(model).run(None, feed))]
    print(name, *(a.ravel().tolist() for a in arrays), "runtime", shown[0], "reference", shown[1])


for row in [NAN, 1, 3, 2], [1, NAN, 3, 2]:
    for name in "ReduceMax", "ReduceMin":
        run(name, np.array(row, np.float32), keepdims=0)
run("MaxPool", np.array([[[1, NAN, NAN, NAN]]], np.float32), kernel_shape=[2], strides=[2])
run("Max", np.array([1, NAN], np.float32), np.array([NAN, 1], np.float32))
PYTHON
cat >"$folder/expected" <<'EXPECTED'
ReduceMax [nan, 1.0, 3.0, 2.0] runtime [nan] reference [nan]
ReduceMin [nan, 1.0, 3.0, 2.0] runtime [nan] reference [nan]
ReduceMax [1.0, nan, 3.0, 2.0] runtime [3.0] reference [nan]
ReduceMin [1.0, nan, 3.0, 2.0] runtime [1.0] reference [nan]
MaxPool [1.0, nan, nan, nan] runtime [1.0, -3.4028234663852886e+38] reference [1.0, nan]
Max [1.0, nan] [nan, 1.0] runtime [nan, nan] reference [nan, nan]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "onnxruntime_lost_nan: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "onnxruntime_lost_nan: as expected"
