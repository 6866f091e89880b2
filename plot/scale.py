"""What connections cost: CPU time by connections and bytes, memory per idle connection, latency."""

import itertools
import math
from collections import Counter
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from rows import Results, Row, group_by, numbers, select
from section import (LATENCY_COLUMNS, LATENCY_NOTE, Figure, Section, block_ratio, clock_error_ms,
                     clock_notes, data_block, data_line, interval_note,
                     latency_texts, left_out, measured, median_of, numbered, point, range_text,
                     ratios_by_block, usable, whiskers)
from stats import Spread, median, spread
from tables import Column, Table, exact, in_blocks, number

TITLE = "Scale. From few connections to very many"
SCENARIO = "scale"
LEAD = ("All active runs of one kind transfer the same bytes, over more and more connections; in "
        "those of the other kind each connection brings the same bytes. Together they part the "
        "price of a connection, which is asked, wakes a worker and is closed, from that of a byte.")
RAW = "raw"
ORDER = ("slices", "mirror", "chain", "ring", "fixed", "drain", RAW)
EACH = "each-"         # begins the sections with the same bytes a connection
KEPT_MIN = 0.8         # of GB per CPU second, with the same bytes a connection
CONNECTS_MIN = 20000   # a second, with the most connections
IDLE_BYTES_MAX = 400   # of user memory, per idle connection
TEXT_RATIO = 3         # of two numbers on an axis, at which their texts do not touch
KB = 1024
COLUMNS = (Column("connections", left=True), Column("median", "GB per CPU second"),
           Column("min..max", "GB per CPU second"), Column("of raw", "GB per CPU second"),
           Column("same each", "GB per CPU s"), Column("99 % idle", "GB per CPU s"),
           Column("a second", "connects"), Column("us of CPU", "connects"),
           Column("bytes", "each idle"), Column("n"))
COST_COLUMNS = (Column("scheme", left=True), Column("median", "us a connection"),
                Column("min..max", "us a connection"), Column("median", "s a GB"),
                Column("min..max", "s a GB"), Column("median", "off the line, %"),
                Column("most", "off the line, %"), Column("n"))
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

    active: Load                  # every server sends as fast as it can, all together the same
    each: Load                    # the same, but each sends the same
    idle: Load                    # 1 % of the servers do, the others send nothing
    rates: Dict[float, Load]      # servers send at a rate


