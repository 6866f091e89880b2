"""The connection test, explained: round trip, failing servers, time limit, workers and connections,
each as a factor of its own around one base point; and which of them makes the paper's 2043 ms."""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
import paper
from rows import Results, Row, variants
from section import (Figure, Section, data_block, data_line, extent, file_name, left_out, measured,
                     middle, run_counts, unlabelled, usable, with_label)
from table1 import succeeded
from tables import Column, Table, number, ratio

TITLE = "Connect. What a connection test's time is made of"
SCENARIO = "connect"
MODES = ("sync", "async")
COLUMNS = (Column("factor and level", left=True), Column("mode", left=True), Column("succeeded"),
           Column("median", "until the last, ms"), Column("min..max", "until the last, ms"),
           Column("model", "until the last, ms"), Column("p50", "single connects, ms"),
           Column("p90", "single connects, ms"), Column("p99", "single connects, ms"),
           Column("max", "single connects, ms"), Column("n"))
SINGLE = ("connect_us_p50", "connect_us_p90", "connect_us_p99", "connect_us_max")
MICRO_TO_MILLI = 1e-3
TIMED_OUT = "timeout"
PAPER_WORKERS = 6    # of the paper's row that blocks
NEAR = 0.1           # as a share: a time that may be called the paper's
FAULTS = {"": (0, "none"), "refuse": (1, "refused"), "small-backlog": (2, "dropped")}

Level = Tuple[float, str]  # its place among the others, its name
Cells = Dict[Tuple[Level, str], List[Row]]  # by level and mode


class Factor(NamedTuple):
    """One section of the scenario: what changes in it, and what a row's level is."""

    section: str
    title: str  # of its panel
    short: str  # before a level in the table
    level: Callable[[Row], Level]


def round_trip(row: Row) -> Level:
    """Of the link; loopback, which adds none, comes first."""
    trip = links.round_trip_of(row)
    return (-1, links.LOOPBACK) if trip is None else (trip, "%g ms" % trip)


def failing(row: Row) -> Level:
    """Of the fleet's fault: `fault=refuse:2%` is `2 % refused`."""
    found = re.search(r"fault=([^:\s]*):(\d+)(%?)", row["fleet"])
    if not found:
        return FAULTS[""] if not row["fleet"] else (len(FAULTS), row["fleet"])
    kind, share, sign = found.groups()
    place, name = FAULTS.get(kind, (len(FAULTS), kind))
    return place, "%s%s %s" % (share, " %" if sign else "", name)


def counted(key: str, form: str) -> Callable[[Row], Level]:
    """Of an option that is a number."""
    return lambda row: (row[key], form % row[key])


FACTORS = (
    Factor("rtt", "Round trip", "round trip", round_trip),
    Factor("failing", "Failing servers", "failing:", failing),
    Factor("limit", "Time limit, 2 % dropped", "limit", counted("connect_timeout_ms", "%d ms")),
    Factor("workers", "Workers", "workers", counted("workers", "%d")),
    Factor("connections", "Connections", "connections", counted("servers", "%d")),
)


def by_level(factor: Factor, rows: Sequence[Row]) -> Cells:
    """A factor's cells, in the order of their levels."""
    cells: Cells = {}
    for row in rows:
        if row["section"] == factor.section:
            cells.setdefault((factor.level(row), row["connect"]), []).append(row)
    return dict(sorted(cells.items()))


# ---- the model ----


def model_ms(row: Row) -> Optional[float]:
    """What round trips and waiting alone would take: one after the other each connection waits for
    a round trip, or for the limit if nobody answers; at the same time they all wait at once. None
    on loopback, whose round trip nobody set."""
    trip = links.round_trip_of(row)
    if trip is None:
        return None
    silent = row["connect_errors"].get(TIMED_OUT, 0)
    waited = row["connect_timeout_ms"]
    if row["connect"] == "sync":
        return (row["servers"] - silent) * trip + silent * waited
    return max(trip, waited if silent else 0)


def model_of(rows: Sequence[Row]) -> Optional[float]:
    """Of a cell: all of its runs were asked for the same."""
    return max([known for known in map(model_ms, rows) if known is not None], default=None)


# ---- the table ----


def made(rows: Sequence[Row]) -> str:
    """`all`, or `196/200`."""
    return "all" if all(row["connected"] == row["servers"] for row in rows) else succeeded(rows)


