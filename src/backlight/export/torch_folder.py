"""A folder for PyTorch alone: the weights, the sizes and tokens, and `model.py`, the networks in one readable file."""

import importlib.util
import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from backlight.core import ExportError, FloatArray
from backlight.export.exportable import Exportable
from backlight.models import settings_of

_ROWS = 256
_NETWORKS = {"bigram", "mlp", "wavenet", "rnn", "gru", "lstm", "gpt"}


def write(subject: Exportable, place: Path) -> None:
    """Write the folder. Batch norms stay layers of their own, so that training can go on.

    Raises:
        ExportError: a network that `model.py` does not have.
    """
    from safetensors.torch import save

    from backlight.pytorch import to_torch

    name, network = subject.run.config.model, subject.run.network
    if name not in _NETWORKS or network is None:
        raise ExportError(f"model.py has {', '.join(sorted(_NETWORKS))}; this model is {name}. Export one of these.")
    config = {
        "model": name,
        "context": network.context,
        **settings_of(network.config),
        "ends": subject.run.ends,
        "tokens": [subject.vocabulary.spelling(token).decode("latin-1") for token in range(subject.vocabulary.size)],
    }
    weights = to_torch(network.eval()).state_dict()
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (place / "model.safetensors").write_bytes(save({name: array.contiguous() for name, array in weights.items()}))
    source = resources.files("backlight.export").joinpath("torch_model.py").read_bytes()
    (place / "model.py").write_bytes(source)


def read_logits(subject: Exportable, place: Path) -> FloatArray:
    """Return the logits of the examples, computed by the folder's own `model.py`."""
    import torch

    spec = importlib.util.spec_from_file_location("_exported_model", place / "model.py")
    assert spec is not None  # noqa: S101  (a file ending with .py)
    assert spec.loader is not None  # noqa: S101
    module: Any = importlib.util.module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # no __pycache__ in the folder
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    model = module.load(place)
    ids = torch.from_numpy(subject.x.astype(np.int64))
    with torch.inference_mode():
        logits: FloatArray = np.concatenate([model(rows).numpy() for rows in torch.split(ids, _ROWS)])
    return logits
