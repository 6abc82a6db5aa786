"""Photos that can be found, and the Annoy index over their embeddings."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from annoy import AnnoyIndex
from PIL import Image
from tqdm import tqdm

from model.checkpoint import (
    INDEX,
    LAYOUT,
    MANIFEST,
    THUMBNAILS,
    WEIGHTS,
    Checkpoint,
    IndexInfo,
    Photo,
    photos_key,
)
from model.encoder import Embeddings
from model.errors import CheckpointError, GalleryError, ImageError
from model.images import ENDINGS, flatten, open_image
from model.layout import lay_out

TREES = 20
SEED = 12
THUMBNAIL_SIDE = 320


def photos_in(folder: Path) -> list[Photo]:
    """All pictures below `folder`, labelled with the folder that each is in, in a fixed order.

    Raises:
        GalleryError: there is no such folder, or no picture in it.
    """
    try:
        if not folder.is_dir():
            raise GalleryError(f"{folder} is not a folder. Name a folder of photos.")
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    except OSError as error:
        raise GalleryError(f"{folder} cannot be read: {error.strerror}.") from error
    if not files:
        raise GalleryError(
            f"{folder} holds no photos. Put {', '.join(sorted(ENDINGS))} files in it or in "
            "folders below it, one a label."
        )
    return [
        Photo(
            path=str(file.resolve()),
            label=_label(file.parent.name if file.parent != folder else file.stem),
            credit="",
            licence="",
        )
        for file in files
    ]


def _label(name: str) -> str:
    """A file name as a label; bytes in it that are no UTF-8 become question marks."""
    return name.replace("_", " ").encode("utf-8", "replace").decode()


def build_gallery(checkpoint: Checkpoint, photos: Sequence[Photo], folder: Path) -> Checkpoint:
    """Embeds photos and writes a checkpoint folder that finds them.

    The folder gets the checkpoint's weights, `index.ann`, `layout.npy` (see `lay_out`), a
    thumbnail of each photo and a manifest. It is written under a temporary name and then takes the
    place of an older one. A photo that cannot be read is named and left out.

    Args:
        checkpoint: the encoder.
        photos: what to index.
        folder: where the result goes.

    Raises:
        GalleryError: none of the photos can be read, or the folder cannot be written.
    """
    encoder = checkpoint.encoder()
    index = AnnoyIndex(encoder.size, checkpoint.manifest.metric)
    index.set_seed(SEED)
    kept: list[Photo] = []
    embedded: list[Embeddings] = []
    if folder.exists() and not _is_gallery(folder):
        raise GalleryError(f"{folder} holds other files than a gallery. Name another folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise GalleryError(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        (unfinished / THUMBNAILS).mkdir()
        with tqdm(total=len(photos), desc="indexing photos", unit="photo") as progress:
            for chunk in _chunks(photos, encoder.BATCH):
                images = []
                for photo in chunk:
                    try:
                        image = flatten(open_image(Path(photo.path)))
                    except ImageError as error:
                        progress.write(f"left out: {photo.path}: {error}")
                        continue
                    save_thumbnail(image, unfinished / THUMBNAILS / f"{len(kept)}.webp")
                    images.append(image)
                    kept.append(photo)
                embedded.extend(encoder.embed_photos(images))
                progress.update(len(chunk))
        if not kept:
            raise GalleryError("None of the photos can be read, so there is nothing to index.")
        for number, embedding in enumerate(embedded):
            index.add_item(number, embedding)
        index.build(TREES, n_jobs=1)
        index.save(str(unfinished / INDEX))
        layout = lay_out(np.stack(embedded), checkpoint.manifest.metric)
        np.save(unfinished / LAYOUT, layout)
        for name in checkpoint.manifest.weights:
            _link(checkpoint.folder / name, unfinished / name)
        info = IndexInfo(checkpoint.manifest.metric, TREES, SEED, len(kept), photos_key(photos))
        checkpoint.manifest.with_index(unfinished, info, kept).save(unfinished)
        replace_folder(unfinished, folder)
    except OSError as error:
        raise GalleryError(
            f"{folder} cannot be written: {error.strerror}. Free some space or name another "
            "folder, and start again."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Checkpoint.open(folder)


def gallery_is_current(folder: Path, checkpoint: Checkpoint, photos: Sequence[Photo]) -> bool:
    """Whether `folder` holds an undamaged index of these photos by this checkpoint's encoder.

    Photos are compared by path, label, credit, size and time of change.
    """
    try:
        built = Checkpoint.open(folder)
    except CheckpointError:
        return False
    expected = IndexInfo(
        checkpoint.manifest.metric, TREES, SEED, len(built.manifest.photos), photos_key(photos)
    )
    same_encoder = built.encoder_manifest() == checkpoint.encoder_manifest()
    return same_encoder and built.manifest.index == expected


def _is_gallery(folder: Path) -> bool:
    """Whether a folder is empty, or a gallery, though perhaps a damaged one."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {"a file"}
    return not names or bool(names & {MANIFEST, INDEX, WEIGHTS})


def save_thumbnail(image: Image.Image, path: Path) -> None:
    """At most `THUMBNAIL_SIDE` pixels a side, without the metadata of the photo."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=3.0)
    small.save(path, "WEBP", quality=85)


def replace_folder(unfinished: Path, folder: Path) -> None:
    """Puts `unfinished` in the place of `folder`, which is deleted if it is there."""
    unfinished.chmod(0o755)
    old = unfinished.with_name(unfinished.name + "-old")
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """A second name for the same 43 MB where the file system can, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _chunks(photos: Sequence[Photo], size: int) -> Iterator[Sequence[Photo]]:
    for start in range(0, len(photos), size):
        yield photos[start : start + size]