def line(factor: Factor, level: Level, mode: str, rows: Sequence[Row]) -> List[str]:
    """One cell."""
    time = measured(rows, "connect_ms")
    return ["%s %s" % (factor.short, level[1]), mode, made(rows),
            number(middle(time)), extent(time), number(model_of(rows))] + [
        number(middle(measured(rows, key), MICRO_TO_MILLI)) for key in SINGLE] + [str(len(rows))]


def table(label: str, found: Dict[str, Cells], notes: Sequence[str]) -> Table:
    """All factors, one block each."""
    lines: List[Optional[List[str]]] = []
    for factor in FACTORS:
        cells = found.get(factor.section, {})
        if cells and lines:
            lines.append(None)
        lines += [line(factor, level, mode, rows) for (level, mode), rows in cells.items()]
    return Table(with_label("Connection test by factor", label), COLUMNS, lines, list(notes) + [
        "Until the last: from the first connect's start to the last one's success or failure. "
        "Single connects: those that succeeded, medians over runs.",
        "Model, not measured: n x round trip one after the other, one round trip at the same time; "
        "a connect that nobody answers waits for its limit. No work of any machine is in it."])


# ---- what the runs say of the paper's 2043 ms ----


def rows_of(found: Dict[str, Cells], section: str, name: str, mode: str) -> List[Row]:
    """The runs of the cell whose level has this name, or ends in it."""
    for ((_, level), of_mode), rows in found.get(section, {}).items():
        if of_mode == mode and level.endswith(name):
            return rows
    return []


def near_words(found: Dict[str, Cells]) -> str:
    """The levels at which blocking takes about as long as it did in the paper."""
    claim = paper.table1()["sync", PAPER_WORKERS].time_ms
    near = []
    for factor in FACTORS:
        for (level, mode), rows in found.get(factor.section, {}).items():
            time = measured(rows, "connect_ms")
            if mode == "sync" and time and abs(time.median / claim - 1) <= NEAR:
                near.append("%s %s (%s ms)" % (factor.short, level[1], number(time.median)))
    return "Within %.0f %% of the paper's %s ms of blocking connects came %s." % (
        100 * NEAR, number(claim), "; ".join(near) or "no level of any factor")


def ratio_words(found: Dict[str, Cells]) -> List[str]:
    """How much slower blocking is at each level of the two factors that could explain the paper."""
    said = []
    for factor in FACTORS[:2]:
        cells = found.get(factor.section, {})
        parts = []
        for level in dict.fromkeys(level for level, _ in cells):
            sync, fast = (middle(measured(cells.get((level, mode), []), "connect_ms"))
                          for mode in MODES)
            if sync and fast:
                parts.append("%s %s" % (level[1], ratio(sync, fast)))
        if parts:
            said.append("%s: %s" % (factor.title.lower(), ", ".join(parts)))
    claims = [paper.table1()[mode, PAPER_WORKERS].time_ms for mode in MODES]
    return ["Sync against async, %s. The paper: %s." % (
        "; ".join(said), ratio(*claims))] if said else []


def hypothesis_words(found: Dict[str, Cells]) -> List[str]:
    """Whether half a second for each failure, one after the other, would make the paper's time."""
    claim = paper.table1()["sync", PAPER_WORKERS]
    failures = claim.connections - claim.succeeded
    good = middle(measured(rows_of(found, "failing", "none", "sync"), "connect_ms"))
    servers = [row["servers"] for row in rows_of(found, "failing", "none", "sync")]
    if good is None:
        return []
    each = good / servers[0]
    wait = (claim.time_ms - claim.succeeded * each) / failures
    said = ["Blocking connects took %s ms each here while none failed. At that pace the paper's "
            "%d failures must have taken %s ms each to make %s ms; or, if they cost nothing, each "
            "connect %s ms, longer than a local network's round trip." % (
                number(each), failures, number(wait), number(claim.time_ms),
                number(claim.time_ms / claim.connections))]
    for name in ("refused", "dropped"):
        rows = rows_of(found, "failing", name, "sync")
        time = measured(rows, "connect_ms")
        if time:
            said.append("With %s: %s servers connected, %s ms (%s), %s the paper's." % (
                failing(rows[0])[1], succeeded(rows), number(time.median), extent(time),
                ratio(time.median, claim.time_ms)))
    return [" ".join(said)]


