"""The embeddings of a run as points in two dimensions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA

from train.data.frames import load_frames
from train.data.pictures import Split, list_pictures, sketchy_folders
from train.embedding import project
from train.errors import DataError
from train.reports import charts
from train.runs import SPLIT, load_run

MOST_PICTURES = 1500
"""Photos or sketches that are drawn."""

ENDINGS = (".png", ".svg", ".pdf")


def plot_embedding(
    run: Path, sketchy: Path, more_photos: Sequence[Path], out: Path, cache: Path
) -> Path:
    """Draws the held-out photos and sketches of a run.

    An embedding of two numbers is drawn as it is, a larger one as its first two principal
    components over photos and sketches together.

    Raises:
        DataError: the run or the data are missing.
    """
    if out.suffix not in ENDINGS:
        raise DataError(f"{out} must end in {', '.join(ENDINGS)}.")
    trained = load_run(run)
    split = Split.load(run / SPLIT)
    rows, labels = [], []
    photo_folder, sketch_folder = sketchy_folders(sketchy)
    folders = (photo_folder, *more_photos)
    listed = [p for folder in folders for p in list_pictures(folder, sketches=False)]
    drawings = list_pictures(sketch_folder, sketches=True)
    for of, others, drawn in ((listed, drawings, False), (drawings, listed, True)):
        pictures = [p for p in split.validation(of, others) if p.label in trained.classes]
        if not pictures:
            raise DataError(f"{sketchy} holds none of the pictures that {run} has held out.")
        if len(pictures) > MOST_PICTURES:
            chosen = np.random.default_rng(0).permutation(len(pictures))[:MOST_PICTURES]
            pictures = [pictures[i] for i in sorted(chosen)]
        frames = load_frames(pictures, trained.config.input_size, sketches=drawn, cache=cache)
        projected = project(trained.network, frames, torch.device("cpu"), amp=False)
        rows.append(trained.network.extend(projected, sketches=drawn).detach().numpy())
        labels.append(np.array([p.label for p in frames.pictures]))
    photos, sketches = rows
    way = "as it is"
    if photos.shape[1] > 2:
        components = PCA(2).fit(np.concatenate(rows))
        photos, sketches = components.transform(photos), components.transform(sketches)
        way = f"{components.explained_variance_ratio_.sum():.0%} of the variance"
    title = f"{run.name}: photos (o) and sketches (x) never trained on, {way}"
    return charts.save(charts.scatter(sketches, photos, labels[1], labels[0], title), out)