def loads_of(rows: Sequence[Row]) -> Loads:
    closed = [row for row in rows if not row["rate"]]
    rated = group_by([row for row in rows if row["rate"]], "rate")
    active = [row for row in closed if not has_idle(row)]
    return Loads(load_of([row for row in active if not row["section"].startswith(EACH)]),
                 load_of([row for row in active if row["section"].startswith(EACH)]),
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


# ---- the price of a connection and of a byte ----


class Prices(NamedTuple):
    """CPU time as `connection_s` for each connection and `gb_s` for each GB."""

    connection_s: float
    gb_s: float

    def of(self, row: Row) -> float:
        return self.connection_s * row["connected"] + self.gb_s * row["bytes"] / 1e9


class Cost(NamedTuple):
    """The prices of a scheme's blocks, and by how much of their CPU time rows lie off the line of
    the median prices."""

    connection_us: Spread
    gb_s: Spread
    off: Spread

    def prices(self) -> Prices:
        return Prices(self.connection_us.median / 1e6, self.gb_s.median)


def prices_of(rows: Sequence[Row]) -> Optional[Prices]:
    """Least squares of the deviations, each as a share of its row's CPU time, so that long rows do
    not outweigh short ones. None where connections and bytes do not vary apart."""
    a = [row["connected"] / row["cpu_s"] for row in rows]
    b = [row["bytes"] / 1e9 / row["cpu_s"] for row in rows]
    aa, ab, bb = (sum(x * y for x, y in zip(*pair)) for pair in ((a, a), (a, b), (b, b)))
    determinant = aa * bb - ab * ab
    if determinant <= 1e-6 * aa * bb:
        return None
    return Prices((bb * sum(a) - ab * sum(b)) / determinant,
                  (aa * sum(b) - ab * sum(a)) / determinant)


def cell_of(row: Row) -> Tuple[str, int]:
    return row["section"], row["servers"]


def cost(loads: Loads, scheme: str) -> Optional[Cost]:
    """From the blocks that have all the scheme's active cells: one without the most connections
    says little of their price."""
    rows = [row for load in (loads.active, loads.each)
            for found in load.schemes.get(scheme, {}).values() for row in found
            if row["cpu_s"] and row["bytes"]]
    cells = set(map(cell_of, rows))
    blocks = [block for block in group_by(rows, "repeat").values()
              if set(map(cell_of, block)) == cells]
    found = [prices for prices in map(prices_of, blocks) if prices]
    if len(cells) < 3 or not found:
        return None
    connection, gb = spread([one.connection_s * 1e6 for one in found]), \
        spread([one.gb_s for one in found])
    line_of = Prices(connection.median / 1e6, gb.median)
    return Cost(connection, gb, spread([abs(line_of.of(row) / row["cpu_s"] - 1) for row in rows]))


def costs(loads: Loads) -> Dict[str, Cost]:
    found = {scheme: cost(loads, scheme) for scheme in loads.active.schemes}
    return {scheme: one for scheme, one in found.items() if one}


def cost_table(found: Dict[str, Cost]) -> Table:
    lines = [[scheme, number(one.connection_us.median), range_text(one.connection_us),
              number(one.gb_s.median), range_text(one.gb_s), "%.1f" % (one.off.median * 100),
              "%.1f" % (one.off.high * 100), str(one.connection_us.n)]
             for scheme, one in found.items()]
    return Table("Scale: the price of a connection and of a byte", COST_COLUMNS, lines, [
        "CPU time of the client from asking on = us a connection x connections + s a GB x GB, "
        "fitted in each block that has all cells, to active rows of both kinds. A connection: "
        "asking it, waking for it, receiving its last bytes and closing it; connecting is not in "
        "it. Off the line: by how much of their CPU time the rows deviate from the medians' line."]
        + interval_note(one.connection_us for one in found.values()))


# ---- tables ----


def connect_us(rows: Sequence[Row]) -> Optional[Spread]:
    """CPU time of the client for a connect."""
    return spread([row["connect_cpu_s"] / row["connected"] * 1e6
                   for row in rows if row.get("connect_cpu_s") and row["connected"]])


def connects_per_s(rows: Sequence[Row]) -> Optional[Spread]:
    return spread([row["connected"] / row["connect_ms"] * 1e3 for row in rows
                   if row["connect_ms"]])


def line(loads: Loads, scheme: str, servers: int) -> List[str]:
    rows = loads.active.rows(scheme, servers)
    each, idle = loads.each.rows(scheme, servers), loads.idle.rows(scheme, servers)
    speed = measured(rows, "gb_per_cpu_s")
    connected = [*rows, *each, *idle]
    return [exact(servers), number(median_of(speed)), range_text(speed),
            number(median_of(block_ratio(rows, loads.active.rows(RAW, servers), "gb_per_cpu_s"))),
            number(median_of(measured(each, "gb_per_cpu_s"))),
            number(median_of(measured(idle, "gb_per_cpu_s"))),
            number(median_of(connects_per_s(connected))),
            number(median_of(connect_us(connected))),
            number(median_of(connection_bytes(loads.idle, scheme, servers))), str(len(rows))]


def table(loads: Loads) -> Table:
    """Of the loads in which all servers together send the same."""
    active = loads.active
    lines = in_blocks([[scheme]] + [line(loads, scheme, servers)
                                    for servers in active.sizes(scheme)]
                      for scheme in active.schemes)
    return Table("Scale: all connections active, and 99 % of them idle", COLUMNS, lines, [
        "Same each: every connection brings the same bytes, however many there are.",
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


def ends_of(load: Load, scheme: str) -> Optional[Tuple[int, int]]:
    """The fewest and the most connections, if there are several."""
    sizes = load.sizes(scheme)
    return (sizes[0], sizes[-1]) if len(sizes) > 1 else None


def falls(loads: Loads, scheme: str) -> List[Target]:
    """The loss from the fewest to the most connections: with the same bytes in all, absolute and
    relative to the raw loop's, and with the same bytes a connection, which has the bound."""
    found = []
    for load, what in ((loads.active, "in all"), (loads.each, "each")):
        ends = ends_of(load, scheme)
        if not ends:
            continue
        least, most = ends
        one = block_ratio(load.rows(scheme, most), load.rows(scheme, least), "gb_per_cpu_s")
        has_bound = load is loads.each and scheme != RAW
        found.append(Target("GB per CPU s, %s / %s, same %s" % (exact(most), exact(least), what),
                            scheme, one, ">= %.2f" % KEPT_MIN if has_bound else "",
                            one.median >= KEPT_MIN if has_bound and one else None))
        if load is loads.active and scheme != RAW:
            found.append(Target("the same, relative to raw", scheme,
                                beside_raw(loads, scheme, least, most), "", None))
    return found


def connect_target(loads: Loads, scheme: str) -> List[Target]:
    """How fast the most connections are made."""
    ends = ends_of(loads.active, scheme)
    rows = [row for load in (loads.active, loads.each, loads.idle)
            for row in load.rows(scheme, ends[1])] if ends else []
    found = connects_per_s(rows)
    if found is None:
        return []
    name = "connects per second, of %s" % exact(ends[1])
    return [Target(name, scheme, found, "", None) if scheme == RAW else
            Target(name, scheme, found, ">= %d" % CONNECTS_MIN, found.median >= CONNECTS_MIN)]


def memory_target(loads: Loads, scheme: str) -> List[Target]:
    sizes = loads.idle.sizes(scheme)
    found = connection_bytes(loads.idle, scheme, sizes[-1]) if sizes else None
    if found is None:
        return []
    return [Target("bytes per idle connection, of %s" % exact(sizes[-1]), scheme, found,
                 "<= %d" % IDLE_BYTES_MAX, found.median <= IDLE_BYTES_MAX)]


def targets(loads: Loads) -> List[Target]:
    return [target for scheme in {**loads.active.schemes, **loads.each.schemes}
            for target in falls(loads, scheme)] + \
        [target for scheme in loads.active.schemes for target in connect_target(loads, scheme)] + \
        [target for scheme in loads.idle.schemes for target in memory_target(loads, scheme)]


def target_table(loads: Loads) -> Table:
    words = {True: "reached", False: "MISSED", None: ""}
    lines = [[target.name, target.scheme, number(median_of(target.found)), range_text(target.found),
              target.bound,
              words[target.reached], str(target.found.n if target.found else 0)]
             for target in targets(loads)]
    return Table("Scale: targets", TARGET_COLUMNS, lines,
                 ["Ratios are taken block by block. With the same bytes in all a connection brings "
                  "less the more there are, so its own price weighs more: that loss has no bound. "
                  "%s has none either: it asks and closes as many connections as the others and "
                  "does nothing else." % RAW])


# ---- the figure ----


class Panel(NamedTuple):
    """Curves, each with its scheme."""

    title: str
    curves: List[Tuple[str, str]]
    bound: Optional[float] = None  # a dashed line
    is_logarithmic: bool = False


def curves(load: Load, value: Callable[[str, int], Optional[Spread]], scale: float = 1,
           predicted: Callable[[str, int], Optional[float]] = lambda scheme, size: None) \
        -> List[Tuple[str, str]]:
    return [(scheme, data_block(scheme, [
        data_line(size, *point(found, scale), predicted(scheme, size))
        for size in load.sizes(scheme) for found in [value(scheme, size)] if found]))
        for scheme in load.schemes]


def key_curves(load: Load, key: str, scale: float = 1, **more: Any) -> List[Tuple[str, str]]:
    return curves(load, lambda scheme, size: measured(load.rows(scheme, size), key), scale, **more)


def predicted_speed(load: Load, found: Dict[str, Cost]) -> Callable[[str, int], Optional[float]]:
    """GB per CPU second by the prices."""
    def of(scheme: str, size: int) -> Optional[float]:
        if scheme not in found:
            return None
        prices = found[scheme].prices()
        return median([row["bytes"] / 1e9 / prices.of(row) for row in load.rows(scheme, size)])
    return of


def panels(loads: Loads) -> List[Panel]:
    found = costs(loads)
    idle = Load({name: sizes for name, sizes in loads.idle.schemes.items() if name != RAW})
    speeds = [Panel("GB per CPU s, " + what, key_curves(load, "gb_per_cpu_s",
                                                        predicted=predicted_speed(load, found)))
              for load, what in ((loads.active, "same in all"), (loads.each, "same each"))
              if load.schemes]
    return speeds + [
        Panel("Bytes per idle connection",
              curves(idle, lambda scheme, size: connection_bytes(idle, scheme, size)),
              IDLE_BYTES_MAX)] + [
        Panel("p99 in ms at {:,.0f} a second".format(rate),
              key_curves(load, "latency_us_p99", 1e-3), is_logarithmic=True)
        for rate, load in timed_rates(loads).items()]


def figure(loads: Loads) -> Figure:
    drawn = panels(loads)
    sizes = sorted({size for sizes in loads.active.schemes.values() for size in sizes})
    settings = {"PANELS": len(drawn), "X_MIN": sizes[0] * 0.7, "X_MAX": sizes[-1] * 1.5,
                "TICS": ", ".join('"%s" %d' % mark for mark in marks(sizes)),
                **numbered("TITLE", [panel.title for panel in drawn]),
                **numbered("BOUND", [panel.bound or 0 for panel in drawn]),
                **numbered("LOGARITHMIC", [int(panel.is_logarithmic) for panel in drawn]),
                **numbered("FIRST", itertools.accumulate((len(panel.curves)
                                                          for panel in drawn[:-1]), initial=0)),
                **numbered("SCHEMES", [" ".join(scheme for scheme, _ in panel.curves)
                                       for panel in drawn]),
                "RUNS": whiskers(rows for found in loads.active.schemes.values()
                                 for rows in found.values())
                + (", dotted: by the fitted prices" if costs(loads) else "")}
    data = "".join(block for panel in drawn for _, block in panel.curves)
    return Figure("scale", "scale", (1100, 420), settings, data,
                  "Scale. What connections cost",
                  "Panels over the number of connections, on a logarithmic axis, with a line for "
                  "each scheme: bytes per client CPU second with all connections active, with the "
                  "same bytes in all and with the same bytes each, dotted as the fitted prices of "
                  "a connection and a byte say; user memory per idle connection; and the 99th "
                  "percentile of latency at each rate.")


def marks(sizes: Iterable[int]) -> List[Tuple[str, int]]:
    """The text and the place of each mark on a logarithmic axis; one too near a larger has no
    text."""
    marked: List[Tuple[str, int]] = []
    nearest = math.inf
    for size in sorted(sizes, reverse=True):
        is_clear = TEXT_RATIO * size <= nearest
        nearest = size if is_clear else nearest
        marked.append((short_count(size) if is_clear else "", size))
    return marked[::-1]


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
    blocks += [cost_table(costs(loads))] if costs(loads) else []
    blocks += [latency_table(rate, load) for rate, load in loads.rates.items()]
    blocks += [target_table(loads)] if targets(loads) else []
    drawn = [figure(loads)] if any(len(sizes) > 1 for sizes in loads.active.schemes.values()) \
        else []
    return Section(TITLE, blocks + not_run(results), drawn, LEAD)
