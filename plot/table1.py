"""Table 1 and Figure 5: how long it takes to connect, by mode and workers."""

from typing import Dict, List, Optional, Sequence, Tuple

import links
import paper
from rows import Results, Row, group, variants
from section import (Figure, Section, data_block, data_line, extent, file_name, left_out, measured,
                     middle, narrower, overlap, run_counts, sure, sure_note, usable,
                     with_label)
from stats import Spread
from tables import NONE, Column, Table, number, ratio, span

TITLE = "Table 1. Connection test"
SCENARIO = "table1"
CALLS = {"async": "asynchronous (ConnectEx)", "sync": "one after the other (connect)"}
COLUMNS = (Column("mode", left=True), Column("workers"), Column("paper", "succeeded"),
           Column("here", "succeeded"), Column("paper", "time, ms"), Column("median", "time, ms"),
           Column("min..max", "time, ms"), Column("ratio", "time, ms"), Column("n"))

Cell = Tuple[str, int]


def succeeded(rows: Sequence[Row]) -> str:
    """`200/200`, or the range over the runs."""
    if not rows:
        return NONE
    asked = [row["servers"] for row in rows]
    made = [row["connected"] for row in rows]
    return "%s/%s" % (span(min(made), max(made)), span(min(asked), max(asked)))


def cell_lines(cell: Cell, rows: Sequence[Row],
               claim: Optional[paper.Connect]) -> List[Optional[List[str]]]:
    """One cell of the table, and below it the interval of its median if it has one."""
    time = measured(rows, "connect_ms")
    line = [CALLS.get(cell[0], cell[0]), str(cell[1]),
            "%d/%d" % (claim.succeeded, claim.connections) if claim else NONE, succeeded(rows),
            number(claim.time_ms) if claim else NONE, number(middle(time)), extent(time),
            ratio(middle(time), claim.time_ms if claim else None), str(len(rows))]
    return [line] + ([["  95 %"] + [""] * 5 + [sure(time), "", ""]] if narrower(time) else [])


def sync_notes(times: Dict[Cell, Optional[Spread]],
               claims: Dict[Cell, paper.Connect]) -> List[str]:
    """Sync over async at equal workers, which can be compared though the milliseconds cannot."""
    notes = []
    for (mode, workers), sync in times.items():
        fast = times.get(("async", workers))
        if mode == "sync" and sync and fast:
            notes.append("Sync / async at %d workers: %s here%s%s." % (
                workers, ratio(sync.median, fast.median), paper_ratio(workers, claims),
                "; the ranges overlap" if overlap(sync, fast) else ""))
    return notes


def paper_ratio(workers: int, claims: Dict[Cell, paper.Connect]) -> str:
    """`, 16.3x in the paper`, where it has both modes."""
    sync, fast = claims.get(("sync", workers)), claims.get(("async", workers))
    return ", %s in the paper" % ratio(sync.time_ms, fast.time_ms) if sync and fast else ""


def figure(label: str, name: str, link: str, times: Dict[Cell, Optional[Spread]],
           claims: Dict[Cell, paper.Connect], runs: str) -> Figure:
    """Figure 5: the paper's curve and ours, and what blocking costs in each."""
    ours = [(cell[1], found) for cell, found in times.items() if cell[0] == "async" and found]
    pairs = [(workers, found, times["async", workers]) for (mode, workers), found in times.items()
             if mode == "sync" and found and times.get(("async", workers))]
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
        data_line(workers, found.median, found.low, found.high) for workers, found in ours])
    data += data_block("async against sync: place, async ms, sync ms, min and max of both",
                       blocking)
    return Figure(file_name("figure5", name), "figure5", (960, 720), {
        "PAIR_WORKERS": pairs[0][0] if pairs else 0,
        "OURS_MAX": max([found.high for _, found in ours], default=1),
        "RUNS": "median of %s, bars min..max" % runs,
    }, data, "Figure 5. Connect time over workers; async against sync",
        described(times, claims), label or link)


def described(times: Dict[Cell, Optional[Spread]], claims: Dict[Cell, paper.Connect]) -> str:
    """Figure 5 in words."""
    def cells(mode: str) -> List[str]:
        return ["%d workers: paper %s, here %s (%s)" % (
            cell[1], number(claims[cell].time_ms if cell in claims else None),
            number(middle(times[cell])), extent(times[cell])) for cell in times if cell[0] == mode]
    return "Connect time in ms, median and min..max. Async: %s. Sync: %s." % (
        "; ".join(cells("async")) or NONE, "; ".join(cells("sync")) or NONE)


def variant(label: str, name: str, rows: Sequence[Row]) -> Tuple[Table, Figure]:
    """The table and the figure of rows that may share a median, all from one link."""
    claims = paper.table1()
    found = group(rows, ("connect", "workers"))
    cells = sorted(set(claims) | set(found))
    times = {cell: measured(found.get(cell, []), "connect_ms") for cell in cells}
    lines: List[Optional[List[str]]] = []
    for cell in cells:
        if lines and cell[0] != cells[cells.index(cell) - 1][0]:
            lines.append(None)
        lines += cell_lines(cell, found.get(cell, []), claims.get(cell))
    notes = links.fallback_notes(rows) + sync_notes(times, claims) + [
        "Time: from the first connect's start to the last one's success or failure. "
        "Ratio: here / paper."] + sure_note(times.values())
    runs = run_counts([len(members) for members in found.values()])
    return (Table(with_label(TITLE, label), COLUMNS, lines, notes),
            figure(label, name, links.describe(rows[0]), times, claims, runs))


def build(results: Results) -> Section:
    """Table 1 from all rows of its scenario, once for each link."""
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    made = []
    for _, on_link in links.by_link(rows):
        words, name = links.label_of(on_link, rows)
        made += [variant(links.join(words, label), links.join(name, label), members)
                 for label, members in variants(on_link, ("connect", "workers"))]
    return Section(TITLE, [table for table, _ in made], [drawn for _, drawn in made])
