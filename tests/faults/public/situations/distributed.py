"""Parameters spread over a mesh, and data parallelism, in one process."""

import tempfile

import torch.distributed as dist
from tests.faults.public.case import Run
from tests.faults.public.loops import adam, descend
from tests.faults.public.nets import mlp
from tests.faults.public.situations.twins import rate_zero
from tests.faults.public.tasks import classes, rows
from torch import Tensor, nn, optim
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel


def _mesh() -> DeviceMesh:
    with tempfile.NamedTemporaryFile() as file:
        path = file.name
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=0, world_size=1)
    return init_device_mesh("cpu", (1,))


def _run(net: nn.Module, optimiser: optim.Optimizer | None = None, *, examined: bool = True) -> Run:
    x, y = classes()
    optimiser = optimiser or adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), optimiser)

    def quality() -> Tensor:
        return (net(x).argmax(1) == y).float().mean()

    batch = (x[:32], y[:32]) if examined else None
    return Run(net=net, step=step, optimiser=optimiser, batch=batch, steps=150, quality=quality)


@rate_zero("parameters sharded by fully_shard (DTensor)", 0.8, alone=True, refusable=True)
def fully_sharded() -> Run:
    mesh, net = _mesh(), mlp()
    for layer in (net[0], net[2], net):
        fully_shard(layer, mesh=mesh)
    return _run(net)


@rate_zero("layers split by tensor parallelism (DTensor)", 0.8, alone=True, refusable=True)
def tensor_parallel() -> Run:
    mesh, net = _mesh(), mlp()
    parallelize_module(net, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    return _run(net, optim.AdamW(net.parameters(), lr=3e-3, foreach=False))


@rate_zero("DistributedDataParallel", 0.8, alone=True)
def data_parallel() -> Run:
    _mesh()
    return _run(DistributedDataParallel(mlp()), examined=False)


@rate_zero("ZeroRedundancyOptimizer under DistributedDataParallel", 0.8, alone=True)
def zero_redundancy() -> Run:
    _mesh()
    net = DistributedDataParallel(mlp())
    return _run(net, ZeroRedundancyOptimizer(net.parameters(), optim.AdamW, lr=3e-3), examined=False)
