"""Table 3: throughput over workers and concurrency."""

from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import links
import paper
from rows import Results, Row, group, select
from section import (MEGA, Figure, Section, data_block, data_line, file_name, has_interval,
                     interval_note, interval_text, left_out, measured, point,
                     range_text, run_counts, usable, with_label)
from stats import Spread
from table2 import CEILINGS, missing_note
from tables import Column, Table, in_blocks, number, percent, ratio

TITLE = "Table 3. Throughput in MB/s"
SCENARIO = "table3"
CEILING_SECTION = "ceiling"
LIMITS = (2, 4)  # concurrencies that the paper ran at every number of workers
COLUMNS_MAX = 7  # concurrencies side by side: more do not fit a terminal

LINES_MAX = 8    # style.gp has as many colours
NAME_HEIGHT = 0.045  # height of a line's label, as a share of the axis

Cell = Tuple[int, int]
Numbers = Tuple[float, float, float]  # median, min, max
Cells = Dict[Cell, Optional[Spread]]
Ceilings = Dict[str, Spread]


def paper_cells(workers: int) -> List[Optional[Cell]]:
    """The cells of the paper's line: at each of LIMITS, then C = W unless that is one of them."""
    return [(workers, limit) for limit in LIMITS] + [
        None if workers in LIMITS else (workers, workers)]


def best_ceilings(rows: Sequence[Row]) -> Ceilings:
    """The cell with the highest median of each ceiling."""
    best: Ceilings = {}
    for (scheme, _, _), members in group(rows, ("scheme", "workers", "concurrency")).items():
        found = measured(members, "bytes_per_s")
        if found and (scheme not in best or found.median > best[scheme].median):
            best[scheme] = found
    return best


def cell_texts(cell: Cell, cells: Cells, ceilings: Ceilings) -> List[str]:
    """The lines of a cell, from top to bottom."""
    claim, found = paper.table3().get(cell), cells.get(cell)
    shares = [ceilings[name].median for name in CEILINGS if name in ceilings]
    return [number(claim * MEGA) if claim else ""] + ([""] * (4 + len(shares)) if not found else [
        number(found.median * MEGA), range_text(found, MEGA), interval_text(found, MEGA),
        ratio(found.median, claim) if claim else ""] + [
            percent(found.median, ceiling) for ceiling in shares])


def matrix(title: str, workers: Sequence[int], columns: Sequence[int], cells: Cells,
           ceilings: Ceilings, notes: Sequence[str]) -> Table:
    """The paper's layout: a block of lines for each number of workers, a column for each
    concurrency."""
    names = ["paper", "here", "min..max", "95 %", "ratio"] + [
        "of " + name for name in CEILINGS if name in ceilings]
    unused = -1 if any(map(has_interval, cells.values())) else names.index("95 %")

    def block(count: int) -> List[List[str]]:
        texts = [cell_texts((count, limit), cells, ceilings) for limit in columns]
        ran = any(cells.get((count, limit)) for limit in columns)
        return [[str(count) if i == 0 else "", name] + [text[i] for text in texts]
                for i, name in enumerate(names) if i != unused and (ran or i == 0)]
    heads = [Column("W"), Column("", left=True)] + [Column("C=%d" % limit) for limit in columns]
    return Table(title, heads, in_blocks(map(block, workers)), notes)


def best_note(cells: Cells) -> str:
    """The cells with the highest medians, and whether others' ranges overlap ours."""
    claims = paper.table3()
    top = max(claims, key=lambda cell: claims[cell])
    own = max((cell for cell in cells if cells[cell]), key=lambda cell: cells[cell].median)
    highest = "Highest median: W=%d C=%d in the paper; here W=%d C=%d" % (top + own)
    if cells[own].n < 2:
        return highest + ". A single run has no range: others may be as good."
    rivals = [cell for cell in cells
              if cell != own and cells[cell] and cells[cell].high >= cells[own].low]
    return "%s; the ranges of %s other cells overlap its range." % (highest, len(rivals) or "no")


def ceiling_notes(ceilings: Ceilings) -> List[str]:
    found = [(name, ceilings[name]) for name in CEILINGS if name in ceilings]
    return ["Ceiling %s: %s MB/s (%s, n = %d)." % (
        name, number(one.median * MEGA), range_text(one, MEGA), one.n)
            for name, one in found] + missing_note(ceilings)


