"""The connection test by factor: round trip, failing servers, time limit, workers and connections,
varied one at a time; and which of them explains the paper's 2043 ms."""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
import paper
from rows import Results, Row, select, grouped, variants
from section import (Figure, Section, data_block, data_line, file_name, left_out, measured,
                     median_of, numbered, point, range_text, usable, whiskers,
                     with_label)
from table1 import succeeded
from tables import Column, Table, in_blocks, number, ratio

TITLE = "Connect. The factors of a connection test's time"
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
PAPER_WORKERS = 6    # of the paper's sync row
NEAR = 0.1           # how far a time may be from the paper's, as a share
FAULTS = {"": (0, "none"), "refuse": (1, "refused"), "small-backlog": (2, "dropped")}

Level = Tuple[float, str]  # its position among the others, its name
Cells = Dict[Tuple[Level, str], List[Row]]  # by level and mode


class Factor(NamedTuple):
    """One section of the scenario, and how to read a row's level."""

    section: str
    title: str  # of its panel
    short: str  # the level's prefix in the table
    level: Callable[[Row], Level]


def round_trip(row: Row) -> Level:
    """The link's round trip; loopback, which adds none, comes first."""
    trip = links.round_trip_of(row)
    return (-1, links.LOOPBACK) if trip is None else (trip, "%g ms" % trip)


def failing(row: Row) -> Level:
    """The fleet's fault: `fault=refuse:2%` is `2 % refused`."""
    found = re.search(r"fault=([^:\s]*):(\d+)(%?)", row["fleet"])
    if not found:
        return FAULTS[""] if not row["fleet"] else (len(FAULTS), row["fleet"])
    kind, share, sign = found.groups()
    place, name = FAULTS.get(kind, (len(FAULTS), kind))
    return place, "%s%s %s" % (share, " %" if sign else "", name)


def counted(key: str, form: str) -> Callable[[Row], Level]:
    return lambda row: (row[key], form % row[key])


FACTORS = (
    Factor("rtt", "Round trip", "round trip", round_trip),
    Factor("failing", "Failing servers", "failing:", failing),
    Factor("limit", "Time limit, 2 % dropped", "limit", counted("connect_timeout_ms", "%d ms")),
    Factor("workers", "Workers", "workers", counted("workers", "%d")),
    Factor("connections", "Connections", "connections", counted("servers", "%d")),
)


def by_level(factor: Factor, rows: Sequence[Row]) -> Cells:
    return dict(sorted(grouped(select(rows, section=factor.section), lambda row: (
        factor.level(row), row["connect"])).items()))


# ---- the model ----


def model_ms(row: Row) -> Optional[float]:
    """The time of round trips and time limits alone. A sync connect waits for one round trip, or
    for the limit without an answer; async connects wait at the same time. None on loopback, which
    sets no round trip."""
    trip = links.round_trip_of(row)
    if trip is None:
        return None
    silent = row["connect_errors"].get(TIMED_OUT, 0)
    waited = row["connect_timeout_ms"]
    if row["connect"] == "sync":
        return (row["servers"] - silent) * trip + silent * waited
    return max(trip, waited if silent else 0)


def model_of(rows: Sequence[Row]) -> Optional[float]:
    """The model of a cell, whose runs have the same options."""
    return max([known for known in map(model_ms, rows) if known is not None], default=None)


# ---- the table ----


def made(rows: Sequence[Row]) -> str:
    """`all`, or `196/200`."""
    return "all" if all(row["connected"] == row["servers"] for row in rows) else succeeded(rows)


def line(factor: Factor, level: Level, mode: str, rows: Sequence[Row]) -> List[str]:
    time = measured(rows, "connect_ms")
    return ["%s %s" % (factor.short, level[1]), mode, made(rows),
            number(median_of(time)), range_text(time), number(model_of(rows))] + [
        number(median_of(measured(rows, key), MICRO_TO_MILLI)) for key in SINGLE] + [str(len(rows))]


