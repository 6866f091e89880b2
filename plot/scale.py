"""How cost grows with the number of connections: what a CPU second buys, what a connection takes
while nothing comes on it, how late frames get."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from rows import Results, Row, group, select
from section import (LATENCY_COLUMNS, Figure, Section, block_ratio, data_block, data_line, extent,
                     frames_per_cpu_s, latency_texts, left_out, measured, middle,
                     ratios_by_block, run_counts, sure_note, usable)
from stats import Spread, median, spread
from tables import Column, Table, number

TITLE = "Scale. From few connections to very many"
SCENARIO = "scale"
LEAD = ("The same bytes a run, over ever more connections. The raw loop pays for them, too: what "
        "it loses is the kernel's.")
RAW = "raw"
ORDER = ("slices", "mirror", "chain", "ring", "fixed", "drain", RAW)
FALL_MAX = 0.25        # of GB per CPU second, from the least to the most connections
IDLE_BYTES_MAX = 256   # of user memory, per idle connection
KB = 1024
COLUMNS = (Column("connections", left=True), Column("median", "GB a CPU second"),
           Column("min..max", "GB a CPU second"), Column("of raw", "GB a CPU second"),
           Column("a CPU second", "k frames"), Column("99 % idle", "GB a CPU s"),
           Column("a second", "connects"), Column("bytes", "a connection"), Column("n"))
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
    names = sorted({row["scheme"] for row in rows},
                   key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return Load({name: {key[0]: found for key, found in
                        group([row for row in rows if row["scheme"] == name],
                              ("servers",)).items()} for name in names})


def has_idle(row: Row) -> bool:
    return bool(row.get("idle_servers"))


class Loads(NamedTuple):
    """The scenario's rows by kind of load."""

    active: Load                  # every server sends, as fast as it can
    idle: Load                    # one in a hundred does, the others are silent
    rates: Dict[float, Load]      # at a rate


def loads_of(rows: Sequence[Row]) -> Loads:
    closed = [row for row in rows if not row["rate"]]
    rated = group([row for row in rows if row["rate"]], ("rate",))
    return Loads(load_of([row for row in closed if not has_idle(row)]),
                 load_of([row for row in closed if has_idle(row)]),
                 {key[0]: load_of(members) for key, members in sorted(rated.items())})


# ---- what is measured ----


def connection_bytes(load: Load, scheme: str, servers: int) -> Optional[Spread]:
    """User memory for each connection that waits: what the resident set grows by from the least
    number of them, so that what a process takes in any case does not count."""
    least = min(load.sizes(scheme), default=servers)
    below = [row["ready_rss_kb"] for row in load.rows(scheme, least) if row.get("ready_rss_kb")]
    if servers == least or not below:
        return None
    base = median(below)
    return spread([max(0.0, (row["ready_rss_kb"] - base) * KB / (servers - least))
                   for row in load.rows(scheme, servers) if row.get("ready_rss_kb")])


def connects_per_s(rows: Sequence[Row]) -> Optional[Spread]:
    return spread([row["connected"] / row["connect_ms"] * 1e3 for row in rows if row["connect_ms"]])


# ---- tables ----


def count(servers: int) -> str:
    return "{:,d}".format(servers)


def line(loads: Loads, scheme: str, servers: int) -> List[str]:
    rows = loads.active.rows(scheme, servers)
    idle = loads.idle.rows(scheme, servers)
    speed = measured(rows, "gb_per_cpu_s")
    return [count(servers), number(middle(speed)), extent(speed),
            number(middle(block_ratio(rows, loads.active.rows(RAW, servers), "gb_per_cpu_s"))),
            number(middle(frames_per_cpu_s(rows), 1e-3)),
            number(middle(measured(idle, "gb_per_cpu_s"))),
            number(middle(connects_per_s(list(rows) + list(idle)))),
            number(middle(connection_bytes(loads.idle, scheme, servers))), str(len(rows))]


def table(loads: Loads) -> Table:
    """A block of lines for each scheme."""
    lines: List[Optional[List[str]]] = []
    found = []
    for scheme in loads.active.schemes:
        lines += [None] if lines else []
        lines.append([scheme])
        for servers in loads.active.sizes(scheme):
            lines.append(line(loads, scheme, servers))
            found.append(measured(loads.active.rows(scheme, servers), "gb_per_cpu_s"))
    return Table("Scale: all connections active, and 99 % of them idle", COLUMNS, lines, [
        "A connection: what the client's resident memory grows by for each, from the least number "
        "of them, when all are connected and wait for their first byte. The kernel's own is not in "
        "it."] + sure_note(found))


def latency_table(rate: float, load: Load) -> Table:
    """Latencies at one rate."""
    lines: List[Optional[List[str]]] = []
    idle = False
    for scheme in load.schemes:
        lines += [None] if lines else []
        lines.append([scheme])
        for servers in load.sizes(scheme):
            rows = load.rows(scheme, servers)
            idle = idle or any(map(has_idle, rows))
            lines.append([count(servers)] + latency_texts(rows) + [str(len(rows))])
    return Table("Scale: latency in ms at {:,.0f} records a second{}".format(
        rate, ", 99 % of the connections idle" if idle else ""),
        (Column("connections", left=True), *LATENCY_COLUMNS, Column("n")), lines,
        ["From the moment a record was due to be sent to its processing. Servers and client share "
         "this machine: what the servers send late is in it."])


# ---- the targets ----


class Target(NamedTuple):
    """A figure that should stay within a bound; `reached` None: it is only shown."""

    name: str
    scheme: str
    found: Optional[Spread]
    bound: str
    reached: Optional[bool]


