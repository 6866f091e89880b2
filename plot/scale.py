"""Cost by number of connections: throughput per CPU second, memory per idle connection, latency."""

import itertools
from collections import Counter
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from rows import Results, Row, group_by, numbers, select
from section import (LATENCY_COLUMNS, LATENCY_NOTE, Figure, Section, block_ratio, clock_error_ms,
                     clock_notes, data_block, data_line, frames_per_cpu_s, interval_note,
                     latency_texts, left_out, measured, median_of, numbered, point, range_text,
                     ratios_by_block, usable, whiskers)
from stats import Spread, median, spread
from tables import Column, Table, exact, in_blocks, number

TITLE = "Scale. From few connections to very many"
SCENARIO = "scale"
LEAD = ("Every run transfers the same bytes, over more and more connections. What the raw loop "
        "loses is the kernel's cost.")
RAW = "raw"
ORDER = ("slices", "mirror", "chain", "ring", "fixed", "drain", RAW)
FALL_MAX = 0.25        # of GB per CPU second, from the least to the most connections
IDLE_BYTES_MAX = 400   # of user memory, per idle connection
KB = 1024
COLUMNS = (Column("connections", left=True), Column("median", "GB per CPU second"),
           Column("min..max", "GB per CPU second"), Column("of raw", "GB per CPU second"),
           Column("per CPU second", "k frames"), Column("99 % idle", "GB per CPU s"),
           Column("per second", "connects"), Column("bytes", "per connection"), Column("n"))
TARGET_COLUMNS = (Column("target", left=True), Column("scheme", left=True), Column("median"),
                Column("min..max"), Column("bound"), Column("", left=True), Column("n"))
Sizes = Dict[int, List[Row]]  # by number of connections


class Load(NamedTuple):
    """Rows of one kind of load, by scheme and number of connections."""

    schemes: Dict[str, Sizes]

    def rows(self, scheme: str, servers: int) -> List[Row]:
        return self.schemes.get(scheme, {}).get(servers, [])

    def sizes(self, scheme: str) -> List[int]:
        return sorted(self.schemes.get(scheme, {}))


def load_of(rows: Sequence[Row]) -> Load:
    schemes = group_by(rows, "scheme")
    names = sorted(schemes, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER),
                                              name))
    return Load({name: group_by(schemes[name], "servers") for name in names})


def has_idle(row: Row) -> bool:
    return bool(row.get("idle_servers"))


class Loads(NamedTuple):
    """The scenario's rows by kind of load."""

    active: Load                  # every server sends as fast as it can
    idle: Load                    # 1 % of the servers do, the others send nothing
    rates: Dict[float, Load]      # servers send at a rate


def loads_of(rows: Sequence[Row]) -> Loads:
    closed = [row for row in rows if not row["rate"]]
    rated = group_by([row for row in rows if row["rate"]], "rate")
    return Loads(load_of([row for row in closed if not has_idle(row)]),
                 load_of([row for row in closed if has_idle(row)]),
                 {rate: load_of(members) for rate, members in sorted(rated.items())})


# ---- what is measured ----


def connection_bytes(load: Load, scheme: str, servers: int) -> Optional[Spread]:
    """User memory of a waiting connection: the growth of the resident set from the smallest number
    of connections, which excludes the process's fixed part."""
    least = min(load.sizes(scheme), default=servers)
    return spread(idle_bytes(load.rows(scheme, servers), load.rows(scheme, least))
                  if servers > least else [])


def idle_bytes(most: Sequence[Row], least: Sequence[Row]) -> List[float]:
    """The growth of the resident set per connection, from the least connections to each run with
    the most; where it is nothing, the noise of two processes may be below 0. None was measured:
    []."""
    below = [row["ready_rss_kb"] for row in least if row.get("ready_rss_kb")]
    return [(row["ready_rss_kb"] - median(below)) * KB / (row["servers"] - least[0]["servers"])
            for row in most if row.get("ready_rss_kb") and below]


# ---- tables ----


