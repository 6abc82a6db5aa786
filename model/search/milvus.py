"""Search by Milvus (https://milvus.io): embeddings in a database, of which many machines may ask.

Without more, the database is a folder in the gallery's, by `milvus-lite`, which one process at a
time opens. With a cluster's address in `MILVUS_URI`, and a token in `MILVUS_TOKEN` where it wants
one, the same calls go there. A collection is named after what is in it, so that machines which
serve the same gallery share it, and a new one never takes the place of one that is still searched.
"""

import hashlib
import logging
import os
import threading
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.checkpoint.files import EMBEDDINGS, sha256
from model.encoder.encoder import Embeddings
from model.errors import CheckpointError, GalleryError
from model.search.exact import read_embeddings
from model.search.labels import PhotosByLabel
from model.search.protocol import Distances, Effort, Numbers
from model.search.recall import NEAREST, choose_search_k, sample_queries

try:
    from milvus_lite.server_manager import server_manager_instance as embedded
    from pymilvus import DataType, MilvusClient
    from pymilvus.exceptions import MilvusException
except ImportError as missing:
    raise GalleryError(
        f"Search by Milvus needs a package: pip install -r requirements-milvus.txt ({missing})."
    ) from missing

URI, CREDENTIAL = "MILVUS_URI", "MILVUS_TOKEN"

GRAPH = {"M": 16, "efConstruction": 200}
"""Of HNSW (Malkov and Yashunin 2018): neighbours of a photo, and candidates while it is added."""

MOST = 16_384
"""Photos that Milvus returns at most."""

EF_LEAST, EF_MOST = 256, 32_768
"""Candidates that a search keeps, of which Milvus takes no more."""
BATCH = 2000
SECONDS = 30.0
"""For which an answer of a cluster is waited for."""

for name in ("pymilvus", "milvus_lite"):
    # They log what is raised too, with the stack.
    logging.getLogger(name).setLevel(logging.CRITICAL)

_opened: Counter[str] = Counter()
_lock = threading.Lock()


def collection_name(digest: str, labels: NDArray[np.int32]) -> str:
    """The same for the same embeddings, of which `digest` is the sha256, with the same labels."""
    content = digest.encode() + np.ascontiguousarray(labels, "<i4").tobytes()
    return f"sketchzoo_{hashlib.sha256(content).hexdigest()[:16]}"


def build_milvus(folder: Path, labels: NDArray[np.int32]) -> Effort:
    """Fills a collection with the embeddings of a gallery folder, unless it is filled already.

    Args:
        folder: of the gallery.
        labels: `(n,)`, from `number_labels`.

    Raises:
        GalleryError: the cluster does not answer, or refuses.
    """
    matrix = read_embeddings(folder)
    database = Database(folder, labels)
    try:
        if database.count() != len(matrix):
            database.fill(matrix, labels)
        queries, nearest = sample_queries(matrix, "euclidean")

        def find(ef: int) -> list[list[int]]:
            return [numbers.tolist() for numbers, _ in database.search(queries, NEAREST, ef)]

        ef, reached = choose_search_k(find, nearest, EF_LEAST, EF_MOST)
    except MilvusException as error:
        raise GalleryError(f"Milvus cannot index the photos: {error.message}") from error
    finally:
        database.close()
    return Effort(0, ef, reached)


