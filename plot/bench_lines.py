"""The lines of the bench's table: how each is computed from a bench's folder, and its target.

A ratio is taken block by block. A block holds one row of every cell, run within seconds of each
other, so a ratio within it is free of the machine's slow drifts.
"""

import operator
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import bench_echo
import bench_link
import bench_rate
import scale
from rows import Results, Row, is_result, select, without_latency
from stats import median, spread

SCENARIO = "bench"
NOT_MEASURED, REACHED, MISSED, SKIPPED = "not measured", "reached", "MISSED", "skipped: "
SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
FORM = "%-10s  %-24s  %-32s  %6s  %-12s  %s  %-8s %s"
HEAD = (FORM % ("section", "figure", "ratio of", "median", "range", "n", "target", "")).rstrip()

Cell = Dict[str, Any]  # keys of a row and their values; a tuple: the best of them, block by block


class Bench(NamedTuple):
    """A folder that scenarios/bench wrote."""

    folder: str
    results: Results
    rows: List[Row]  # of the bench, as far as they count

    def section(self, name: str, **wanted: Any) -> List[Row]:
        return select(self.rows, section=name, **wanted)

    def skip_reasons(self, section: str, clients: Sequence[str]) -> Dict[str, str]:
        """The clients that could not run here, and why."""
        skipped = select(self.results.rows, scenario=SCENARIO, status="skipped", section=section,
                         client=tuple(clients))
        return {row["client"]: row.get("reason") or "no reason given" for row in skipped}


def bench_of(results: Results) -> Bench:
    return Bench(results.folder, results, [row for row in results.rows if is_result(row)
                                           and row["scenario"] == SCENARIO])


class Found(NamedTuple):
    """What a folder has for one line: a value for each block or row."""

    of: str
    values: List[float]
    reason: str = ""  # why this machine cannot measure it, if that is known
    note: str = ""


class Line(NamedTuple):
    """One line of the table. Its target holds for the median of its values, as `>= 0.95 and <=
    1.05`; "" for a line that is only shown."""

    section: str
    figure: str
    find: Callable[[Bench], Found]
    target: str = ""
    digits: int = 2
    more_is_better: Optional[bool] = False  # None: neither direction is a regression
    short: str = ""   # of the figure, where columns are narrow


def mark(line: Line, found: Found) -> str:
    """The verdict on a line, with its note."""
    if not found.values:
        return found.note or (SKIPPED + found.reason if found.reason else NOT_MEASURED)
    parts = [part.split() for part in line.target.split(" and ")] if line.target else []
    is_reached = all(SIGNS[sign](median(found.values), float(bound)) for sign, bound in parts)
    verdict = (REACHED if is_reached else MISSED) if parts else ""
    return ", ".join(filter(None, (verdict, found.note)))


def is_missed(text: str) -> bool:
    """Whether --require fails on this mark. What this machine cannot measure is not missed."""
    return text.startswith((MISSED, NOT_MEASURED))


def text_of(line: Line, bench: Bench) -> Tuple[str, str]:
    found = line.find(bench)
    word, values = mark(line, found), spread(found.values)
    middle = "%.*f" % (line.digits, values.median) if values else "-"
    extent = "%.*f..%.*f" % (line.digits, values.low, line.digits, values.high) if values else ""
    return (FORM % (line.section, line.figure, found.of, middle, extent, len(found.values),
                    line.target, word)).rstrip(), word


# ---- ratios of two cells ----


class Figure(NamedTuple):
    """What a ratio is of."""

    name: str
    short: str
    value: Callable[[Row], Optional[float]]
    more_is_better: bool


CPU = Figure("GB per client CPU second", "CPU", lambda row: row["gb_per_cpu_s"], True)
SPEED = Figure("bytes per second", "speed", lambda row: row["bytes_per_s"], True)
MEMORY = Figure("peak memory", "memory", lambda row: row["peak_rss_kb"], False)
FRAMES = Figure("frames per client CPU s", "frames", lambda row: row["frames"] / row["cpu_s"]
                if row["frames"] and row["cpu_s"] else None, True)
CONNECTS = Figure("connects per CPU second", "connects", lambda row: row["connected"]
                  / row["connect_cpu_s"] if row["connect_cpu_s"] else None, True)