def line(loads: Loads, scheme: str, servers: int) -> List[str]:
    rows = loads.active.rows(scheme, servers)
    idle = loads.idle.rows(scheme, servers)
    speed = measured(rows, "gb_per_cpu_s")
    connects_per_s = spread([row["connected"] / row["connect_ms"] * 1e3
                             for row in list(rows) + list(idle) if row["connect_ms"]])
    return [exact(servers), number(median_of(speed)), range_text(speed),
            number(median_of(block_ratio(rows, loads.active.rows(RAW, servers), "gb_per_cpu_s"))),
            number(median_of(frames_per_cpu_s(rows), 1e-3)),
            number(median_of(measured(idle, "gb_per_cpu_s"))),
            number(median_of(connects_per_s)),
            number(median_of(connection_bytes(loads.idle, scheme, servers))), str(len(rows))]


def table(loads: Loads) -> Table:
    active = loads.active
    lines = in_blocks([[scheme]] + [line(loads, scheme, servers)
                                    for servers in active.sizes(scheme)]
                      for scheme in active.schemes)
    return Table("Scale: all connections active, and 99 % of them idle", COLUMNS, lines, [
        "A connection: growth of the client's resident set per connection, from the smallest "
        "number, when all are connected and wait for their first byte. It excludes the kernel's "
        "memory."] + interval_note(measured(rows, "gb_per_cpu_s")
                                   for sizes in active.schemes.values()
                                   for rows in sizes.values()))


def rows_of(load: Load) -> List[Row]:
    return [row for sizes in load.schemes.values() for rows in sizes.values() for row in rows]


def timed_rates(loads: Loads) -> Dict[float, Load]:
    """The rates with latencies to draw: clocks that differ allow none."""
    return {rate: load for rate, load in loads.rates.items()
            if numbers(rows_of(load), "latency_us_p99")}


def p99_title(rate: float, rows: Sequence[Row]) -> str:
    """A panel's title, with the error of the clocks that its latencies are differences of."""
    error = clock_error_ms(rows)
    return "p99 in ms at {:,.0f} a second{}".format(
        rate, "" if error is None else ", clocks ±%s" % number(error))


def latency_table(rate: float, load: Load) -> Table:
    lines = in_blocks([[scheme]] + [
        [exact(servers)] + latency_texts(sizes[servers]) + [str(len(sizes[servers]))]
        for servers in load.sizes(scheme)] for scheme, sizes in load.schemes.items())
    idle = any(map(has_idle, rows_of(load)))
    return Table("Scale: latency in ms at {:,.0f} records a second{}".format(
        rate, ", 99 % of the connections idle" if idle else ""),
        (Column("connections", left=True), *LATENCY_COLUMNS, Column("n")), lines,
        [LATENCY_NOTE + " It includes delays of the servers, which share the machine."]
        + clock_notes(rows_of(load)))


# ---- the targets ----


class Target(NamedTuple):
    """A number that should stay within a bound; `reached` is None without a bound."""

    name: str
    scheme: str
    found: Optional[Spread]
    bound: str
    reached: Optional[bool]


def beside_raw(loads: Loads, scheme: str, least: int, most: int) -> Optional[Spread]:
    """The change of a scheme's share of the raw loop, block by block."""
    few, many = (ratios_by_block(loads.active.rows(scheme, size), loads.active.rows(RAW, size),
                                 "gb_per_cpu_s") for size in (least, most))
    return spread([many[repeat] / few[repeat] for repeat in many if repeat in few])


def falls(loads: Loads, scheme: str) -> List[Target]:
    """The loss from the fewest to the most connections, absolute and relative to the raw loop's."""
    sizes = loads.active.sizes(scheme)
    if len(sizes) < 2:
        return []
    least, most = sizes[0], sizes[-1]
    name = "GB per CPU second, %s / %s" % (exact(most), exact(least))
    one = block_ratio(loads.active.rows(scheme, most), loads.active.rows(scheme, least),
                      "gb_per_cpu_s")
    if scheme == RAW:
        return [Target(name, scheme, one, "", None)]
    return [Target(name, scheme, one, ">= %.2f" % (1 - FALL_MAX),
                 one.median >= 1 - FALL_MAX if one else None),
            Target("the same, relative to raw", scheme, beside_raw(loads, scheme, least, most), "",
                 None)]


def memory_target(loads: Loads, scheme: str) -> List[Target]:
    sizes = loads.idle.sizes(scheme)
    found = connection_bytes(loads.idle, scheme, sizes[-1]) if sizes else None
    if found is None:
        return []
    return [Target("bytes per idle connection, of %s" % exact(sizes[-1]), scheme, found,
                 "<= %d" % IDLE_BYTES_MAX, found.median <= IDLE_BYTES_MAX)]


