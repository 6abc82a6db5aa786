"""How search scales with the gallery: recall, time, memory, and the cost of building an index.

    python -m benchmarks.scale [--sizes 5000 100000 1000000] [--engines exact annoy ...]
                               [--minutes 60] [--work DIR] [--json FILE]

The embeddings are noisy copies of the shipped checkpoint's embeddings of the starter gallery and
the example sketches (see `benchmarks.embeddings`). The queries are of the same kind. Recall@12 is
measured against exact search. `exact`, `annoy` and `milvus` are the app's engines with the app's
settings. faiss (IVF), hnswlib, usearch and voyager (HNSW) are other libraries. The same rule sets
the effort of each search: 0.99 of the nearest are found. Building includes this choice.

Each engine is built in one process and searched in another. `megabytes` is how much the second one
has grown after it has opened the index and answered, pages of mapped files included.
`build_peak_megabytes` is the peak of the first one.

Each row is written as soon as it is measured, and rows that FILE already holds are not measured
again, so a long run can be stopped and continued. A build that takes longer than `--minutes` is
stopped, and its row says so. DIR keeps embeddings and indexes: 2 to 4 GB a million for each engine.
"""

import json
import multiprocessing
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import psutil
from tqdm import tqdm

from benchmarks.command import exit_code, new_parser
from benchmarks.embeddings import SyntheticEmbeddings
from benchmarks.peers import PEERS
from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.checkpoint.files import EMBEDDINGS
from model.checkpoint.records import EngineName
from model.encoder.head import Embeddings
from model.files import write_json
from model.search.engines import build_index, open_engine
from model.search.exact import read_embeddings
from model.search.protocol import NEAREST
from model.search.recall import choose_search_k, nearest_rows, recall, sample_queries
from tests.harness.apps import ROOT

OURS: tuple[EngineName, ...] = get_args(EngineName)
QUERIES = 500
MIN_QUERIES = 50
SECONDS = 60.0
"""After this time no further query is asked, once there were `MIN_QUERIES`."""

Find = Callable[[Embeddings], list[int]]


def main() -> int:
    """Parses the command line, measures what is missing, and prints the table."""
    options = new_parser("scale", __doc__)
    every = [*OURS, *PEERS]
    options.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[5_000, 100_000, 1_000_000],
        help="numbers of photos (default: 5000 100000 1000000)",
    )
    options.add_argument(
        "--engines",
        nargs="+",
        default=every,
        choices=every,
        metavar="ENGINE",
        help=f"engines to measure (default: all; {', '.join(every)})",
    )
    options.add_argument(
        "--minutes", type=float, default=60, help="limit for building an index (default: 60)"
    )
    options.add_argument(
        "--work",
        type=Path,
        default=ROOT / "cache" / "scale",
        metavar="DIR",
        help="folder of embeddings and indexes (default: cache/scale)",
    )
    arguments = options.parse_args()
    rows: list[dict[str, Any]] = []
    if arguments.json and arguments.json.exists():
        rows = json.loads(arguments.json.read_text(encoding="utf-8"))
    synthetic: SyntheticEmbeddings | None = None
    wanted = [(n, engine) for n in arguments.sizes for engine in arguments.engines]
    for n, engine in tqdm(wanted, "rows"):
        if any((row["n"], row["engine"]) == (n, engine) for row in rows):
            continue
        folder = arguments.work / str(n)
        if not (folder / "nearest.npy").exists():
            synthetic = synthetic or SyntheticEmbeddings(Checkpoint.open(SHIPPED))
            prepare(synthetic, folder, n)
        row = {"engine": engine, "n": n, **measure(engine, folder, arguments.minutes * 60)}
        rows.append(row)
        tqdm.write(json.dumps(row))
        if arguments.json:
            write_json(arguments.json, rows)
    show(rows)
    return 0


def prepare(synthetic: SyntheticEmbeddings, folder: Path, n: int) -> None:
    """Writes embeddings, their labels, queries, and the exact results of the queries."""
    folder.mkdir(parents=True, exist_ok=True)
    centres = synthetic.write(folder / EMBEDDINGS, n)
    labels = np.unique([p.label for p in synthetic.photos], return_inverse=True)[1]
    others = np.arange(len(synthetic.centres) - len(labels)) + labels.max() + 1
    np.save(folder / "labels.npy", np.concatenate([labels, others])[centres].astype(np.int32))
    queries = synthetic.queries(QUERIES)
    np.save(folder / "queries.npy", queries)
    np.save(folder / "nearest.npy", nearest_rows(read_embeddings(folder), queries)[0])


