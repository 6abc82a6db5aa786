"""Search with Milvus (https://milvus.io), a database that many machines can share.

By default, `milvus-lite` keeps the database in the gallery folder, and one process at a time can
open it. If `MILVUS_URI` holds the address of a cluster, and `MILVUS_TOKEN` its token if it needs
one, that cluster is used instead.

The name of a collection depends on its content. So machines that serve the same gallery share it,
and a new gallery never replaces a collection that is still searched.
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
from model.encoder.head import Embeddings
from model.errors import CheckpointError, GalleryError
from model.search.exact import read_embeddings
from model.search.labels import PhotosByLabel
from model.search.protocol import NEAREST, Distances, Effort, Numbers
from model.search.recall import choose_search_k, sample_queries

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
"""Parameters of HNSW (Malkov and Yashunin 2018): links per photo, and candidates while building."""

MAX_RESULTS = 16_384
"""Upper limit of the photos that Milvus returns."""

MIN_EF, MAX_EF = 256, 32_768
"""Range of `ef`, the candidates that a search keeps. Milvus accepts no more."""

BATCH = 2000
"""Photos per insert."""

SECONDS = 30.0
"""Timeout for an answer of a cluster."""

_opened: Counter[str] = Counter()
"""Connections to each embedded database of this process."""

_lock = threading.Lock()


def collection_name(digest: str, labels: NDArray[np.int32]) -> str:
    """The name of the collection for embeddings with this SHA-256 and these label numbers."""
    content = digest.encode() + np.ascontiguousarray(labels, "<i4").tobytes()
    return f"sketchzoo_{hashlib.sha256(content).hexdigest()[:16]}"


def build_milvus(folder: Path, labels: NDArray[np.int32]) -> Effort:
    """Fills a collection with the embeddings of a gallery folder, unless it is already filled.

    Args:
        folder: the gallery folder.
        labels: label numbers of the photos, `(n,)`, from `number_labels`.

    Raises:
        CheckpointError: the embeddings or the database are damaged.
        GalleryError: the cluster does not answer or refuses.
    """
    matrix = read_embeddings(folder)
    database = Database(folder, labels)
    try:
        if database.count() != len(matrix):
            database.fill(matrix, labels)
        queries, nearest = sample_queries(matrix, "euclidean")

        def find(ef: int) -> list[list[int]]:
            return [numbers.tolist() for numbers, _ in database.search(queries, NEAREST, ef)]

        ef, reached = choose_search_k(find, nearest, MIN_EF, MAX_EF)
    except MilvusException as error:
        raise GalleryError(f"Milvus cannot index the photos: {error.message}") from error
    finally:
        database.close()
    return Effort(0, ef, reached)


class Milvus:
    """An opened collection; see `model.search.protocol.Engine`."""

    def __init__(self, folder: Path, labels: NDArray[np.int32], ef: int) -> None:
        self._photos_by_label, self._ef = PhotosByLabel(labels), ef
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
        matching = self._count if labels is None else self._photos_by_label.count(labels)
        k = min(k, matching, MAX_RESULTS)
        if k == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        # Milvus-lite also visits photos with other labels, so it has to visit more photos.
        ef = min(MAX_EF, max(k, self._ef * self._count // matching))
        while True:
            try:
                found = self._database.search(vector[None], k, ef, self._filter(labels))[0]
            except MilvusException as error:
                raise GalleryError("The search does not answer. Try again later.") from error
            if len(found[0]) == k or ef == MAX_EF:
                return found
            ef = min(MAX_EF, 8 * ef)

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
        """A filter expression: lists the labels to search or, if they are fewer, the others."""
        if labels is None:
            return ""
        others = np.setdiff1d(np.arange(self._photos_by_label.labels), labels)
        if len(labels) <= len(others):
            return f"label in {labels.tolist()}"
        return f"label not in {others.tolist()}" if len(others) else ""


class Database:
    """A connection to Milvus and the collection for these photos, which may not exist yet.

    Args:
        folder: the gallery folder.
        labels: label numbers of the photos, `(n,)`.

    Raises:
        CheckpointError: the database file is damaged, or opened by another process.
        GalleryError: the cluster does not answer.
    """

    def __init__(self, folder: Path, labels: NDArray[np.int32]) -> None:
        for package in ("pymilvus", "milvus_lite"):
            # They also log the errors that they raise, with a traceback.
            logging.getLogger(package).setLevel(logging.CRITICAL)
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
                f"({URI}); otherwise delete {folder} and start again to build it anew."
            ) from error
        self.close = weakref.finalize(self, _disconnect, self._client, self._file)
        """Closes the connection, and stops the embedded database after its last connection.

        This also happens when the object is deleted, for example after a gallery is reloaded.
        """

    def count(self) -> int:
        """Loads the collection and returns its number of photos; 0 if there is no collection."""
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
        """Creates the collection anew, inserts all photos, and then builds its index."""
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
        """Numbers and Euclidean distances of the nearest photos, for each vector of `(m, d)`."""
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
