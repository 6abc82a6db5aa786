"""Writes backbones as ONNX, in fp32 or in 8 bits."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from torch import nn

from model.pictures.framing import MEAN, STD, Pixels
from train.networks.backbones import fold_batch_norms
from train.networks.siamese import SiameseNetwork

BATCH = 8
"""Frames that are calibrated with at once."""


class _FromFrames(nn.Module):
    """Maps `(n, h, w, 3)` uint8 frames to the last maps of a network."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: SiameseNetwork) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.network.maps((frames.permute(0, 3, 1, 2).float() - self.mean) / self.std)


def write_backbone(
    network: SiameseNetwork, input_size: int, path: Path, frames: Sequence[Pixels] | None = None
) -> None:
    """Writes the backbone of a network, with its batch norms folded.

    The file maps `frames`, `(n, input_size, input_size, 3)` uint8, to `maps`,
    `(n, channels, h, w)` float32, for any n.

    Args:
        network: it stays as it is.
        input_size: side of the frames in pixels.
        path: of the file.
        frames: `(h, w)` or `(h, w, 3)` uint8, to calibrate the ranges of activations with. The
            network is then quantised: activations to 8 bits, weights per channel to 7 bits, since
            processors without VNNI add two products of 8 bits in 16 bits, which may overflow. The
            file has pairs of QuantizeLinear and DequantizeLinear, which any runtime can read. None
            keeps fp32.
    """
    network = deepcopy(network).cpu()
    fold_batch_norms(network.backbone)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        exact = Path(folder) / "exact.onnx"
        _write_exact(network.eval(), input_size, exact)
        if frames is None:
            exact.replace(path)
            return
        with _quiet():
            quantize_static(
                exact,
                path,
                _Calibration(frames),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
    onnx.checker.check_model(path)


def _write_exact(network: SiameseNetwork, input_size: int, path: Path) -> None:
    example = torch.zeros(2, input_size, input_size, 3, dtype=torch.uint8)
    with _quiet():
        torch.onnx.export(
            _FromFrames(network).cpu().eval(),
            (example,),
            path,
            input_names=["frames"],
            output_names=["maps"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            external_data=False,
            verbose=False,
        )


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Gives frames to the quantiser in small batches."""

    def __init__(self, frames: Sequence[Pixels]) -> None:
        self._batches = iter(_batches(frames))

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._batches, None)


def _batches(frames: Sequence[Pixels]) -> Iterator[dict[str, Pixels]]:
    for start in range(0, len(frames), BATCH):
        chosen = [_coloured(frame) for frame in frames[start : start + BATCH]]
        yield {"frames": np.stack(chosen)}


def _coloured(frame: Pixels) -> Pixels:
    return frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides the exporters' messages for their own developers."""
    loggers: list[Any] = [logging.getLogger(), logging.getLogger("torch.onnx")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