def targets(loads: Loads) -> List[Target]:
    return [target for scheme in loads.active.schemes for target in falls(loads, scheme)] + \
        [target for scheme in loads.idle.schemes for target in memory_target(loads, scheme)]


def target_table(loads: Loads) -> Table:
    words = {True: "reached", False: "MISSED", None: ""}
    lines = [[target.name, target.scheme, number(median_of(target.found)), range_text(target.found),
              target.bound,
              words[target.reached], str(target.found.n if target.found else 0)]
             for target in targets(loads)]
    return Table("Scale: targets", TARGET_COLUMNS, lines,
                 ["Ratios are taken block by block. %s has no bound: its loss is the kernel's "
                  "share of the others' losses." % RAW])


# ---- the figure ----


def panels(loads: Loads) -> List[List[Tuple[str, str]]]:
    """Curves, each with its scheme: throughput, memory, and p99 at each rate."""
    def curves(load: Load, value: Callable[[str, int], Optional[Spread]],
               scale: float = 1) -> List[Tuple[str, str]]:
        return [(scheme, data_block(scheme, [
            data_line(size, *point(found, scale)) for size in load.sizes(scheme)
            for found in [value(scheme, size)] if found])) for scheme in load.schemes]
    def key_of(load: Load, key: str) -> Callable[[str, int], Optional[Spread]]:
        return lambda scheme, size: measured(load.rows(scheme, size), key)
    idle = Load({name: sizes for name, sizes in loads.idle.schemes.items() if name != RAW})
    return [curves(loads.active, key_of(loads.active, "gb_per_cpu_s")),
            curves(idle, lambda scheme, size: connection_bytes(idle, scheme, size))] + [
        curves(load, key_of(load, "latency_us_p99"), 1e-3) for load in timed_rates(loads).values()]


def figure(loads: Loads) -> Figure:
    drawn = panels(loads)
    titles = ["GB per CPU second, all active", "Bytes per idle connection"] + [
        p99_title(rate, rows_of(load)) for rate, load in timed_rates(loads).items()]
    sizes = sorted({size for sizes in loads.active.schemes.values() for size in sizes})
    settings = {"PANELS": len(drawn), "X_MIN": sizes[0] * 0.7, "X_MAX": sizes[-1] * 1.5,
                "TICS": ", ".join('"%s" %d' % (short_count(size), size) for size in sizes),
                "BOUND": IDLE_BYTES_MAX, **numbered("TITLE", titles),
                **numbered("FIRST", itertools.accumulate(map(len, drawn[:-1]), initial=0)),
                **numbered("SCHEMES", [" ".join(scheme for scheme, _ in curves)
                                       for curves in drawn]),
                "RUNS": whiskers(rows for found in loads.active.schemes.values()
                                 for rows in found.values())}
    data = "".join(block for curves in drawn for _, block in curves)
    return Figure("scale", "scale", (1100, 420), settings, data,
                  "Scale. Cost over the number of connections",
                  "Panels over the number of connections, on a logarithmic axis, with a line for "
                  "each scheme: bytes per client CPU second with all connections active, user "
                  "memory per idle connection, and the 99th percentile of latency at each rate.")


def short_count(servers: int) -> str:
    return "%gk" % (servers / 1000) if servers >= 1000 else "%d" % servers


# ---- the section ----


def not_run(results: Results) -> List[str]:
    """The sizes that this machine could not run, by reason."""
    reasons = Counter(row["reason"] for row in select(results.rows, scenario=SCENARIO,
                                                      status="skipped"))
    return ["Not run, %d rows: %s." % (rows, reason.rstrip("."))
            for reason, rows in sorted(reasons.items())]


def build(results: Results) -> Section:
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    loads = loads_of(rows)
    blocks = [table(loads)] if loads.active.schemes else []
    blocks += [latency_table(rate, load) for rate, load in loads.rates.items()]
    blocks += [target_table(loads)] if targets(loads) else []
    drawn = [figure(loads)] if any(len(sizes) > 1 for sizes in loads.active.schemes.values()) \
        else []
    return Section(TITLE, blocks + not_run(results), drawn, LEAD)