def wire_notes(rows: Sequence[Row], cells: Cells) -> List[str]:
    """The wire's maximum throughput, and the cells' shares of it."""
    rate = links.rate_of(rows[0])
    medians = [found.median for found in cells.values() if found]
    if not rate or not medians:
        return []
    most = 1e3 / links.wire_ms(1, rate)
    def shares(values: Iterable[float]) -> str:
        return "%s to %s" % (percent(min(values), most), percent(max(values), most))
    text = "The wire, %s, carries at most %s MB/s of payload; the cells' medians are %s of it" % (
        links.rate_text(rate), number(most * MEGA), shares(medians))
    if rate == paper.LINK_BITS_PER_S:
        text += "; the paper's are %s, so its wire was not full" % shares(paper.table3().values())
    return [text + "."]


def lines_of(cells: Dict[Cell, Numbers]) -> Dict[str, List[Cell]]:
    """The figure's lines: C = 2, 4, ... over workers, then C = W. The points of concurrencies with
    a single point form C = W."""
    limits = sorted({limit for _, limit in cells})
    members = {limit: sorted(cell for cell in cells if cell[1] == limit) for limit in limits}
    whole = [limit for limit in limits if len(members[limit]) > 1]
    alone = [cell for limit in limits if limit not in whole for cell in members[limit]]
    lines = {"C=%d" % limit: members[limit] for limit in whole[:LINES_MAX - 1]}
    if alone:
        lines["C=W"] = sorted(cell for cell in cells if cell[0] == cell[1] or cell in alone)
    return lines


def spaced(heights: Sequence[float], gap: float) -> List[float]:
    """Ascending heights of labels, moved until neighbours are `gap` apart."""
    places = list(heights)
    for _ in range(100):
        for i in range(len(places) - 1):
            missing = gap - (places[i + 1] - places[i])
            if missing > 0:
                places[i] -= missing / 2
                places[i + 1] += missing / 2
    return places


def name_places(lines: Dict[str, List[Cell]], cells: Dict[Cell, Numbers], top: float) -> List[str]:
    """The labels of the lines, at their right ends, without overlaps."""
    ends = sorted((cells[line[-1]][0], name) for name, line in lines.items())
    places = dict(zip([name for _, name in ends],
                      spaced([height for height, _ in ends], NAME_HEIGHT * top)))
    return [data_line(name, line[-1][0], places[name]) for name, line in lines.items()]


def colours(lines: Dict[str, List[Cell]], limits: Sequence[int]) -> str:
    """An index into style.gp's LINE for each line, so that a concurrency has one colour in both
    panels."""
    known = {"C=%d" % limit: i + 1 for i, limit in enumerate(limits)}
    return " ".join(str(min(known.get(name, LINES_MAX), LINES_MAX)) for name in lines)


def figures(label: str, file_label: str, cells: Cells, ceilings: Ceilings,
            runs: str) -> List[Figure]:
    """The heat map and the lines, each with the paper's grid at the left and ours at the right."""
    claims = {cell: (claim * MEGA,) * 3 for cell, claim in paper.table3().items()}
    ours = {cell: tuple(point(found, MEGA)) for cell, found in cells.items() if found}
    runs = "median of %s" % runs
    drawn = [heat_map(claims, ours, runs), line_plot(claims, ours, ceilings, runs)]
    return [figure._replace(name=file_name(figure.template, file_label), label=label)
            for figure in drawn]


def heat_map(claims: Dict, ours: Dict, runs: str) -> Figure:
    """Colours show each cell's share of its own grid's best cell, so that the grids' shapes can be
    compared."""
    grid = sorted(set(claims) | set(ours))
    rows = sorted({cell[0] for cell in grid})
    columns = sorted({cell[1] for cell in grid})

    def block(name: str, values: Dict) -> str:
        top = max(value[0] for value in values.values())
        return data_block("%s: column, row, %% of its best, MB/s" % name, [
            data_line(columns.index(cell[1]), rows.index(cell[0]), 100 * value[0] / top,
                      number(value[0])) for cell, value in sorted(values.items())])
    shares = [value[0] / max(v[0] for v in values.values())
              for values in (claims, ours) for value in values.values()]
    return Figure("table3-heatmap", "table3-heatmap", (960, 560), {
        "ROWS": " ".join(str(count) for count in rows),
        "COLUMNS": " ".join(str(limit) for limit in columns),
        "LEAST": min(90, int(min(shares) * 10) * 10), "RUNS": runs,
    }, block("paper", claims) + block("here", ours),
        "Table 3. Throughput over workers and concurrency",
        "Two grids of workers (W) by concurrency (C), the paper's and this run's. Darker cells are "
        "nearer to their grid's best cell. " + extremes(claims, ours))


