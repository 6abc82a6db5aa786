"""Whether the heatmap is right: whether its warm parts are what makes a photo match.

    python -m benchmarks.explanations --sketchy DIR [--checkpoint DIR] [--pairs 200] [--json FILE]

Takes pairs of a held-out sketch and a held-out photo of the same class. Paints a fifth of the photo
in its mean colour: the warmest parts, random parts, or the coldest parts. Prints how much the
similarity falls each time, and by how much the sum of all parts differs from the similarity.
"""

import argparse
import sys

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from benchmarks.command import held_out, new_parser, run
from model.checkpoint.checkpoint import Checkpoint
from model.encoder.explain import explain
from model.pictures.colours import flatten
from model.pictures.decoding import open_image
from model.pictures.framing import frame_sketch
from train.data.pictures import Picture
from train.errors import DataError

MASKED = 0.2
"""Share of the photo that is painted over."""

SIDE = 256
"""Side of the photos in pixels."""


def main() -> int:
    options = new_parser("explanations", __doc__, sketchy=True, checkpoint=True)
    options.add_argument("--pairs", type=int, default=200, help="number of pairs (default: 200)")
    return run(options.parse_args(), measure, show)


def show(figures: dict[str, float | int]) -> None:
    for name, value in figures.items():
        print(f"{name:40} {value:.3g}")


def measure(arguments: argparse.Namespace) -> dict[str, float | int]:
    """Mean falls of the similarity, and the largest error of the sum of all parts."""
    encoder = Checkpoint.open(arguments.checkpoint).encoder()
    falls: list[list[float]] = []
    worst = 0.0
    for number, (sketch, photo) in enumerate(tqdm(pairs(arguments), unit="pair")):
        frame = frame_sketch(open_image(sketch.path), encoder.input_size, allow_empty=True)
        picture = flatten(open_image(photo.path)).resize((SIDE, SIDE))
        explained = explain(encoder, frame, picture)
        query = encoder.embed_frame(frame)
        similarity = float(query @ encoder.embed_photos([picture])[0])
        for heat in (explained.sketch, explained.photo):
            worst = max(worst, abs(float(heat.sum()) - similarity))
        order = np.argsort(-explained.photo.ravel())
        count = round(MASKED * order.size)
        random = np.random.default_rng(number).permutation(order.size)
        shape = explained.photo.shape
        masked = [
            painted_over(picture, cells, shape)
            for cells in (order[:count], random[:count], order[-count:])
        ]
        falls.append((similarity - encoder.embed_photos(masked) @ query).tolist())
    warm, random_fall, cold = np.array(falls).T
    return {
        "pairs": len(falls),
        "largest error of a sum": worst,
        "fall without the warmest fifth": float(warm.mean()),
        "fall without a random fifth": float(random_fall.mean()),
        "fall without the coldest fifth": float(cold.mean()),
        "pairs where warm fell more than random": float((warm > random_fall).mean()),
    }


def pairs(arguments: argparse.Namespace) -> list[tuple[Picture, Picture]]:
    """Random held-out sketches, each with a random held-out photo of its class.

    Raises:
        DataError: there are fewer pairs than asked for.
    """
    held_photos, sketches = held_out(arguments)
    photos: dict[str, list[Picture]] = {}
    for photo in held_photos:
        photos.setdefault(photo.label, []).append(photo)
    random = np.random.default_rng(0)
    chosen = [sketches[i] for i in random.permutation(len(sketches))]
    found = [
        (sketch, photos[sketch.label][random.integers(len(photos[sketch.label]))])
        for sketch in chosen
        if sketch.label in photos
    ]
    if len(found) < arguments.pairs:
        raise DataError(f"There are only {len(found)} pairs. Choose a smaller number with --pairs.")
    return found[: arguments.pairs]


def painted_over(
    picture: Image.Image, cells: NDArray[np.int64], shape: tuple[int, ...]
) -> Image.Image:
    """The picture with these cells of a grid painted in its mean colour."""
    tones = np.asarray(picture).copy()
    rows, columns = (np.arange(SIDE) * side // SIDE for side in shape)
    grid = rows[:, None] * shape[1] + columns
    tones[np.isin(grid, cells)] = tones.mean(axis=(0, 1)).astype(np.uint8)
    return Image.fromarray(tones)


if __name__ == "__main__":
    sys.exit(main())
