"""One process, or many that train one network together.

Without a process group, all functions work as for a group of one rank.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as across
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from train.errors import DataError
from train.heartbeat import Heartbeat

T = TypeVar("T")

PATIENCE = timedelta(hours=2)
"""How long processes wait for rank 0, which may decode a large data set alone."""


def rank() -> int:
    """Number of this process, from 0. Rank 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def first() -> bool:
    """Whether this is rank 0, also outside of a process group."""
    return int(os.environ.get("RANK", "0")) == 0


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def process_group(device: str) -> Iterator[torch.device]:
    """Joins the processes that torchrun has started, and yields the device of this one.

    If another rank dies, this process ends with a message that names it.

    Args:
        device: `cpu`, `cuda`, or `auto` for a GPU if there is one.

    Raises:
        DataError: there is no GPU, or there are fewer GPUs than processes on this host.
    """
    chosen = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and chosen == "cpu":
        raise DataError(
            "This PyTorch sees no GPU. Use --device cpu, or install the driver and a PyTorch "
            "built for it."
        )
    where = torch.device(chosen if device == "auto" else device)
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if where.type == "cuda":
        if local >= torch.cuda.device_count():
            raise DataError(
                f"There are {torch.cuda.device_count()} GPUs on this host, fewer than processes. "
                "Lower --nproc-per-node."
            )
        where = torch.device("cuda", local)
        torch.cuda.set_device(where)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield where
        return
    heartbeat = _join(where)
    try:
        yield where
        heartbeat.finish()
        dist.destroy_process_group()
    except BaseException as error:
        heartbeat.fail(str(error))
        raise


def _join(where: torch.device) -> Heartbeat:
    """Joins the group. CPU tensors are sent by gloo, so that no GPU waits for them."""
    store, rank, world = next(rendezvous("env://", timeout=PATIENCE))
    heartbeat = Heartbeat(PrefixStore("heartbeat", store.clone()), rank, world)
    heartbeat.start()
    backend = "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo"
    group = PrefixStore("group", store)
    dist.init_process_group(backend, timeout=PATIENCE, store=group, rank=rank, world_size=world)
    return heartbeat


def gather(rows: torch.Tensor) -> torch.Tensor:
    """The rows of all ranks, in the order of ranks, with gradients to each rank's own.

    Every rank computes the same loss on the joined rows. So the gradient of a rank's rows is a sum
    over ranks: `world()` times that of one process. DistributedDataParallel takes the mean over
    ranks, which undoes this.

    Args:
        rows: `(n, ...)`, the same n on all ranks.

    Returns:
        `(n * world(), ...)`.
    """
    if world() == 1:
        return rows
    return torch.cat(across.all_gather(rows.contiguous()))


def gather_objects(mine: T) -> list[T]:
    """The objects of all ranks, in their order."""
    if world() == 1:
        return [mine]
    found: list[Any] = [None] * world()
    dist.all_gather_object(found, mine)
    return found


def from_first(mine: T) -> T:
    """The object of rank 0."""
    if world() == 1:
        return mine
    box: list[Any] = [mine]
    dist.broadcast_object_list(box)
    shared: T = box[0]
    return shared


def wait() -> None:
    """Waits until all ranks are here."""
    if world() > 1:
        dist.barrier()


def join_batch_norms(network: nn.Module, device: torch.device) -> None:
    """Makes the batch norms of a network use statistics over the batches of all ranks."""
    if world() == 1:
        return
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
    else:
        _replace_batch_norms(network)


def _replace_batch_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            joined = JoinedBatchNorm2d(child.num_features, child.eps, child.momentum)
            joined.to(child.weight.dtype).load_state_dict(child.state_dict())
            setattr(module, name, joined)
        else:
            _replace_batch_norms(child)


class JoinedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the batches of all ranks, for CPUs: PyTorch's SyncBatchNorm needs GPUs."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(input)
        batch = input.to(self.weight.dtype)
        count = batch.numel() // batch.shape[1] * world()
        mean = across.all_reduce(batch.sum((0, 2, 3))) / count
        centred = batch - mean[None, :, None, None]
        variance = across.all_reduce(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            unbiased = variance * count / max(count - 1, 1)
            for kept, new in ((self.running_mean, mean), (self.running_var, unbiased)):
                kept.lerp_(new, self.momentum or 0.1)  # type: ignore[union-attr]
        scale = self.weight * torch.rsqrt(variance + self.eps)
        placed: torch.Tensor = centred * scale[None, :, None, None]
        return (placed + self.bias[None, :, None, None]).to(input.dtype)
