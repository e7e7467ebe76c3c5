"""An ONNX file: ids to logits, with the vocabulary in its metadata."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from backlight.core import ExportError, FloatArray
from backlight.export.exportable import Exportable
from backlight.export.onnx_graph import IDS, LOGITS, graph_of
from backlight.runs.store import version

_OPERATORS = 20
_IR_VERSION = 9
"""The oldest version of the format that has these operators, so that older programs can read the file."""

_LARGEST = 2_000_000_000
_ROWS = 256


def write(subject: Exportable, place: Path) -> None:
    """Write the file. The ids are our own: 0 is the boundary.

    Raises:
        ExportError: there is no form of this kind of network, or it is too large for one file.
    """
    network = subject.network
    size = 4 * network.num_parameters()
    if size > _LARGEST:
        raise ExportError(f"an ONNX file has at most 2 GB; this model has {size / 1e9:.1f} GB. Use --to hf or gguf.")
    windows = network.reads == "windows"
    time: str | int = network.context if windows else "time"
    shape = ["batch", network.vocabulary_size] if windows else ["batch", "time", network.vocabulary_size]
    graph = graph_of(network)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            subject.run.config.model,
            [helper.make_tensor_value_info(IDS, TensorProto.INT64, ["batch", time])],
            [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, shape)],
            initializer=graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", _OPERATORS)],
        ir_version=_IR_VERSION,
        producer_name="backlight",
        producer_version=version(),
    )
    helper.set_model_props(model, {"vocabulary": json.dumps(subject.vocabulary.to_json()), **_how_it_is_read(subject)})
    onnx.checker.check_model(model, full_check=True)
    place.write_bytes(model.SerializeToString())


def _how_it_is_read(subject: Exportable) -> dict[str, str]:
    network = subject.network
    return {
        "boundary": "0",
        "context": str(network.context),
        "reads": network.reads,
        "ends": "yes" if subject.run.ends else "no",
    }


def read_logits(subject: Exportable, place: Path) -> FloatArray:
    """Return the logits of the examples, computed by onnxruntime from the file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(place), providers=["CPUExecutionProvider"])
    x = subject.x.astype(np.int64)
    parts = [session.run([LOGITS], {IDS: x[at : at + _ROWS]})[0] for at in range(0, len(x), _ROWS)]
    logits: FloatArray = np.concatenate(parts)
    return logits