P99 = Figure("latency p99", "p99", lambda row: row["latency_us_p99"], False)
RAW, DRAIN, CHAIN = {"scheme": "raw"}, {"scheme": "drain"}, {"scheme": "chain"}
RING, FIXED, SLICES = {"scheme": "ring"}, {"scheme": "fixed"}, {"scheme": "slices"}
BLOCKING, RAW_COPY = {"scheme": "blocking"}, {"scheme": "raw-copy"}
# Common libraries: with whole frames, and with frames in pieces as slices has them.
LIBRARIES, IN_PIECES = ("libuv", "libevent"), ("libuv-slices", "libevent-slices")
PEERS, PEERS_IN_PIECES = (*LIBRARIES, "blocking"), (*IN_PIECES, "blocking-slices")
WHOLE = ("mirror", "chain")  # our schemes for whole frames
BEST = {LIBRARIES: "best library", IN_PIECES: "best, in pieces",
        LIBRARIES + IN_PIECES: "best of both", PEERS: "best peer",
        PEERS_IN_PIECES: "best, in pieces", WHOLE: "best, whole"}
CLIENTS = {"raw": "fanin-raw", "raw-copy": "fanin-raw",
           **{library + pieces: "fanin-peer-" + library
              for library in PEERS for pieces in ("", "-slices")}}


def by_block(rows: Sequence[Row], figure: Figure) -> Dict[int, float]:
    """The figure by block, the highest where several rows are wanted. Blocks in which it is null or
    0 are left out."""
    found: Dict[int, float] = {}
    for row in rows:
        value = figure.value(row)
        if value:
            found[row["repeat"]] = max(value, found.get(row["repeat"], value))
    return found


def block_ratios(upper: Sequence[Row], lower: Sequence[Row], figure: Figure) -> List[float]:
    over, under = by_block(upper, figure), by_block(lower, figure)
    return [over[block] / under[block] for block in sorted(set(over) & set(under))]


def cell_name(cell: Cell) -> str:
    """A cell in a few letters: `chain`, `uring drain`, `epoll W=16`."""
    scheme = cell.get("scheme")
    words = [cell.get("engine"), BEST[scheme] if isinstance(scheme, tuple) else scheme,
             "W=%d" % cell["workers"] if "workers" in cell else None,
             "cap %d MB" % (cell["pool_cap_bytes"] / 1e6) if "pool_cap_bytes" in cell else None,
             {0: "alone", None: None}.get(cell.get("flood_frames"), "flooded"), cell.get("label")]
    return " ".join(word for word in words if word)


def clients_of(cell: Cell) -> List[str]:
    """The programs whose rows are meant."""
    scheme = cell.get("scheme")
    return [CLIENTS.get(one, "fanin-client")
            for one in (scheme if isinstance(scheme, tuple) else (scheme,))]


def ratio(section: str, figure: Figure, upper: Cell, lower: Cell, target: str = "") -> Line:
    """A line that is a ratio of one figure between two cells of a section."""
    def find(bench: Bench) -> Found:
        rows = bench.section(section, **upper), bench.section(section, **lower)
        values = block_ratios(*rows, figure)
        skips = bench.skip_reasons(section, clients_of(upper) + clients_of(lower))
        absent = [client for client in clients_of(lower) if client in skips]
        several = len(clients_of(lower)) > 1
        clocks = without_latency(rows[0] + rows[1]) if figure is P99 else {}
        return Found("%14s / %s" % (cell_name(upper), cell_name(lower)), values,
                     next(iter([*skips.values(), *clocks]), ""),
                     "without " + ", ".join(absent) if values and several and absent else "")
    return Line(section, figure.name, find, target,
                more_is_better=None if "label" in upper else figure.more_is_better,
                short=figure.short)


def engines(section: str, target: str) -> List[Line]:
    """io_uring against epoll, without buffers and with the paper's scheme."""
    return [ratio(section, CPU, {"scheme": scheme, "engine": "uring"},
                  {"scheme": scheme, "engine": "epoll"}, target) for scheme in ("drain", "chain")]


def small_frames(section: str, target: str) -> List[Line]:
    """slices against each library, and against the best of them, in both of their forms; and the
    ceiling: the raw loop, which looks at no byte."""
    lines = []
    for form in (LIBRARIES, IN_PIECES):
        lines += [ratio(section, FRAMES, SLICES, {"scheme": scheme}) for scheme in form]
        lines.append(ratio(section, FRAMES, SLICES, {"scheme": form}, target))
    return lines + [ratio(section, CPU, RAW, {"scheme": LIBRARIES + IN_PIECES}),
                    ratio(section, CPU, SLICES, RAW)]


