"""What a trained encoder says of many pictures, computed once and stored."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional
from tqdm import tqdm

from model.encoder import SiameseNetwork
from model.preprocess import Pixels, to_input
from train.data import Picture, cached_frames, pictures_key
from train.runs import BEST, Run, save_atomically


def teacher_targets(
    teacher: Run, pictures: Sequence[Picture], kind: str, device: torch.device, cache: Path
) -> torch.Tensor:
    """The teacher's projection of each picture, the mean with its mirror image.

    The teacher sees the pictures at its own input size.

    Args:
        teacher: a trained run.
        pictures: all of them sketches or all of them photos.
        kind: `sketches`, or a name for the photos.
        device: where to run the teacher.
        cache: folder where the result is kept.

    Returns:
        `(n, projection_size)` float32 rows of length 1, on the CPU.
    """
    size = teacher.config.input_size
    changed = (teacher.folder / BEST).stat().st_mtime_ns
    key = pictures_key(pictures, size, str(teacher.folder.resolve()), changed)
    path = cache / f"teacher-{kind}-{key}.pt"
    if not path.exists():
        frames = cached_frames(pictures, size, sketches=kind == "sketches", cache=cache)
        network = teacher.network.to(device).to(memory_format=torch.channels_last)
        save_atomically(project(network, frames, mirror=True, name=f"teacher on {kind}"), path)
    targets: torch.Tensor = torch.load(path, weights_only=True)
    return targets


@torch.no_grad()
def project(
    network: SiameseNetwork,
    frames: Pixels,
    *,
    mirror: bool = False,
    name: str = "",
) -> torch.Tensor:
    """Projections of many frames, in batches.

    Returns:
        `(n, projection_size)` float32 rows of length 1, on the CPU.
    """
    network.eval()
    device = network.prototypes.device
    rows = []
    starts = range(0, len(frames), 128)
    for start in tqdm(starts, name, disable=not name):
        batch = to_input(frames[start : start + 128]).to(device)
        batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            projected = network(batch)
            if mirror:
                projected = functional.normalize(projected + network(batch.flip(3)), dim=1)
        rows.append(projected.float().cpu())
    return torch.cat(rows)
