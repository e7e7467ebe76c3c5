"""`torch.save` and `torch.load`, with safetensors files instead of pickles.

A pickle can run any program when it is loaded. A safetensors file holds only arrays; the dicts, lists, numbers and
strings around them are stored as JSON in the file's header.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse
from safetensors.numpy import save as format_tensors

from backlight.autograd import Buffer, Parameter, Tensor
from backlight.core import Array, ConfigError, DataError
from backlight.core.arguments import shown

_KEY: Final = "torchlike"
"""The name of the header entry with the structure around the tensors."""


def save(obj: Any, f: Any, *_: Any, **__: Any) -> None:
    """Write tensors, and dicts, lists, numbers and strings with tensors in them, to a safetensors file.

    A state dict becomes a file that `safetensors` in PyTorch reads as well.

    Args:
        obj: for example `model.state_dict()`, or {"model": ..., "optimizer": optimizer.state_dict(), "step": 100}.
        f: a path, or a binary file that is open for writing.

    Raises:
        ConfigError: an object of another kind, such as a model.
    """
    arrays: dict[str, Array] = {}
    structure = _encoded(obj, "", arrays)
    content = format_tensors(arrays, {_KEY: json.dumps(structure)})
    if hasattr(f, "write"):
        f.write(content)
    else:
        Path(f).write_bytes(content)


def load(f: Any, map_location: Any = None, *_: Any, weights_only: Any = None, **__: Any) -> Any:
    """Return what `save` has written, or the tensors of any safetensors file by name.

    Args:
        f: a path, or a binary file that is open for reading.
        map_location: "cpu" or None.
        weights_only: changes nothing: there is never anything but weights and plain values.

    Raises:
        DataError: a pickle, as PyTorch's `torch.save` writes it, or another kind of file.
        ConfigError: another device.
    """
    del weights_only
    device = str(getattr(map_location, "type", map_location))
    if not (map_location is None or callable(map_location) or device == "cpu"):
        raise ConfigError(f"map_location must be 'cpu'; got {shown(map_location)}. Leave it out.")
    content = f.read() if hasattr(f, "read") else Path(f).read_bytes()
    name = getattr(f, "name", None) or (shown(f) if not hasattr(f, "read") else "the file")
    if content[:2] == b"PK" or content[:1] == b"\x80":
        raise DataError(
            f"{name} is a pickle of PyTorch, which can run programs and is not read. In PyTorch, write it again with "
            "safetensors.torch.save_file(model.state_dict(), path); torch.load reads that."
        )
    try:
        arrays = parse(content)
        (size,) = np.frombuffer(content[:8], "<u8")
        header = json.loads(content[8 : 8 + int(size)])
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{name} is not a safetensors file: {' '.join(str(error).split())}.") from None
    structure = header.get("__metadata__", {}).get(_KEY)
    if structure is None:
        return {key: Tensor(np.array(array)) for key, array in arrays.items()}
    return _decoded(json.loads(structure), arrays)


_PLAIN: Final = (bool, int, float, str, type(None))


def _encoded(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """Return a value in JSON, and put its tensors among the arrays, by their path."""
    if isinstance(value, Tensor):
        name = path or "tensor"
        arrays[name] = np.array(value.array, order="C")
        kind = "parameter" if isinstance(value, Parameter) else "buffer" if isinstance(value, Buffer) else "tensor"
        return {kind: name}
    if isinstance(value, _PLAIN):
        return {"value": value}
    if isinstance(value, Mapping):
        kind = "ordered" if isinstance(value, OrderedDict) else "dict"
        return {kind: [[_key(key, path), _encoded(one, _below(path, key), arrays)] for key, one in value.items()]}
    if type(value) in {list, tuple}:
        inside = [_encoded(one, _below(path, i), arrays) for i, one in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": inside}
    if isinstance(value, np.generic) and value.dtype.kind in "fiub":
        return {"value": value.item()}
    raise ConfigError(
        f"torch.save writes tensors, dicts, lists, numbers and strings; got a {type(value).__name__} at "
        f"{path or 'the top'}. Save model.state_dict(), and settings as a dict."
    )


def _key(key: Any, path: str) -> Any:
    if not isinstance(key, (str, int)):
        raise ConfigError(f"torch.save needs names or whole numbers as keys; got {shown(key)} at {path or 'the top'}.")
    return key


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _decoded(node: dict[str, Any], arrays: Mapping[str, Array]) -> Any:
    ((kind, inside),) = node.items()
    if kind in {"tensor", "parameter", "buffer"}:
        made: Callable[[Any], Any] = {"tensor": Tensor, "parameter": Parameter, "buffer": Buffer}[kind]
        return made(np.array(arrays[inside]))
    if kind in {"dict", "ordered"}:
        items = [(key, _decoded(one, arrays)) for key, one in inside]
        return OrderedDict(items) if kind == "ordered" else dict(items)
    if kind in {"list", "tuple"}:
        values = [_decoded(one, arrays) for one in inside]
        return tuple(values) if kind == "tuple" else values
    return inside
