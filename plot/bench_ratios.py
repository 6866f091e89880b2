"""The lines of the bench that are ratios of two cells: taken block by block, and whether their
median reaches the target.

A block holds one row of every cell, run within seconds of each other; a ratio taken inside a block
is spared the slow drifts of a machine.
"""

import statistics
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import bench_line
from rows import Results, Row, select

Cell = Dict[str, Any]  # keys of a row and their values; a tuple: the best of them, block by block


class Figure(NamedTuple):
    """What a ratio is of."""

    name: str
    value: Callable[[Row], Optional[float]]


class Target(NamedTuple):
    """A ratio of one figure between two cells of a section, and the bound that it should keep."""

    section: str
    figure: Figure
    upper: Cell
    lower: Cell
    at_least: Optional[float] = None
    at_most: Optional[float] = None
    below: Optional[float] = None
    above: Optional[float] = None

    def reached(self, ratio: float) -> bool:
        """Whether the bound holds."""
        return ((self.at_least is None or ratio >= self.at_least)
                and (self.at_most is None or ratio <= self.at_most)
                and (self.above is None or ratio > self.above)
                and (self.below is None or ratio < self.below))

    def bound(self) -> str:
        """The bound in words; "" for a ratio that is only shown."""
        words = ((">= ", self.at_least), ("<= ", self.at_most), ("> ", self.above),
                 ("< ", self.below))
        return " and ".join("%s%.2f" % (sign, value) for sign, value in words if value is not None)


def frames_per_cpu_s(row: Row) -> Optional[float]:
    """Frames processed for each CPU second of the client."""
    return row["frames"] / row["cpu_s"] if row["frames"] and row["cpu_s"] else None


CPU = Figure("GB per client CPU second", lambda row: row["gb_per_cpu_s"])
MEMORY = Figure("peak memory", lambda row: row["peak_rss_kb"])
FRAMES = Figure("frames per client CPU s", frames_per_cpu_s)
P99 = Figure("latency p99", lambda row: row["latency_us_p99"])
RAW, DRAIN, CHAIN = {"scheme": "raw"}, {"scheme": "drain"}, {"scheme": "chain"}
RING, FIXED, SLICES = {"scheme": "ring"}, {"scheme": "fixed"}, {"scheme": "slices"}
BLOCKING = {"scheme": "blocking"}
# The libraries that many would reach for: with frames put together, and in pieces as slices has it.
LIBRARIES, IN_PIECES = ("libuv", "libevent"), ("libuv-slices", "libevent-slices")
BEST = {LIBRARIES: "best library", IN_PIECES: "best, in pieces"}
CLIENTS = {"raw": "fanin-raw", "blocking": "fanin-peer-blocking",
           **{library + pieces: "fanin-peer-" + library
              for library in LIBRARIES for pieces in ("", "-slices")}}


def engines(section: str, bound: float) -> List[Target]:
    """io_uring against epoll, with nothing buffered and with the paper's scheme."""
    return [Target(section, CPU, {"scheme": scheme, "engine": "uring"},
                   {"scheme": scheme, "engine": "epoll"}, at_least=bound)
            for scheme in ("drain", "chain")]


def many_workers(engine: str) -> Target:
    """What waiting workers cost: 16 against 2, of which 2 may run."""
    return Target("workers", CPU, {"engine": engine, "workers": 16},
                  {"engine": engine, "workers": 2}, at_least=0.9)


def flooded(scheme: str) -> Target:
    """How late slow servers' frames get while another server sends as fast as it is taken."""
    return Target("flood", P99, {"scheme": scheme, "flood_frames": 400000},
                  {"scheme": scheme, "flood_frames": 0}, at_most=2)


def libraries(section: str, bound: float) -> List[Target]:
    """slices against each library, and against the best of them, in both of their forms."""
    targets = []
    for form in (LIBRARIES, IN_PIECES):
        targets += [Target(section, FRAMES, SLICES, {"scheme": scheme}) for scheme in form]
        targets.append(Target(section, FRAMES, SLICES, {"scheme": form}, at_least=bound))
    return targets + [Target(section, CPU, SLICES, RAW)]