class Milvus:
    """An opened collection; see `model.search.protocol.Engine`."""

    def __init__(self, folder: Path, labels: NDArray[np.int32], ef: int) -> None:
        self._rows, self._ef = PhotosByLabel(labels), ef
        self._database = Database(folder, labels)
        try:
            self._count = self._database.count()
        except MilvusException as error:
            self.close()
            raise CheckpointError(
                f"Milvus cannot open the index of {folder}: {error.message} Delete the folder and "
                "start again to build it anew."
            ) from error

    def search(
        self, vector: Embeddings, k: int, labels: NDArray[np.int32] | None = None
    ) -> tuple[Numbers, Distances]:
        matching = self._count if labels is None else self._rows.count(labels)
        k = min(k, matching, MOST)
        if k == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        # Milvus-lite walks past photos with other labels, so that it has to walk further.
        ef = min(EF_MOST, max(k, self._ef * self._count // matching))
        while True:
            try:
                found = self._database.search(vector[None], k, ef, self._filter(labels))[0]
            except MilvusException as error:
                raise GalleryError("The search does not answer. Try again later.") from error
            if len(found[0]) == k or ef == EF_MOST:
                return found
            ef = min(EF_MOST, 8 * ef)

    def vector(self, number: int) -> Embeddings:
        try:
            return self._database.vector(number)
        except (MilvusException, IndexError) as error:
            raise GalleryError("The search does not answer. Try again later.") from error

    def count(self) -> int:
        return self._count

    def close(self) -> None:
        self._database.close()

    def _filter(self, labels: NDArray[np.int32] | None) -> str:
        """An expression of Milvus, which names the labels or, if they are fewer, the others."""
        if labels is None:
            return ""
        others = np.setdiff1d(np.arange(self._rows.labels), labels)
        if len(labels) <= len(others):
            return f"label in {labels.tolist()}"
        return f"label not in {others.tolist()}" if len(others) else ""


class Database:
    """A connection, and the collection for these photos, which may not be there yet."""

    def __init__(self, folder: Path, labels: NDArray[np.int32]) -> None:
        """Connects, and makes the file of the embedded database where there is no cluster.

        Raises:
            CheckpointError: the file is damaged, or opened by another process.
            GalleryError: the cluster does not answer.
        """
        self.name = collection_name(sha256(folder / EMBEDDINGS), labels)
        uri = os.environ.get(URI, "")
        self._file = "" if uri else str(folder.resolve() / f"{self.name}.db")
        with _lock:
            _opened[self._file] += 1
        try:
            token = os.environ.get(CREDENTIAL, "")
            self._client = MilvusClient(uri or self._file, token=token, timeout=SECONDS)
        except MilvusException as error:
            _release(self._file)
            if uri:
                raise GalleryError(
                    f"Milvus does not answer at {uri} ({URI}). Start it, or unset {URI} to use a "
                    "file."
                ) from error
            raise CheckpointError(
                f"{self._file} cannot be opened. If another process has opened it, use a cluster "
                f"({URI}); else delete {folder} and start again to build it anew."
            ) from error
        self.close = weakref.finalize(self, _disconnect, self._client, self._file)
        """Ends the connection, and the embedded database when nobody else uses it; that also
        happens when this object is forgotten, as after its gallery was built anew."""

    def count(self) -> int:
        """How many photos are in the collection, which is loaded; 0 where there is none."""
        if not self._client.has_collection(self.name, timeout=SECONDS):
            return 0
        if not self._client.list_indexes(self.name):
            return 0
        self._client.load_collection(self.name)
        rows = self._client.query(
            self.name, output_fields=["count(*)"], consistency_level="Strong", timeout=SECONDS
        )
        return int(rows[0]["count(*)"])

    def fill(self, matrix: Embeddings, labels: NDArray[np.int32]) -> None:
        """Makes the collection anew, and its index when it is complete."""
        self._client.drop_collection(self.name)
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("number", DataType.INT64, is_primary=True)
        schema.add_field("label", DataType.INT64)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=matrix.shape[1])
        self._client.create_collection(self.name, schema=schema)
        for start in tqdm(range(0, len(matrix), BATCH), "filling Milvus", unit_scale=BATCH):
            end = min(start + BATCH, len(matrix))
            numbers = range(start, end)
            rows = zip(numbers, labels[start:end].tolist(), matrix[start:end], strict=True)
            self._client.insert(
                self.name, [{"number": n, "label": at, "embedding": row} for n, at, row in rows]
            )
        self._client.flush(self.name)
        index = MilvusClient.prepare_index_params()
        # Between points on the unit sphere, the Euclidean distance is the angular one.
        index.add_index("embedding", index_type="HNSW", metric_type="L2", params=GRAPH)
        self._client.create_index(self.name, index)
        self._client.load_collection(self.name)

    def search(
        self, vectors: Embeddings, k: int, ef: int, expression: str = ""
    ) -> list[tuple[Numbers, Distances]]:
        """Numbers and Euclidean distances for each vector of `(m, d)`."""
        answers = self._client.search(
            self.name,
            list(vectors),
            expression,
            k,
            output_fields=["number"],
            search_params={"params": {"ef": ef}},
            timeout=SECONDS,
        )
        return [
            (
                np.array([hit["number"] for hit in hits], np.int64),
                np.sqrt(np.array([hit["distance"] for hit in hits], np.float32)),
            )
            for hits in answers
        ]

    def vector(self, number: int) -> Embeddings:
        """The embedding of a photo, `(d,)`."""
        rows: list[dict[str, Any]] = self._client.get(
            self.name, [number], output_fields=["embedding"], timeout=SECONDS
        )
        return np.array(rows[0]["embedding"], np.float32)


def _disconnect(client: MilvusClient, file: str) -> None:
    client.close()
    _release(file)


def _release(file: str) -> None:
    with _lock:
        _opened[file] -= 1
        if file and not _opened[file]:
            embedded.release_server(file)