def table(label: str, found: Dict[str, Cells], notes: Sequence[str]) -> Table:
    lines = in_blocks([line(factor, level, mode, rows) for (level, mode), rows
                       in found.get(factor.section, {}).items()] for factor in FACTORS)
    return Table(with_label("Connection test by factor", label), COLUMNS, lines, list(notes) + [
        "Until the last: from the first connect's start to the last one's success or failure. "
        "Single connects: those that succeeded, medians over runs.",
        "Model, not measured: n round trips for sync, one for async; an unanswered connect takes "
        "its time limit. It includes no processing time."])


# ---- the paper's 2043 ms, compared with these runs ----


def rows_of(found: Dict[str, Cells], section: str, name: str, mode: str) -> List[Row]:
    """The runs of the cell whose level's name ends in this."""
    return next((rows for ((_, level), of_mode), rows in found.get(section, {}).items()
                 if of_mode == mode and level.endswith(name)), [])


def near_text(found: Dict[str, Cells]) -> List[str]:
    """The levels at which sync connects take about as long as in the paper."""
    claim = paper.table1()["sync", PAPER_WORKERS].time_ms
    times = [("%s %s" % (factor.short, level[1]), measured(rows, "connect_ms"))
             for factor in FACTORS
             for (level, mode), rows in found.get(factor.section, {}).items() if mode == "sync"]
    near = ["%s (%s ms)" % (name, number(time.median)) for name, time in times
            if time and abs(time.median / claim - 1) <= NEAR]
    return ["Sync connects within %.0f %% of the paper's %s ms: %s." % (
        100 * NEAR, number(claim), "; ".join(near) or "none")]


def ratio_text(found: Dict[str, Cells]) -> List[str]:
    """Sync / async at each level of round trip and failing servers."""
    text = []
    for factor in FACTORS[:2]:
        cells = found.get(factor.section, {})
        pairs = [(level[1], *(median_of(measured(cells.get((level, mode), []), "connect_ms"))
                              for mode in MODES))
                 for level in dict.fromkeys(key[0] for key in cells)]
        ratios = ["%s %s" % (name, ratio(sync, fast)) for name, sync, fast in pairs
                  if sync and fast]
        text += ["%s: %s" % (factor.title.lower(), ", ".join(ratios))] if ratios else []
    claims = [paper.table1()[mode, PAPER_WORKERS].time_ms for mode in MODES]
    return ["Sync / async by %s. The paper: %s." % ("; ".join(text), ratio(*claims))] \
        if text else []


def failure_text(found: Dict[str, Cells]) -> List[str]:
    """Whether failing connects, or a longer round trip, explain the paper's sync time."""
    claim, rows = paper.table1()["sync", PAPER_WORKERS], rows_of(found, "failing", "none", "sync")
    good = measured(rows, "connect_ms")
    if not good:
        return []
    failures = claim.connections - claim.succeeded
    each = good.median / rows[0]["servers"]
    text = ["A sync connect took %s ms here. For the paper's %s ms, each of its %d failures must "
            "have taken %s ms, or each connect %s ms." % (
                number(each), number(claim.time_ms), failures,
                number((claim.time_ms - claim.succeeded * each) / failures),
                number(claim.time_ms / claim.connections))]
    for name in ("refused", "dropped"):
        rows = rows_of(found, "failing", name, "sync")
        time = measured(rows, "connect_ms")
        if time:
            text.append("With %s: %s servers connected, %s ms (%s), %s the paper's." % (
                failing(rows[0])[1], succeeded(rows), number(time.median), range_text(time),
                ratio(time.median, claim.time_ms)))
    return [" ".join(text)]