def beside_raw(loads: Loads, scheme: str, least: int, most: int) -> Optional[Spread]:
    """What is left of a scheme's share of the raw loop, block by block."""
    few, many = (ratios_by_block(loads.active.rows(scheme, size), loads.active.rows(RAW, size),
                                 "gb_per_cpu_s") for size in (least, most))
    return spread([many[repeat] / few[repeat] for repeat in many if repeat in few])


def falls(loads: Loads, scheme: str) -> List[Target]:
    """From the least to the most connections: in itself, and beside the raw loop's own fall."""
    sizes = loads.active.sizes(scheme)
    if len(sizes) < 2:
        return []
    least, most = sizes[0], sizes[-1]
    name = "GB a CPU second, %s / %s" % (count(most), count(least))
    one = block_ratio(loads.active.rows(scheme, most), loads.active.rows(scheme, least),
                      "gb_per_cpu_s")
    if scheme == RAW:
        return [Target(name, scheme, one, "", None)]
    return [Target(name, scheme, one, ">= %.2f" % (1 - FALL_MAX),
                 one.median >= 1 - FALL_MAX if one else None),
            Target("the same, beside raw's own", scheme, beside_raw(loads, scheme, least, most), "",
                 None)]


def memory_target(loads: Loads, scheme: str) -> List[Target]:
    sizes = loads.idle.sizes(scheme)
    found = connection_bytes(loads.idle, scheme, sizes[-1]) if sizes else None
    if found is None:
        return []
    return [Target("bytes an idle connection, of %s" % count(sizes[-1]), scheme, found,
                 "<= %d" % IDLE_BYTES_MAX, found.median <= IDLE_BYTES_MAX)]


def targets(loads: Loads) -> List[Target]:
    return [target for scheme in loads.active.schemes for target in falls(loads, scheme)] + \
        [target for scheme in loads.idle.schemes for target in memory_target(loads, scheme)]


def target_table(loads: Loads) -> Table:
    words = {True: "reached", False: "MISSED", None: ""}
    lines = [[target.name, target.scheme, number(middle(target.found)), extent(target.found),
              target.bound,
              words[target.reached], str(target.found.n if target.found else 0)]
             for target in targets(loads)]
    return Table("Scale: targets", TARGET_COLUMNS, lines,
                 ["Ratios are taken block by block. %s has no bound: what it falls by is the "
                  "kernel's share of what the others fall by." % RAW])


# ---- the figure ----


def curve(scheme: str, points: Sequence[Tuple[int, Optional[Spread]]]) -> str:
    return data_block(scheme, [data_line(servers, one.median, one.low, one.high)
                               for servers, one in points if one])


def panels(loads: Loads) -> List[List[Tuple[str, str]]]:
    """Curves, each with its scheme: speed, memory, and p99 at each rate."""
    speed = [(scheme, curve(scheme, [(size, measured(loads.active.rows(scheme, size),
                                                     "gb_per_cpu_s"))
                                     for size in loads.active.sizes(scheme)]))
             for scheme in loads.active.schemes]
    memory = [(scheme, curve(scheme, [(size, connection_bytes(loads.idle, scheme, size))
                                      for size in loads.idle.sizes(scheme)]))
              for scheme in loads.idle.schemes if scheme != RAW]
    late = [[(scheme, curve(scheme, [
        (size, spread([value / 1e3 for value in
                       (row["latency_us_p99"] for row in load.rows(scheme, size)) if value]))
        for size in load.sizes(scheme)])) for scheme in load.schemes]
        for load in loads.rates.values()]
    return [speed, memory] + late


def figure(loads: Loads) -> Figure:
    """Three panels and more over the number of connections, which is on a logarithmic axis."""
    drawn = panels(loads)
    titles = ["GB a CPU second, all active", "Bytes an idle connection"] + [
        "p99 in ms at {:,.0f} a second".format(rate) for rate in loads.rates]
    sizes = sorted({size for sizes in loads.active.schemes.values() for size in sizes})
    settings = {"PANELS": len(drawn), "X_MIN": sizes[0] * 0.7, "X_MAX": sizes[-1] * 1.5,
                "TICS": ", ".join('"%s" %d' % (short_count(size), size) for size in sizes),
                "RUNS": "median of %s, whiskers min..max" % run_counts(
                    [len(rows) for found in loads.active.schemes.values()
                     for rows in found.values()])}
    index = 0
    for i, (title, curves) in enumerate(zip(titles, drawn), 1):
        settings["TITLE%d" % i] = title
        settings["LOG%d" % i] = 1 if i > 2 else 0
        settings["BOUND%d" % i] = IDLE_BYTES_MAX if i == 2 else 0
        settings["FIRST%d" % i] = index
        settings["SCHEMES%d" % i] = " ".join(scheme for scheme, _ in curves)
        index += len(curves)
    data = "".join(block for curves in drawn for _, block in curves)
    return Figure("scale", "scale", (1100, 420), settings, data,
                  "Scale. Cost over the number of connections",
                  "Panels side by side, each with the number of connections on a logarithmic axis "
                  "and a line for each scheme: bytes per client CPU second with all connections "
                  "active, user memory for each idle connection, and the 99th percentile of "
                  "latency at each rate.")


def short_count(servers: int) -> str:
    return "%gk" % (servers / 1000) if servers >= 1000 else "%d" % servers


# ---- the section ----


def not_run(results: Results) -> List[str]:
    """The sizes that this machine could not run, each with the reason that its rows give."""
    skipped = [row for row in select(results.rows, scenario=SCENARIO)
               if row.get("status") == "skipped"]
    reasons: Dict[str, int] = {}
    for row in skipped:
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    return ["Not run, %d rows: %s." % (rows, reason.rstrip("."))
            for reason, rows in sorted(reasons.items())]


def build(results: Results) -> Section:
    """The tables, the targets and the figure."""
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
