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
from threadpoolctl import threadpool_limits

from model.errors import CheckpointError
from model.pictures.framing import Pixels

Maps = NDArray[np.float32]
"""Feature maps, `(n, channels, h, w)`."""


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


STREAMS = min(8, _cores())
"""Batches of photos that are embedded at the same time. The limit keeps memory small; on more
cores, each batch gets several."""

# Otherwise OpenVINO computes in bf16 on some CPUs, and results differ between machines.
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}

ONE_BATCH = {
    **PRECISION,
    # One batch at a time: single drawings are embedded sooner, and large batches as fast.
    "PERFORMANCE_HINT": "LATENCY",
    # One core is left for requests.
    "INFERENCE_NUM_THREADS": max(1, _cores() - 1),
}
"""Settings for drawings, where one answer has to come soon."""

MANY_BATCHES = {**PRECISION, "NUM_STREAMS": STREAMS, "INFERENCE_NUM_THREADS": _cores()}
"""Settings for photos, of which many have to be embedded."""


class Backbone(Protocol):
    """Turns frames into the last feature maps of a network."""

    def __call__(self, frames: Pixels) -> Maps:
        """`(n, h, w, 3)` RGB from 0 to 255, to `(n, channels, h', w')`."""


class OnnxBackbone:
    """A backbone from an ONNX file. It is thread-safe.

    Args:
        path: a network from `train.export`, with the input `frames`, `(n, h, w, 3)` uint8, and the
            output `maps`.
        settings: of OpenVINO.
        channels: compute only the first channels of the maps, if the network is made of several
            that end in one `Concat`, and the first one has that many. None computes all.

    Raises:
        CheckpointError: the file does not hold such a network.
    """

    def __init__(
        self, path: Path, settings: dict[str, Any] = ONE_BATCH, channels: int | None = None
    ) -> None:
        try:
            network = _core().read_model(path)
            if [port.any_name for port in network.inputs] != ["frames"]:
                raise RuntimeError("the network has no input named frames")
            if channels is not None:
                _keep_first(network, channels)
            self._compiled = _core().compile_model(network, "CPU", settings)
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


def _keep_first(network: Any, channels: int) -> None:
    """Drops all networks but the first from one that joins their maps at its end."""
    node = network.output("maps").get_node()
    while node.get_type_name() != "Concat" and node.get_input_size():
        node = node.input_value(0).get_node()
    if node.get_type_name() == "Concat" and node.input(0).get_partial_shape()[1] == channels:
        node.output(0).replace(node.input_value(0))
        network.validate_nodes_and_infer_types()


def limit_blas() -> None:
    """Lets numpy multiply in one thread from now on, in this whole process.

    OpenBLAS's threads spin for a while after each product. That takes a core from the networks.
    """
    threadpool_limits(1, user_api="blas")


@cache
def _core() -> Any:
    """OpenVINO's runtime, made when the first backbone is loaded."""
    # OpenVINO reports every import to its makers. It skips that silently without this package.
    sys.modules["openvino_telemetry"] = cast(ModuleType, None)
    import openvino

    return openvino.Core()