def extremes(claims: Dict, ours: Dict) -> str:
    said = []
    for name, values in (("The paper", claims), ("This run", ours)):
        best, worst = (pick(values, key=lambda cell: values[cell][0]) for pick in (max, min))
        said.append("%s: best %s MB/s at W=%d C=%d, worst %s at W=%d C=%d." % (
            name, number(values[best][0]), *best, number(values[worst][0]), *worst))
    return " ".join(said)


def line_plot(claims: Dict, ours: Dict, ceilings: Ceilings, runs: str) -> Figure:
    name = max(ceilings, key=lambda key: ceilings[key].median) if ceilings else ""
    ceiling = ceilings[name].median * MEGA if ceilings else 0
    tops = [max(value[2] for value in values.values()) for values in (claims, ours)]
    limits = sorted({cell[1] for cell in set(claims) | set(ours)})
    both = list(zip((claims, ours), (lines_of(claims), lines_of(ours)),
                    (tops[0], max(tops[1], ceiling))))
    data = "".join(data_block("%s: workers, MB/s, min, max" % line,
                              [data_line(line, cell[0], *values[cell]) for cell in members])
                   for values, lines, _ in both for line, members in lines.items())
    data += "".join(data_block("labels of the lines", name_places(lines, values, top))
                    for values, lines, top in both)
    return Figure("table3-lines", "table3-lines", (960, 560), {
        "WORKERS": " ".join(map(str, sorted({cell[0] for cell in set(claims) | set(ours)}))),
        "PAPER_LINES": len(both[0][1]), "OUR_LINES": len(both[1][1]),
        "PAPER_COLOURS": colours(both[0][1], limits), "OUR_COLOURS": colours(both[1][1], limits),
        "PAPER_MAX": tops[0], "OURS_MAX": tops[1], "CEILING": ceiling, "CEILING_NAME": name,
        "RUNS": runs + ", bars min..max",
    }, data, "Table 3. Throughput over workers by concurrency",
        "Throughput in MB/s over workers, the paper's lines at the left, this run's at the right. "
        + extremes(claims, ours))


def variant(label: str, file_label: str, rows: Sequence[Row], ceilings: Ceilings) -> Section:
    runs_of = group(rows, ("workers", "concurrency"))
    cells = {cell: measured(members, "bytes_per_s") for cell, members in runs_of.items()}
    grid = set(cells) | set(paper.table3())
    workers, limits = sorted({cell[0] for cell in grid}), sorted({cell[1] for cell in grid})
    runs = run_counts(runs_of.values())
    notes = links.fallback_notes(rows) + [best_note(cells)] + ceiling_notes(ceilings) + wire_notes(
        rows, cells) + [
        "Here: median, %s a cell. C: workers that may run at the same time." % runs]
    notes += interval_note(cells.values())
    title = "%s, W workers, %d servers" % (with_label(TITLE, label), rows[0]["servers"])
    parts = [limits[i:i + COLUMNS_MAX] for i in range(0, len(limits), COLUMNS_MAX)]
    blocks = [matrix(title, workers, part, cells, ceilings, notes if part is parts[-1] else ())
              for part in parts]
    return Section(TITLE, blocks, figures(
        label or links.describe(rows[0]), file_label, cells, ceilings, runs))


def grid_rows(rows: Sequence[Row]) -> List[Row]:
    """The rows that do not measure a ceiling."""
    return [row for row in rows
            if row["section"] != CEILING_SECTION and row["scheme"] not in CEILINGS
            and row["bytes_per_s"] is not None]


def build(results: Results) -> Section:
    """Tables and figures for each link and set of options, with the ceilings of the same link."""
    rows = usable(results, SCENARIO)
    grid = grid_rows(rows)
    if not grid:
        return left_out(TITLE, results, SCENARIO)
    section = Section(TITLE, [], [])
    for label, name, members in links.by_variant(grid, ("workers", "concurrency")):
        place = links.place_of(members[0])
        part = variant(label, name, members, best_ceilings(
            [row for row in select(rows, scheme=CEILINGS) if links.place_of(row) == place]))
        section.blocks.extend(part.blocks)
        section.figures.extend(part.figures)
    return section