def measure(engine: str, folder: Path, seconds: float) -> dict[str, Any]:
    """Builds an index and searches it, in two processes; the figures of a row."""
    figures: dict[str, Any] = dict.fromkeys(
        ("recall_at_12", "median_ms", "p95_ms", "megabytes", "build_s")
    )
    done = folder / f"{engine}.json"
    if not done.exists():
        problem = _in_child(build, engine, folder, seconds)
        if problem:
            return {**figures, "note": f"building {problem}"}
    figures |= json.loads(done.read_text(encoding="utf-8"))
    problem = _in_child(search, engine, folder, 30 * SECONDS)
    if problem:
        return {**figures, "note": f"searching {problem}"}
    return {**figures, **json.loads((folder / f"{engine}-search.json").read_text("utf-8"))}


def _in_child(call: Callable[[str, Path], None], engine: str, folder: Path, seconds: float) -> str:
    """Runs a function in a new process; returns what went wrong, or an empty text."""
    child = multiprocessing.get_context("spawn").Process(target=call, args=(engine, folder))
    child.start()
    child.join(seconds)
    if child.is_alive():
        child.kill()
        child.join()
        return f"did not finish in {seconds / 60:g} minutes"
    return f"failed ({child.exitcode})" if child.exitcode else ""


def build(engine: str, folder: Path) -> None:
    """Builds an index and chooses the effort of its searches."""
    start = time.perf_counter()
    if engine in OURS:
        built = build_index(folder, _ours(engine), np.load(folder / "labels.npy"), "angular")
        effort = built.search_k
    else:
        matrix, peer = read_embeddings(folder), PEERS[engine]()
        peer.build(matrix, folder / f"{engine}.index")
        sample, nearest = sample_queries(matrix, "angular")

        def find(effort: int) -> list[list[int]]:
            return [peer.search(query, NEAREST, effort) for query in sample]

        effort, _ = choose_search_k(find, nearest, peer.least, len(matrix))
    figures = {
        "build_s": round(time.perf_counter() - start, 2),
        "build_peak_megabytes": _peak_megabytes(),
        "effort": effort,
    }
    write_json(folder / f"{engine}.json", figures)


def _peak_megabytes() -> int:
    """Peak memory of this process (Linux)."""
    status = Path("/proc/self/status").read_text("utf-8")
    held = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(held[1]) // 1000 if held else 0


def search(engine: str, folder: Path) -> None:
    """Opens an index and runs one query after the other."""
    queries, nearest = np.load(folder / "queries.npy"), np.load(folder / "nearest.npy")
    effort = json.loads((folder / f"{engine}.json").read_text("utf-8"))["effort"]
    find, growth = _open(engine, folder, effort)
    for query in queries[:5]:
        find(query)
    found: list[list[int]] = []
    times: list[float] = []
    start = time.perf_counter()
    for query in tqdm(queries, f"searching {engine}", leave=False):
        if len(found) >= MIN_QUERIES and time.perf_counter() - start > SECONDS:
            break
        asked = time.perf_counter()
        found.append(find(query))
        times.append((time.perf_counter() - asked) * 1e3)
    figures = {
        "recall_at_12": round(recall(found, nearest[: len(found)]), 4),
        "median_ms": round(float(np.median(times)), 3),
        "p95_ms": round(float(np.percentile(times, 95)), 3),
        "megabytes": round(growth(), 1),
        "queries": len(found),
    }
    write_json(folder / f"{engine}-search.json", figures)


def _open(engine: str, folder: Path, effort: int) -> tuple[Find, Callable[[], float]]:
    """A search function, and a function that tells how many megabytes the process has grown."""
    if engine in OURS:
        if engine == "milvus":
            import model.search.milvus  # noqa: F401
        before = psutil.Process().memory_info().rss
        labels = np.load(folder / "labels.npy")
        opened = open_engine(folder, _ours(engine), labels, "angular", effort)

        def find(query: Embeddings) -> list[int]:
            numbers: list[int] = opened.search(query, NEAREST)[0].tolist()
            return numbers
    else:
        peer, size = PEERS[engine](), np.load(folder / "queries.npy").shape[1]
        before = psutil.Process().memory_info().rss
        peer.load(folder / f"{engine}.index", size)

        def find(query: Embeddings) -> list[int]:
            return peer.search(query, NEAREST, effort)

    return find, lambda: (psutil.Process().memory_info().rss - before) / 1e6


def _ours(engine: str) -> EngineName:
    return next(name for name in OURS if name == engine)


def show(rows: list[dict[str, Any]]) -> None:
    """Prints a table, the rows of each engine together."""
    print("| engine | photos | recall@12 | median | 95th percentile | memory | build |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    names = [*OURS, *PEERS]
    for row in sorted(rows, key=lambda row: (names.index(row["engine"]), row["n"])):
        cells = [row["engine"], f"{row['n']:,}"]
        if "note" in row:
            cells += [row["note"], "", "", "", ""]
        else:
            cells += [f"{row['recall_at_12']:.3f}", f"{row['median_ms']:.2f} ms"]
            cells += [f"{row['p95_ms']:.2f} ms", f"{row['megabytes']:,.0f} MB"]
            cells += [f"{row['build_s']:,.1f} s"]
        print("|", " | ".join(cells), "|")


if __name__ == "__main__":
    sys.exit(exit_code(main))