def large_frames(section: str) -> List[Line]:
    """The client's defaults against each peer, against the best that does the same, and each scheme
    against its own ceiling: for chain a raw loop whose bytes are copied once by another thread."""
    return [*(ratio(section, FRAMES, SLICES, {"scheme": scheme})
              for scheme in PEERS + PEERS_IN_PIECES),
            ratio(section, FRAMES, SLICES, {"scheme": PEERS_IN_PIECES}, ">= 1.05"),
            ratio(section, FRAMES, {"scheme": WHOLE}, {"scheme": PEERS}, ">= 1.10"),
            ratio(section, CPU, SLICES, RAW, ">= 0.95"),
            ratio(section, CPU, CHAIN, RAW_COPY, ">= 0.90"),
            ratio(section, CPU, RAW_COPY, RAW)]


# ---- other figures ----


def per_row(section: str, figure: str, value: Callable[[Row], float], target: str) -> Line:
    """A line about what slices does for each byte, frame or receive."""
    def find(bench: Bench) -> Found:
        reason = bench.skip_reasons(section, ["fanin-client"]).get("fanin-client", "")
        return Found("slices", [value(row) for row in bench.section(section, scheme="slices")],
                     reason)
    return Line(section, figure, find, target, 3)


def failed_reads(row: Row) -> float:
    """The share of receives that found nothing."""
    return row["receive_empty"] / row["receive_calls"]


def receives_of_100_kb(row: Row) -> float:
    """Receives for as many bytes as the largest frame has."""
    return row["receive_calls"] * 100e3 / row["bytes"]


def by_connections(section: str, scheme: str, figure: str, digits: int,
                   values: Callable[[List[Row], List[Row]], List[float]], target: str = "",
                   more_is_better: bool = False) -> Line:
    """A line that sets the most connections of a section against the fewest."""
    def find(bench: Bench) -> Found:
        rows = bench.section(section, scheme=scheme)
        sizes = sorted({row["servers"] for row in rows}, reverse=True)
        several = len(sizes) > 1
        skips = bench.skip_reasons(section, clients_of({"scheme": scheme}))
        most, least = ([row for row in rows if row["servers"] == sizes[i]] if several else []
                       for i in (0, -1))
        of = ", ".join([scheme] + [" / ".join(map(str, sizes))] * several)
        return Found(of, values(most, least), next(iter(skips.values()), ""))
    return Line(section, figure, find, target, digits, more_is_better,
                CPU.short if figure == CPU.name else "bytes")


def each(scheme: str, target: str = "") -> Line:
    """The loss of speed when many connections are active, each with the same bytes."""
    return by_connections("each", scheme, CPU.name, 2,
                          lambda most, least: block_ratios(most, least, CPU), target, True)


def connects(scheme: str, target: str = "") -> Line:
    """How fast the most connections of that section are made."""
    def rates(most: List[Row], least: List[Row]) -> List[float]:
        return [row["connected"] / row["connect_ms"] * 1e3 for row in most if row["connect_ms"]]
    line = by_connections("each", scheme, "connects a second", 0, rates, target, True)
    def find(bench: Bench) -> Found:
        found = line.find(bench)
        return found._replace(of=found.of.partition(" / ")[0])
    return line._replace(find=find, short="connects")


def idle(scheme: str) -> Line:
    """User memory for each connection that waits."""
    return by_connections("idle", scheme, "bytes a connection", 0, scale.idle_bytes,
                          "<= %g" % scale.IDLE_BYTES_MAX)


def rate() -> Line:
    """The highest rate of records without loss. The paper has none, so it has no target."""
    def find(bench: Bench) -> Found:
        best = bench_rate.search_result(bench.folder)
        return Found("slices / paper's %d per s" % bench_rate.PAPER,
                     [best.rate / bench_rate.PAPER] if best.rate else [], best.reason, best.note)
    return Line("rate", "highest loss-free rate", find, "", 1, True, "records")


def link(name: str, figure: str, of: str, value: Callable[[bench_link.Check], float],
         target: str, more_is_better: bool) -> Line:
    """A figure of `fanin-lan --check`."""
    def find(bench: Bench) -> Found:
        return Found(of, [value(check) for check in bench_link.checks(bench.folder, name)],
                     bench_link.reason(bench.folder, name))
    return Line("link", figure, find, target, 2, more_is_better, figure.rpartition(" ")[2])


def echo(load: str, upper: str, lower: str, target: str = "") -> Line:
    """A ratio of two echo servers; `4/2` has 4 workers, of which 2 may run."""
    def find(bench: Bench) -> Found:
        return Found("%14s / %s" % (upper, lower),
                     bench_echo.ratios(bench.folder, load, upper, lower),
                     bench_echo.reason(bench.folder, upper, lower))
    return Line(load, "messages per CPU second", find, target, 2, True, "messages")


def echoes(load: str) -> List[Line]:
    return [echo(load, "cport", "libuv", ">= 1.00"), echo(load, "cport", "bare", ">= 0.90"),
            echo(load, "cport 4/2", "asio 4", ">= 1.20"), echo(load, "uring", "libuv")]


