"""How the server copes with many people who draw at the same time.

    python -m benchmarks.load [--people 1 8 32 128] [--seconds 120] [--json FILE]

Each simulated person draws the example sketches over one connection, at 60 points (about four
strokes) a second. Like the board, a person sends one search at a time, and then searches for the
newest state of the drawing. The server runs in its own process on the same machine. The table has
one row for each number of people:

    queries/s      answers a second for all people together
    median, 95th, 99th    percentiles of the milliseconds from a question to the end of its answer
    errors         questions that were refused, failed, found no photos, or lost the connection
    lost           people whose last drawing was never answered
    MB             memory of the server at the start and at the end
    of encoder     queries/s divided by the frames/s of the bare encoder in batches of 32, measured
                   just before and just after on frames in memory
    CPU ms         processor time of one query: of the server, and of the simulated people

Nothing else should be running.
"""

import asyncio
import json
import random
import re
import resource
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvloop
from tqdm import tqdm

from benchmarks.command import exit_code, new_parser
from model.checkpoint.checkpoint import Checkpoint
from model.encoder.encoder import Encoder
from model.files import write_json
from model.pictures.framing import Pixels, frame_sketch
from model.pictures.strokes import parse_strokes, render_strokes
from tests.harness.apps import ROOT, running_app

POINTS_PER_S = 60
POINTS_PER_STATE = 3
"""Points between two states of a drawing that are sent."""

WARM_UP = 3.0
"""Seconds before the measurement."""

TIMEOUT = 30.0
"""Seconds after which an answer counts as lost."""

Drawing = list[bytes]


def main() -> int:
    options = new_parser("load", __doc__, checkpoint=True)
    options.add_argument(
        "--people",
        type=int,
        nargs="+",
        default=[1, 8, 32, 128],
        metavar="N",
        help="numbers of people (default: 1 8 32 128)",
    )
    options.add_argument(
        "--seconds",
        type=float,
        default=120,
        help="duration for each number of people (default: 120)",
    )
    arguments = options.parse_args()
    if min(arguments.people) < 1 or arguments.seconds <= 0:
        options.error("--people and --seconds must be above 0")
    examples = json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))
    drawings = [states(example["strokes"]) for example in examples]
    encoder = Checkpoint.open(arguments.checkpoint).encoder()
    frames = [
        frame_sketch(render_strokes(parse_strokes(e["strokes"])), encoder.input_size)
        for e in examples
    ]
    batch = np.stack([frames[i % len(frames)] for i in range(encoder.BATCH)])
    rows = []
    with (
        tqdm(total=round(len(arguments.people) * arguments.seconds), unit="s") as progress,
        running_app("app.py", "--rate", "0", "--checkpoint", arguments.checkpoint) as address,
    ):
        time.sleep(2)
        bare = [frames_per_s(encoder, batch)]
        for people in arguments.people:
            progress.set_description(f"{people} people")
            crowd = Crowd(address, drawings, arguments.seconds, progress)
            row = uvloop.run(crowd.draw(people))
            bare.append(frames_per_s(encoder, batch))
            row["encoder_ratio"] = row["queries_per_s"] / statistics.mean(bare[-2:])
            rows.append(row)
    show(rows, bare)
    if arguments.json:
        write_json(arguments.json, rows)
    return 0


def show(rows: list[dict[str, Any]], bare: list[float]) -> None:
    print("| people | queries/s | median ms | 95th | 99th | errors | lost ", end="")
    print("| MB | of encoder | CPU ms |")
    print("| " + "--- | " * 10)
    for row in rows:
        print(
            f"| {row['people']} | {row['queries_per_s']:.1f} | {row['median_ms']:.0f} "
            f"| {row['p95_ms']:.0f} | {row['p99_ms']:.0f} | {row['errors']} | {row['lost']} "
            f"| {row['rss_mb_start']:.0f} to {row['rss_mb_end']:.0f} | {row['encoder_ratio']:.2f} "
            f"| {row['server_cpu_ms']:.1f} + {row['people_cpu_ms']:.2f} |"
        )
    print(f"the bare encoder: {', '.join(f'{each:.1f}' for each in bare)} frames/s")


def frames_per_s(encoder: Encoder, batch: Pixels, seconds: float = 3) -> float:
    """Frames a second of the bare encoder in batches."""
    encoder.embed_frames(batch)
    began, done = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        encoder.embed_frames(batch)
        done += len(batch)
    return done / (time.perf_counter() - began)


def states(strokes: list[dict[str, Any]]) -> Drawing:
    """A drawing as it grows: what the board sends every few points, without the page's id."""
    grown: Drawing = []
    done: list[dict[str, Any]] = []
    for stroke in strokes:
        for count in range(
            POINTS_PER_STATE, len(stroke["points"]) + POINTS_PER_STATE, POINTS_PER_STATE
        ):
            begun = {**stroke, "points": stroke["points"][:count]}
            query = {"strokes": [*done, begun], "picture": None, "k": 12}
            grown.append(json.dumps(query, separators=(",", ":")).encode()[1:])
        done.append(stroke)
    return grown


