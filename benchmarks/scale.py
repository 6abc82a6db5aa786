"""How search grows with the gallery: recall, time, memory, and what building takes.

    python -m benchmarks.scale [--sizes 5000 100000 1000000] [--engines exact annoy ...]
                               [--minutes 60] [--work DIR] [--json FILE]

Embeddings are those of the shipped checkpoint for the starter gallery's photos and the example
sketches, with noise as large as the spread within an animal; queries are held-out ones of the
same kind. Recall@12 is against exact search. `exact`, `annoy` and `milvus` are what the app uses,
with what it chooses; faiss (IVF), hnswlib, usearch and voyager (HNSW) are peers, whose effort is
chosen by the same rule, so that 0.99 of the nearest are found. Building includes that choice.

Each engine is built and then searched in processes of their own. `megabytes` is by how much the
second one grows, pages of mapped files among them, once it has opened the index and answered;
`build_peak_megabytes` is the most that the first one holds.

A row is written as soon as it is measured, and rows that are in FILE already are not measured
again, so that a long run can be stopped and taken up. What takes longer than `--minutes` to build
is stopped, and its row says so. DIR keeps embeddings and indexes: 2 to 4 GB an engine a million.
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

from benchmarks.command import parser
from benchmarks.embeddings import Crowd
from benchmarks.peers import PEERS
from benchmarks.running import ROOT
from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.checkpoint.files import EMBEDDINGS
from model.checkpoint.records import EngineName
from model.encoder.head import Embeddings
from model.errors import SketchZooError
from model.files import write_json
from model.search.engines import build_index, open_engine
from model.search.exact import read_embeddings
from model.search.protocol import NEAREST
from model.search.recall import choose_search_k, nearest_rows, recall, sample_queries

OURS: tuple[EngineName, ...] = get_args(EngineName)
QUERIES = 500
LEAST_QUERIES = 50
SECONDS = 60.0
"""After which no further query is asked, once there were `LEAST_QUERIES`."""

Find = Callable[[Embeddings], list[int]]


def main() -> int:
    """Parses the command line, measures what is missing, and prints the table."""
    options = parser("scale", __doc__)
    every = [*OURS, *PEERS]
    options.add_argument("--sizes", type=int, nargs="+", default=[5_000, 100_000, 1_000_000])
    options.add_argument("--engines", nargs="+", default=every, choices=every, metavar="ENGINE")
    options.add_argument("--minutes", type=float, default=60, help="that building may take")
    options.add_argument("--work", type=Path, default=ROOT / "cache" / "scale", metavar="DIR")
    arguments = options.parse_args()
    rows: list[dict[str, Any]] = []
    if arguments.json and arguments.json.exists():
        rows = json.loads(arguments.json.read_text(encoding="utf-8"))
    crowd: Crowd | None = None
    wanted = [(n, engine) for n in arguments.sizes for engine in arguments.engines]
    for n, engine in tqdm(wanted, "rows"):
        if any((row["n"], row["engine"]) == (n, engine) for row in rows):
            continue
        folder = arguments.work / str(n)
        if not (folder / "nearest.npy").exists():
            crowd = crowd or Crowd(Checkpoint.open(SHIPPED))
            prepare(crowd, folder, n)
        row = {"engine": engine, "n": n, **measure(engine, folder, arguments.minutes * 60)}
        rows.append(row)
        tqdm.write(json.dumps(row))
        if arguments.json:
            write_json(arguments.json, rows)
    show(rows)
    return 0


def prepare(crowd: Crowd, folder: Path, n: int) -> None:
    """Writes embeddings, the label of each, queries, and what exact search finds for these."""
    folder.mkdir(parents=True, exist_ok=True)
    centres = crowd.write(folder / EMBEDDINGS, n)
    labels = np.unique([p.label for p in crowd.photos], return_inverse=True)[1]
    others = np.arange(len(crowd.centres) - len(labels)) + labels.max() + 1
    np.save(folder / "labels.npy", np.concatenate([labels, others])[centres].astype(np.int32))
    queries = crowd.queries(QUERIES)
    np.save(folder / "queries.npy", queries)
    np.save(folder / "nearest.npy", nearest_rows(read_embeddings(folder), queries)[0])


def measure(engine: str, folder: Path, seconds: float) -> dict[str, Any]:
    """Builds and searches in two processes; the figures of a row."""
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
    """Runs a function in a fresh process; says what went wrong."""
    child = multiprocessing.get_context("spawn").Process(target=call, args=(engine, folder))
    child.start()
    child.join(seconds)
    if child.is_alive():
        child.kill()
        child.join()
        return f"did not finish in {seconds / 60:g} minutes"
    return f"failed ({child.exitcode})" if child.exitcode else ""


def build(engine: str, folder: Path) -> None:
    """Makes an index and chooses the effort of its searches."""
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
    """The most that this process has held (Linux)."""
    status = Path("/proc/self/status").read_text("utf-8")
    held = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(held[1]) // 1000 if held else 0


def search(engine: str, folder: Path) -> None:
    """Opens an index and asks one query after the other."""
    queries, nearest = np.load(folder / "queries.npy"), np.load(folder / "nearest.npy")
    effort = json.loads((folder / f"{engine}.json").read_text("utf-8"))["effort"]
    find, growth = _open(engine, folder, effort)
    for query in queries[:5]:
        find(query)
    found: list[list[int]] = []
    times: list[float] = []
    start = time.perf_counter()
    for query in tqdm(queries, f"searching {engine}", leave=False):
        if len(found) >= LEAST_QUERIES and time.perf_counter() - start > SECONDS:
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
    """How to find the nearest, and by how many megabytes the process has grown since."""
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
    """Prints a table, each engine's rows together."""
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
    try:
        sys.exit(main())
    except SketchZooError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
