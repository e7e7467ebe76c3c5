"""Models that are divided among processes: FSDP2 (`fully_shard`), and checkpoints in parts.

Each process holds a part of the rows of every weight, of its gradient, and of the optimiser's state: a DTensor. The
weights of a block are gathered when it is computed, and dropped after it.
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import nn

from backlight.core import ConfigError
from backlight.pytorch.models import TorchBlock


def check_shardable() -> None:
    """Check that this PyTorch has what is needed.

    Raises:
        ConfigError: it is too old.
    """
    try:
        _parts_of_pytorch()
    except ImportError as error:
        raise ConfigError(
            f"sharding needs a PyTorch with fully_shard and HuggingFaceStorageWriter; this is {torch.__version__}. "
            "Upgrade PyTorch, or leave shard out."
        ) from error


def shard(module: nn.Module, device: torch.device, *, trained: bool) -> nn.Module:
    """Divide a module among the processes of the group, and return it.

    Each process keeps its rows of its own weights: FSDP2 sends nothing around at the start. Whoever wants the same
    weights everywhere fills them from the first process, as `copy_weights` does.

    Args:
        module: the module, on the CPU. Its blocks are gathered one at a time, and the rest together.
        device: where the parts are held.
        trained: whether a backward pass follows each forward pass. Otherwise the outermost weights are dropped after
            each forward pass too; FSDP2 would keep them for a backward pass.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    again: dict[str, Any] = {} if trained else {"reshard_after_forward": True}
    for block in module.modules():
        if isinstance(block, TorchBlock):
            fully_shard(block, mesh=mesh, **again)
    fully_shard(module, mesh=mesh, **again)
    return module


def is_part(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is divided among the processes."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all of a tensor. If it is divided, all processes must call this."""
    return cast("Any", tensor).full_tensor() if is_part(tensor) else tensor


def placed_as(tensor: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return a tensor divided as another one is, with the values of the first process; as it is if that is whole.

    Args:
        tensor: of the shape of `other`. Of processes but the first, only its shape counts.
        other: a parameter.
    """
    if not is_part(other):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    of = cast("Any", other)
    return distribute_tensor(tensor, of.device_mesh, of.placements)


def save_parts(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write divided tensors: each process makes a safetensors file of its parts, and flushes it to the disk.

    Args:
        folder: an existing folder, which all processes see.
        tensors: the tensors by name, of any shape; the same names in all processes.

    Raises:
        OSError: a process cannot write; raised in all of them.
    """
    dcp, writer, _ = _parts_of_pytorch()
    try:
        dcp.save(dict(tensors), storage_writer=writer(str(folder), save_distributed=True))
    except dcp.api.CheckpointException as error:
        raise _first(error) from error


def load_parts(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Read what `save_parts` wrote, by any number of processes, into tensors that are divided among these.

    Args:
        folder: the folder.
        tensors: the tensors by name, which are overwritten.

    Raises:
        OSError, ValueError: the files are missing or damaged; raised in all processes.
    """
    dcp, _, reader = _parts_of_pytorch()
    try:
        dcp.load(dict(tensors), storage_reader=reader(str(folder)))
    except dcp.api.CheckpointException as error:
        raise _first(error) from error


def _first(error: Any) -> Exception:
    """Return the error of the first process that failed; what is no error of a file or of the group is a ValueError."""
    found = next(iter(error.failures.values()))[0]
    return found if isinstance(found, OSError | RuntimeError) else ValueError(" ".join(str(found).split()))


def _parts_of_pytorch() -> tuple[Any, Any, Any]:
    """Return the module of checkpoints, its writer and its reader of safetensors files. Raises ImportError."""
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
    from torch.distributed.fsdp import fully_shard

    if "save_distributed" not in inspect.signature(HuggingFaceStorageWriter).parameters:
        raise ImportError
    del fully_shard
    return dcp, HuggingFaceStorageWriter, HuggingFaceStorageReader