@dataclass
class Crowd:
    """People who draw for some seconds on one server."""

    address: str
    drawings: list[Drawing]
    seconds: float
    progress: "tqdm[Any]"
    times: list[float] = field(default_factory=list)
    errors: int = 0
    lost: int = 0
    begin: float = 0
    end: float = 0

    async def draw(self, people: int) -> dict[str, Any]:
        """Lets this many people draw; returns a row of the table."""
        self.begin = time.monotonic() + WARM_UP
        self.end = self.begin + self.seconds
        drawn = [asyncio.create_task(self.person(number)) for number in range(people)]
        await asyncio.sleep(WARM_UP)
        start, used = await asyncio.to_thread(server_state, self.address), own_cpu()
        while time.monotonic() < self.end:
            await asyncio.sleep(min(1, max(0, self.end - time.monotonic())))
            self.progress.update(min(1, round(self.seconds)))
        answered = len(self.times)
        end, used = await asyncio.to_thread(server_state, self.address), own_cpu() - used
        await asyncio.gather(*drawn)
        times = sorted(1000 * t for t in self.times) or [float("nan")]
        return {
            "people": people,
            "queries_per_s": answered / self.seconds,
            "median_ms": statistics.median(times),
            "p95_ms": times[int(0.95 * (len(times) - 1))],
            "p99_ms": times[int(0.99 * (len(times) - 1))],
            "errors": self.errors,
            "lost": self.lost,
            "rss_mb_start": start["process_resident_memory_bytes"] / 1e6,
            "rss_mb_end": end["process_resident_memory_bytes"] / 1e6,
            "server_cpu_ms": 1000
            * (end["process_cpu_seconds_total"] - start["process_cpu_seconds_total"])
            / max(answered, 1),
            "people_cpu_ms": 1000 * used / max(answered, 1),
        }

    async def person(self, number: int) -> None:
        """Draws until the time is over, and then waits for the answer to the last state."""
        connection = Connection(self.address, f"person{number}")
        for due, body in growth(self.drawings, random.Random(number)):
            now = time.monotonic()
            if now >= self.end:
                break
            if due > now:
                await asyncio.sleep(due - now)
            if not await self.ask(connection, body) and time.monotonic() < self.end:
                await asyncio.sleep(1)
        deadline = time.monotonic() + TIMEOUT
        answered = await self.ask(connection, body)
        while not answered and time.monotonic() < deadline:
            await asyncio.sleep(1)
            answered = await self.ask(connection, body)
        self.lost += not answered
        connection.close()

    async def ask(self, connection: "Connection", body: bytes) -> bool:
        """Searches; returns whether photos were found."""
        began = time.monotonic()
        try:
            status, answer = await asyncio.wait_for(connection.ask(body), TIMEOUT)
        except (OSError, EOFError, TimeoutError):
            status, answer = 0, b""
            connection.close()
        if status != 200 or b'"rank":12,' not in answer:
            self.errors += 1
            return False
        if self.begin <= began and time.monotonic() <= self.end:
            self.times.append(time.monotonic() - began)
        return True


def growth(drawings: list[Drawing], chance: random.Random) -> Iterator[tuple[float, bytes]]:
    """The newest state of a drawing, each time one is asked for, and the time it is due."""
    pace = POINTS_PER_S / POINTS_PER_STATE
    while True:
        drawing = chance.choice(drawings)
        began, shown = time.monotonic() - chance.random() / pace, -1
        while shown < len(drawing) - 1:
            newest = int((time.monotonic() - began) * pace)
            shown = min(max(newest, shown + 1), len(drawing) - 1)
            yield began + shown / pace, drawing[shown]


class Connection:
    """A minimal HTTP client. A full one would take processor time from the server."""

    def __init__(self, address: str, page: str) -> None:
        place = urlsplit(address)
        self.host, self.port = place.hostname or "", place.port or 80
        self.start = b'{"page":"%s",' % page.encode()
        self.head = (
            f"POST /board/search HTTP/1.1\r\nHost: {place.netloc}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self.streams
        length = len(self.start) + len(body)
        writer.write(b"%b%d\r\n\r\n%b%b" % (self.head, length, self.start, body))
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: *(\d+)", head)
        return int(head.split(None, 2)[1]), await reader.readexactly(int(found[1]) if found else 0)

    def close(self) -> None:
        if self.streams:
            self.streams[1].close()
        self.streams = None


def server_state(address: str) -> dict[str, float]:
    """The server's metrics without labels, from `/metrics`."""
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    pairs = [line.split(" ") for line in lines if line[:1] != "#" and "{" not in line]
    return {name: float(value) for name, value in pairs}


def own_cpu() -> float:
    """Seconds of processor time that this process has used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(exit_code(main))
