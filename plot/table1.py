"""Table 1 and Figure 5: connect time by mode and workers."""

from typing import Dict, List, Optional, Sequence, Tuple

import links
import paper
from rows import Results, Row, group
from section import (Figure, Section, data_block, data_line, file_name, has_interval, interval_note,
                     interval_text, left_out, measured, median_of, overlap, point, range_text,
                     run_counts, usable, with_label)
from stats import Spread
from tables import NONE, Column, Table, in_blocks, number, ratio, span

TITLE = "Table 1. Connection test"
SCENARIO = "table1"
CALLS = {"async": "asynchronous (ConnectEx)", "sync": "one after the other (connect)"}
COLUMNS = (Column("mode", left=True), Column("workers"), Column("paper", "succeeded"),
           Column("here", "succeeded"), Column("paper", "time, ms"), Column("median", "time, ms"),
           Column("min..max", "time, ms"), Column("ratio", "time, ms"), Column("n"))

Cell = Tuple[str, int]  # mode, workers


def succeeded(rows: Sequence[Row]) -> str:
    """`200/200`, or the range over the runs."""
    if not rows:
        return NONE
    asked = [row["servers"] for row in rows]
    made = [row["connected"] for row in rows]
    return "%s/%s" % (span(min(made), max(made)), span(min(asked), max(asked)))


def cell_lines(cell: Cell, rows: Sequence[Row],
               claim: Optional[paper.Connect]) -> List[List[str]]:
    """One cell of the table, and a second line with its median's interval if it has one."""
    time = measured(rows, "connect_ms")
    line = [CALLS.get(cell[0], cell[0]), str(cell[1]),
            "%d/%d" % (claim.succeeded, claim.connections) if claim else NONE, succeeded(rows),
            number(claim.time_ms) if claim else NONE, number(median_of(time)), range_text(time),
            ratio(median_of(time), claim.time_ms if claim else None), str(len(rows))]
    second = [["  95 %"] + [""] * 5 + [interval_text(time), "", ""]]
    return [line] + (second if has_interval(time) else [])


def sync_notes(times: Dict[Cell, Optional[Spread]],
               claims: Dict[Cell, paper.Connect]) -> List[str]:
    """Sync / async at equal workers: a ratio that can be compared with the paper's."""
    notes = []
    for workers, sync, fast in mode_pairs(times):
        theirs = [claims[mode, workers].time_ms for mode in ("sync", "async")
                  if (mode, workers) in claims]
        notes.append("Sync / async at %d workers: %s here%s%s." % (
            workers, ratio(sync.median, fast.median),
            ", %s in the paper" % ratio(*theirs) if len(theirs) == 2 else "",
            "; the ranges overlap" if overlap(sync, fast) else ""))
    return notes


def mode_pairs(times: Dict[Cell, Optional[Spread]]) -> List[Tuple[int, Spread, Spread]]:
    """(workers, sync, async) where both modes ran."""
    return [(workers, found, times["async", workers]) for (mode, workers), found in times.items()
            if mode == "sync" and found and times.get(("async", workers))]


def figure(label: str, name: str, link: str, times: Dict[Cell, Optional[Spread]],
           claims: Dict[Cell, paper.Connect], runs: str) -> Figure:
    """Figure 5: the paper's curve, ours, and sync against async in each."""
    ours = [(cell[1], found) for cell, found in times.items() if cell[0] == "async" and found]
    pairs = mode_pairs(times)
    blocking = []
    for workers, slow, fast in pairs[:1]:
        if ("sync", workers) in claims and ("async", workers) in claims:
            quick, slower = claims["async", workers].time_ms, claims["sync", workers].time_ms
            blocking.append(data_line(1, quick, slower, quick, quick, slower, slower))
        blocking.append(data_line(0, fast.median, slow.median, fast.low, fast.high, slow.low,
                                  slow.high))
    data = data_block("paper, async: workers, ms", [
        data_line(cell[1], claim.time_ms) for cell, claim in claims.items() if cell[0] == "async"])
    data += data_block("here, async: workers, median ms, min, max", [
        data_line(workers, *point(found)) for workers, found in ours])
    data += data_block("async against sync: place, async ms, sync ms, min and max of both",
                       blocking)
    return Figure(file_name("figure5", name), "figure5", (960, 720), {
        "PAIR_WORKERS": pairs[0][0] if pairs else 0,
        "OURS_MAX": max([found.high for _, found in ours], default=1),
        "RUNS": "median of %s, bars min..max" % runs,
    }, data, "Figure 5. Connect time over workers; async against sync",
        described(times, claims), label or link)


def described(times: Dict[Cell, Optional[Spread]], claims: Dict[Cell, paper.Connect]) -> str:
    def cells(mode: str) -> List[str]:
        return ["%d workers: paper %s, here %s (%s)" % (
            cell[1], number(claims[cell].time_ms if cell in claims else None),
            number(median_of(times[cell])), range_text(times[cell]))
            for cell in times if cell[0] == mode]
    return "Connect time in ms, median and min..max. Async: %s. Sync: %s." % (
        "; ".join(cells("async")) or NONE, "; ".join(cells("sync")) or NONE)


def variant(label: str, name: str, rows: Sequence[Row]) -> Tuple[Table, Figure]:
    claims = paper.table1()
    found = group(rows, ("connect", "workers"))
    cells = sorted(set(claims) | set(found))
    times = {cell: measured(found.get(cell, []), "connect_ms") for cell in cells}
    modes = dict.fromkeys(mode for mode, _ in cells)
    lines = in_blocks([line for cell in cells if cell[0] == mode for line in cell_lines(
        cell, found.get(cell, []), claims.get(cell))] for mode in modes)
    notes = links.fallback_notes(rows) + sync_notes(times, claims) + [
        "Time: from the first connect's start to the last one's success or failure. "
        "Ratio: here / paper."] + interval_note(times.values())
    return (Table(with_label(TITLE, label), COLUMNS, lines, notes), figure(
        label, name, links.describe(rows[0]), times, claims, run_counts(found.values())))


def build(results: Results) -> Section:
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    made = [variant(*part) for part in links.by_variant(rows, ("connect", "workers"))]
    return Section(TITLE, [table for table, _ in made], [drawn for _, drawn in made])
