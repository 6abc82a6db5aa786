"""Runs a backbone (a convolutional network in ONNX) with OpenVINO on the CPU."""

import os
import sys
from collections import deque
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from model.errors import CheckpointError
from model.pictures.framing import Pixels

Maps = NDArray[np.float32]
"""Feature maps, `(n, channels, h, w)`."""


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


PLUGIN = {
    # Otherwise OpenVINO computes in bf16 on some CPUs, and results differ between machines.
    "INFERENCE_PRECISION_HINT": "f32",
    # One batch at a time: single drawings are embedded sooner, and large batches as fast.
    "PERFORMANCE_HINT": "LATENCY",
    # One core is left for requests and for reading photos.
    "INFERENCE_NUM_THREADS": max(1, _cores() - 1),
}


class Backbone(Protocol):
    """Turns frames into the last feature maps of a network."""

    def __call__(self, frames: Pixels) -> Maps:
        """`(n, h, w, 3)` RGB from 0 to 255, to `(n, channels, h', w')`."""


class OnnxBackbone:
    """A backbone from an ONNX file. It is thread-safe.

    Args:
        path: a network from `train.export`, with the input `frames`, `(n, h, w, 3)` uint8, and the
            output `maps`.

    Raises:
        CheckpointError: the file does not hold such a network.
    """

    def __init__(self, path: Path) -> None:
        try:
            network = _core().read_model(path)
            if [port.any_name for port in network.inputs] != ["frames"]:
                raise RuntimeError("the network has no input named frames")
            self._compiled = _core().compile_model(network, "CPU", PLUGIN)
        except RuntimeError as error:
            raise CheckpointError(
                f"{path} cannot be run by OpenVINO. Fetch it again, or export it again with "
                "'python -m train export'."
            ) from error
        self._idle: deque[Any] = deque()

    def __call__(self, frames: Pixels) -> Maps:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            maps: Maps = request.infer({"frames": frames}, share_inputs=True)["maps"]
        finally:
            self._idle.append(request)
        return maps


@cache
def _core() -> Any:
    """OpenVINO's runtime, made when the first backbone is loaded."""
    # OpenVINO reports every import to its makers. It skips that silently without this package.
    sys.modules["openvino_telemetry"] = cast(ModuleType, None)
    import openvino

    return openvino.Core()