def async_words(found: Dict[str, Cells]) -> List[str]:
    """The half of the hypothesis that the paper's own asynchronous rows speak against."""
    rows = rows_of(found, "failing", "dropped", "async")
    time, last = measured(rows, "connect_ms"), measured(rows, "connect_us_max")
    claims = [claim for (mode, _), claim in paper.table1().items() if mode == "async"]
    failed = [claim for claim in claims if claim.succeeded < claim.connections]
    whole = [claim.time_ms for claim in claims if claim not in failed]
    if not time or not last or not failed or not whole:
        return []
    apart = max(abs(claim.time_ms - other) for claim in failed for other in whole)
    return ["At the same time the failures are waited out together: %s ms until the last failure, "
            "%s ms the slowest success. But the paper's asynchronous rows with a failure (%s "
            "connected) are within %s ms of those without. So either its time ends with the last "
            "success there, or those failures did not take half a second: the hypothesis explains "
            "its blocking row, not these." % (
                number(time.median), number(last.median * MICRO_TO_MILLI), "; ".join(
                    "%s ms with %d of %d" % (number(claim.time_ms), claim.succeeded,
                                             claim.connections) for claim in failed),
                number(apart))]


# ---- the figure ----


def panel(cells: Cells) -> List[str]:
    """A factor's levels: place, name, then median, min, max and model of sync, and of async."""
    levels = list(dict.fromkeys(level for level, _ in cells))
    lines = []
    for place, level in enumerate(levels):
        values: List[Optional[float]] = []
        for mode in MODES:
            rows = cells.get((level, mode), [])
            time = measured(rows, "connect_ms")
            values += [time.median, time.low, time.high] if time else [None] * 3
            values.append(model_of(rows))
        lines.append(data_line(place, level[1].replace(" %", "%"), *values))
    return lines


def figure(label: str, name: str, found: Dict[str, Cells]) -> Figure:
    """A panel for each factor on one logarithmic axis, and the paper's two times across all."""
    factors = [factor for factor in FACTORS if found.get(factor.section)]
    cells = [cell for factor in factors for cell in found[factor.section].values()]
    times = [row["connect_ms"] for rows in cells for row in rows] + [
        known for known in map(model_of, cells) if known]
    claims = [paper.table1()[mode, PAPER_WORKERS].time_ms for mode in MODES]
    settings = {"PANELS": len(factors), "LEAST": min(times + claims), "MOST": max(times + claims),
                "PAPER_SYNC": claims[0], "PAPER_ASYNC": claims[1],
                "RUNS": "median of %s, whiskers min..max" % run_counts([len(c) for c in cells])}
    for i, factor in enumerate(factors, 1):
        levels = {level for level, _ in found[factor.section]}
        settings["PANEL%d" % i], settings["LEVELS%d" % i] = factor.title, len(levels)
    data = "".join(data_block("%s: place, level, sync ms: median min max model, async ms: the same"
                              % factor.title, panel(found[factor.section])) for factor in factors)
    return Figure(file_name("connect", name), "connect", (1240, 540), settings, data,
                  "Which factor makes the paper's %s ms?" % number(claims[0]),
                  "Time until the last of all connects over each factor's levels, on one "
                  "logarithmic axis: one after the other in vermilion, all at the same time in "
                  "blue, the model as dashed lines, the paper's two times across all panels.",
                  label)


# ---- the section ----


def base_words(found: Dict[str, Cells]) -> str:
    """The point that all factors leave but one where it is, from the runs themselves."""
    rows = rows_of(found, "failing", "none", "sync") or next(iter(next(iter(
        found.values())).values()))
    return "around %d servers, %d workers, %s, a limit of %d ms a connect" % (
        rows[0]["servers"], rows[0]["workers"], links.describe(rows[0]),
        rows[0]["connect_timeout_ms"])


def build(results: Results) -> Section:
    """All factors; one table and one figure for each variant of the options they share."""
    rows = unlabelled(usable(results, SCENARIO))
    known = [row for row in rows if row["section"] in [factor.section for factor in FACTORS]]
    if not known:
        return left_out(TITLE, results, SCENARIO)
    section = Section(TITLE, [], [], "Each factor changes alone, around one base point: what costs "
                      "a round trip, what is waited out, and what makes the paper's time.")
    axes = ("section", "connect", "workers", "servers", "connect_timeout_ms", "fleet", "link")
    for label, members in variants(known, axes):
        found = {factor.section: by_level(factor, members) for factor in FACTORS}
        found = {name: cells for name, cells in found.items() if cells}
        section.blocks.extend([near_words(found)] + ratio_words(found)
                              + hypothesis_words(found) + async_words(found))
        section.blocks.append(table(links.join(base_words(found), label), found,
                                    links.fallback_notes(members)))
        section.figures.append(figure(label, label, found))
    return section