TARGETS = (
    Target("loopback", CPU, DRAIN, RAW, at_least=0.9),
    Target("loopback", CPU, CHAIN, RAW, at_least=0.75),
    Target("loopback", CPU, RING, RAW),
    Target("loopback", CPU, FIXED, RAW),
    Target("loopback", MEMORY, DRAIN, RAW),
    Target("loopback", MEMORY, CHAIN, RAW),
    Target("loopback", MEMORY, RING, RAW),
    Target("loopback", MEMORY, FIXED, RAW),
    Target("slices", CPU, SLICES, RAW, at_least=0.9),
    Target("slices", CPU, SLICES, CHAIN),
    Target("slices", CPU, DRAIN, RAW),
    Target("slices", MEMORY, SLICES, RAW),
    Target("slices-10k", CPU, SLICES, RAW, at_least=0.8),
    Target("slices-cap", CPU, {"pool_cap_bytes": 10 ** 6}, {"pool_cap_bytes": 10 ** 9},
           at_least=0.95, at_most=1.05),
    *libraries("peers-256", 1.5),
    *libraries("peers-100k", 1.2),
    Target("live-500", P99, SLICES, BLOCKING, at_most=2),
    Target("live-500", P99, CHAIN, BLOCKING, at_most=2),
    Target("one-record", CPU, CHAIN, FIXED, above=1),
    Target("one-record", CPU, CHAIN, RING, above=1),
    Target("one-record", MEMORY, CHAIN, FIXED, below=1),
    Target("one-record", MEMORY, CHAIN, RING, below=1),
    flooded("chain"),
    flooded("slices"),
    *engines("large", 1.0),
    *engines("small", 1.25),
    many_workers("epoll"),
    many_workers("uring"),
    Target("a-a", CPU, {"label": "A"}, {"label": "B"}),
)


def by_block(rows: Sequence[Row], section: str, cell: Cell, figure: Figure) -> Dict[int, float]:
    """The figure by block, the highest where several rows are wanted; blocks in which it was not
    measured, or is 0, are left out."""
    found: Dict[int, float] = {}
    for row in select(rows, section=section, **cell):
        value = figure.value(row)
        if value:
            found[row["repeat"]] = max(value, found.get(row["repeat"], value))
    return found


def ratios(rows: Sequence[Row], target: Target) -> List[float]:
    """One ratio for each block that has both rows."""
    upper = by_block(rows, target.section, target.upper, target.figure)
    lower = by_block(rows, target.section, target.lower, target.figure)
    return [upper[block] / lower[block] for block in sorted(set(upper) & set(lower))]


def name(cell: Cell) -> str:
    """A cell in a few letters: `chain`, `uring drain`, `epoll W=16`."""
    scheme = cell.get("scheme")
    words = [cell.get("engine"), BEST[scheme] if isinstance(scheme, tuple) else scheme,
             "W=%d" % cell["workers"] if "workers" in cell else None,
             "cap %d MB" % (cell["pool_cap_bytes"] / 1e6) if "pool_cap_bytes" in cell else None,
             {0: "alone", None: None}.get(cell.get("flood_frames"), "flooded"), cell.get("label")]
    return " ".join(word for word in words if word)


def clients(cell: Cell) -> Tuple[str, ...]:
    """The programs whose rows are meant."""
    scheme = cell.get("scheme")
    return tuple(CLIENTS.get(one, "fanin-client")
                 for one in (scheme if isinstance(scheme, tuple) else (scheme,)))


def mark(results: Results, target: Target, found: Sequence[float]) -> str:
    """What became of a target; "" for a ratio that is only shown, and was."""
    skips = bench_line.skips(results, target.section,
                             clients(target.upper) + clients(target.lower))
    if not found:
        return bench_line.SKIPPED + next(iter(skips.values())) if skips else bench_line.NOT_MEASURED
    if not target.bound():
        return ""
    word = (bench_line.REACHED if target.reached(statistics.median(found))
            else bench_line.MISSED)
    absent = [client for client in clients(target.lower) if client in skips]
    several = isinstance(target.lower.get("scheme"), tuple)
    return "%s, without %s" % (word, ", ".join(absent)) if several and absent else word


def line(results: Results, target: Target) -> Tuple[str, str]:
    """(a line of the table, what became of the target)."""
    found = ratios(bench_line.usable(results), target)
    word = mark(results, target, found)
    return bench_line.line(target.section, target.figure.name,
                           "%14s / %s" % (name(target.upper), name(target.lower)), found,
                           target.bound(), word), word


def lines(results: Results) -> Tuple[List[str], bool]:
    """(all lines, whether a target was missed)."""
    found = [line(results, target) for target in TARGETS]
    return [text for text, _ in found], any(bench_line.is_missed(word) for _, word in found)