def async_text(found: Dict[str, Cells]) -> List[str]:
    """The paper's async times, which do not fit slow failures."""
    rows = rows_of(found, "failing", "dropped", "async")
    time, last = measured(rows, "connect_ms"), measured(rows, "connect_us_max")
    claims = [claim for (mode, _), claim in paper.table1().items() if mode == "async"]
    failed = [claim for claim in claims if claim.succeeded < claim.connections]
    whole = [claim.time_ms for claim in claims if claim not in failed]
    if not time or not last or not failed or not whole:
        return []
    apart = max(abs(claim.time_ms - other) for claim in failed for other in whole)
    return ["Async connects with dropped servers: %s ms until the last failure, %s ms until the "
            "last success. The paper's async times with failures are within %s ms of the one "
            "without. So they end with the last success, or its failures were fast; slow failures "
            "explain its sync time only." % (
                number(time.median), number(last.median * MICRO_TO_MILLI), number(apart))]


# ---- the figure ----


def panel(cells: Cells) -> List[str]:
    """A factor's levels: position, name, then median, min, max and model of sync, and of async."""
    lines = []
    for i, level in enumerate(dict.fromkeys(level for level, _ in cells)):
        values: List[Optional[float]] = []
        for mode in MODES:
            rows = cells.get((level, mode), [])
            values += point(measured(rows, "connect_ms")) + [model_of(rows)]
        lines.append(data_line(i, level[1].replace(" %", "%"), *values))
    return lines


def figure(label: str, name: str, found: Dict[str, Cells]) -> Figure:
    """A panel for each factor on one logarithmic axis, with lines at the paper's two times."""
    factors = [factor for factor in FACTORS if found.get(factor.section)]
    cells = [cell for factor in factors for cell in found[factor.section].values()]
    times = [row["connect_ms"] for rows in cells for row in rows] + [
        known for known in map(model_of, cells) if known]
    claims = [paper.table1()[mode, PAPER_WORKERS].time_ms for mode in MODES]
    settings = {"PANELS": len(factors), "LEAST": min(times + claims), "MOST": max(times + claims),
                "PAPER_SYNC": claims[0], "PAPER_ASYNC": claims[1],
                "RUNS": whiskers(cells), **numbered("PANEL", [one.title for one in factors]),
                **numbered("LEVELS", [len({level for level, _ in found[factor.section]})
                                      for factor in factors])}
    data = "".join(data_block("%s: place, level, sync ms: median min max model, async ms: the same"
                              % factor.title, panel(found[factor.section])) for factor in factors)
    return Figure(file_name("connect", name), "connect", (1240, 540), settings, data,
                  "What explains the paper's %s ms?" % number(claims[0]),
                  "Time until the last connect over each factor's levels, on one logarithmic axis: "
                  "sync in purple, async in blue, the model as dashed lines, the paper's two "
                  "times as lines across all panels.",
                  label)


# ---- the section ----


def base_text(found: Dict[str, Cells]) -> str:
    """The options that the sections share: each changes one of them."""
    rows = rows_of(found, "failing", "none", "sync") or next(iter(next(iter(
        found.values())).values()))
    return "around %d servers, %d workers, %s, a limit of %d ms a connect" % (
        rows[0]["servers"], rows[0]["workers"], links.describe(rows[0]),
        rows[0]["connect_timeout_ms"])


def build(results: Results) -> Section:
    rows = usable(results, SCENARIO)
    known = [row for row in rows if row["section"] in [factor.section for factor in FACTORS]]
    if not known:
        return left_out(TITLE, results, SCENARIO)
    section = Section(TITLE, [], [], "Each factor changes alone; the others keep the values in the "
                      "table's title.")
    axes = ("section", "connect", "workers", "servers", "connect_timeout_ms", "fleet", "link")
    for label, members in variants(known, axes):
        found = {factor.section: by_level(factor, members) for factor in FACTORS}
        found = {name: cells for name, cells in found.items() if cells}
        for text in (near_text, ratio_text, failure_text, async_text):
            section.blocks.extend(text(found))
        section.blocks.append(table(links.join(base_text(found), label), found,
                                    links.fallback_notes(members)))
        section.figures.append(figure(label, label, found))
    return section