# ---- the table ----

LINES = (
    ratio("loopback", CPU, DRAIN, RAW, ">= 0.90"),
    ratio("loopback", CPU, CHAIN, RAW, ">= 0.75"),
    ratio("loopback", CPU, RING, RAW),
    ratio("loopback", CPU, FIXED, RAW),
    *(ratio("loopback", MEMORY, cell, RAW) for cell in (DRAIN, CHAIN, RING, FIXED)),
    ratio("slices", CPU, SLICES, RAW, ">= 0.90"),
    ratio("slices", CPU, SLICES, CHAIN),
    ratio("slices", CPU, DRAIN, RAW),
    ratio("slices", MEMORY, SLICES, RAW),
    ratio("slices-10k", CPU, SLICES, RAW, ">= 0.80"),
    ratio("slices-cap", CPU, {"pool_cap_bytes": 10 ** 6}, {"pool_cap_bytes": 10 ** 9},
          ">= 0.95 and <= 1.05"),
    *small_frames("peers-256", ">= 1.30"),
    *large_frames("peers-100k"),
    ratio("live-500", P99, SLICES, BLOCKING, "<= 2.00"),
    ratio("live-500", P99, CHAIN, BLOCKING, "<= 2.00"),
    *(ratio("one-record", CPU, CHAIN, cell, "> 1.00") for cell in (FIXED, RING)),
    *(ratio("one-record", MEMORY, CHAIN, cell, "< 1.00") for cell in (FIXED, RING)),
    # The delay of slow servers' frames while another server sends at full speed.
    *(ratio("flood", P99, {"scheme": scheme, "flood_frames": 400000},
            {"scheme": scheme, "flood_frames": 0}, "<= 2.00") for scheme in ("chain", "slices")),
    *engines("large", ">= 1.00"),
    *engines("small", ">= 1.25"),
    # The cost of waiting workers: 16 against 2, of which 2 may run.
    *(ratio("workers", CPU, {"engine": engine, "workers": 16}, {"engine": engine, "workers": 2},
            ">= 0.90") for engine in ("epoll", "uring")),
    # The cost of running workers: as many as they are may run, on however few processors.
    *(ratio("crowd", SPEED, {"scheme": scheme, "workers": 16}, {"scheme": scheme, "workers": 2},
            ">= 0.90") for scheme in ("chain", "slices")),
    *(ratio("crowd", CPU, {"scheme": scheme, "workers": 16}, {"scheme": scheme, "workers": 2})
      for scheme in ("chain", "slices")),
    ratio("connect", CONNECTS, CHAIN, RAW),
    ratio("a-a", CPU, {"label": "A"}, {"label": "B"}),
    # Only a header that arrives in two pieces is copied: at most 48 bytes of a frame.
    per_row("slices", "copies per byte", lambda row: row["copies_per_byte"], "<= 0.001"),
    per_row("slices", "scanned per byte", lambda row: row["scanned_per_byte"], "<= 1.01"),
    per_row("slices", "failed reads, share", failed_reads, "<= 0.05"),
    per_row("slices", "receives per 100 kB", receives_of_100_kb, "<= 3"),
    per_row("slices-10k", "receives per 100 kB", receives_of_100_kb, "<= 3"),
    per_row("slices-10k", "failed reads, share", failed_reads, "<= 0.05"),
    # Atomic exchanges for each frame on its way to the processing thread.
    per_row("slices-256", "publications per frame",
            lambda row: row["hand_overs"] / row["frames"], "<= 0.125"),
    per_row("slices-256", "copies per byte", lambda row: row["copies_per_byte"], "<= 0.001"),
    each("slices", ">= %.2f" % scale.KEPT_MIN),
    each("raw"),
    connects("slices", ">= %d" % scale.CONNECTS_MIN),
    connects("raw"),
    idle("slices"),
    idle("chain"),
    rate(),
    # Echo servers: 64 B on 1, 100 and 1000 connections, 16 kB on 100; connect, echo, close.
    *echoes("echo-1"),
    echo("echo-1", "cport 4/2", "libuv", ">= 1.00"),
    *(line for load in ("echo-100", "echo-1000", "echo-16k") for line in echoes(load)),
    echo("echo-open", "cport", "libuv", ">= 1.00"),
    echo("echo-open", "cport 4/2", "asio 4"),
    link("rated", "share of a core", "100 Mbit/s both ways", bench_link.core_share, "< 0.15",
         False),
    link("unlimited", "Gbit/s", "both ways in all",
         lambda check: bench_link.both_ways(check) / 1e9, ">= 1.00", True),
)
