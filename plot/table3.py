"""Table 3: throughput over workers and concurrency."""

from typing import Dict, List, Optional, Sequence, Tuple

import links
import paper
from rows import Results, Row, group, select, variants
from section import (MEGA, Figure, Section, data_block, data_line, extent, file_name, left_out,
                     measured, middle, narrower, run_counts, sure, sure_note, usable, with_label)
from stats import Spread
from tables import Column, Table, number, percent, ratio

TITLE = "Table 3. Throughput in MB/s"
SCENARIO = "table3"
CEILINGS = ("drain", "raw")
CEILING_SECTION = "ceiling"
COLUMNS_MAX = 7  # of the matrix side by side: more do not fit a terminal

LINES_MAX = 8    # as many as style.gp has colours
NAME_HEIGHT = 0.045  # of a line's name, as a share of the axis

Cell = Tuple[int, int]
Numbers = Tuple[float, float, float]  # median, min, max
Cells = Dict[Cell, Optional[Spread]]
Ceilings = Dict[str, Spread]


def best_ceilings(rows: Sequence[Row]) -> Ceilings:
    """Of each ceiling the cell with the highest median: a ceiling is the best there is."""
    best: Ceilings = {}
    for (scheme, _, _), members in group(rows, ("scheme", "workers", "concurrency")).items():
        found = measured(members, "bytes_per_s")
        if found and (scheme not in best or found.median > best[scheme].median):
            best[scheme] = found
    return best


def cell_texts(cell: Cell, cells: Cells, ceilings: Ceilings) -> List[str]:
    """A cell of the matrix, from top to bottom."""
    claim, found = paper.table3().get(cell), cells.get(cell)
    own = middle(found)
    return [number(claim * MEGA) if claim else "", number(middle(found, MEGA)) if found else "",
            extent(found, MEGA) if found else "", sure(found, MEGA),
            ratio(own, claim) if found and claim else ""] + [
        percent(own, ceilings[name].median) if found else ""
        for name in CEILINGS if name in ceilings]


def matrix(title: str, workers: Sequence[int], columns: Sequence[int], cells: Cells,
           ceilings: Ceilings, notes: Sequence[str]) -> Table:
    """The paper's layout: a row of cells per number of workers, a column per concurrency."""
    names = ["paper", "here", "min..max", "95 %", "ratio"] + [
        "of " + name for name in CEILINGS if name in ceilings]
    unsure = not any(map(narrower, cells.values()))
    lines: List[Optional[List[str]]] = []
    for count in workers:
        texts = [cell_texts((count, limit), cells, ceilings) for limit in columns]
        ran = any(cells.get((count, limit)) for limit in columns)
        if lines:
            lines.append(None)
        for i, name in enumerate(names):
            if (name == "95 %" and unsure) or (name != "paper" and not ran):
                continue
            lines.append([str(count) if i == 0 else "", name] + [text[i] for text in texts])
    heads = [Column("W"), Column("", left=True)] + [Column("C=%d" % limit) for limit in columns]
    return Table(title, heads, lines, notes)


def best_note(cells: Cells) -> str:
    """Where each of the two is highest; not yet a verdict, since neighbours may be as good."""
    claims = paper.table3()
    top = max(claims, key=lambda cell: claims[cell])
    own = max((cell for cell in cells if cells[cell]), key=lambda cell: cells[cell].median)
    highest = "Highest median: W=%d C=%d in the paper; here W=%d C=%d" % (top + own)
    if cells[own].n < 2:
        return highest + ". A single run has no range: others may be as good."
    rivals = [cell for cell in cells
              if cell != own and cells[cell] and cells[cell].high >= cells[own].low]
    reached = "no other cell's range reaches" if not rivals else \
        "the ranges of %d others reach" % len(rivals) if len(rivals) > 1 else \
        "the range of 1 other reaches"
    return "%s, and %s into its range." % (highest, reached)


def ceiling_notes(ceilings: Ceilings) -> List[str]:
    """The ceilings in numbers, or that there are none."""
    notes = ["Ceiling %s: %s MB/s (%s, n = %d)." % (
        name, number(ceilings[name].median * MEGA), extent(ceilings[name], MEGA), ceilings[name].n)
        for name in CEILINGS if name in ceilings]
    missing = [name for name in CEILINGS if name not in ceilings]
    if missing:
        notes.append("No result of the ceiling %s in this folder." % " and ".join(missing))
    return notes


def wire_notes(rows: Sequence[Row], cells: Cells) -> List[str]:
    """What a wire lets through at most, and how much of it the cells make use of."""
    rate = links.rate_of(rows[0])
    medians = [found.median for found in cells.values() if found]
    if not rate or not medians:
        return []
    most = 1e3 / links.wire_ms(1, rate)
    said = "The wire, %s, carries %s MB/s of payload at most: the cells' medians are %s to %s " \
        "of it" % (links.rate_text(rate), number(most * MEGA), percent(min(medians), most),
                   percent(max(medians), most))
    if rate == paper.LINK_BITS_PER_S:
        claims = paper.table3().values()
        said += "; the paper's are %s to %s, so that its wire was not full" % (
            percent(min(claims), most), percent(max(claims), most))
    return [said + "."]


def lines_of(cells: Dict[Cell, Numbers]) -> Dict[str, List[Cell]]:
    """The figure's lines: C = 2, 4, ... over workers, then C = W. A concurrency with a single
    point is no line; its point belongs to C = W, which is drawn only if it has such points."""
    limits = sorted({limit for _, limit in cells})
    members = {limit: sorted(cell for cell in cells if cell[1] == limit) for limit in limits}
    whole = [limit for limit in limits if len(members[limit]) > 1]
    alone = [cell for limit in limits if limit not in whole for cell in members[limit]]
    lines = {"C=%d" % limit: members[limit] for limit in whole[:LINES_MAX - 1]}
    if alone:
        lines["C=W"] = sorted(cell for cell in cells if cell[0] == cell[1] or cell in alone)
    return lines


def spaced(heights: Sequence[float], gap: float) -> List[float]:
    """Ascending heights, pushed apart both ways until each clears its neighbours."""
    places = list(heights)
    for _ in range(100):
        for i in range(len(places) - 1):
            missing = gap - (places[i + 1] - places[i])
            if missing > 0:
                places[i] -= missing / 2
                places[i + 1] += missing / 2
    return places


def name_places(lines: Dict[str, List[Cell]], cells: Dict[Cell, Numbers], top: float) -> List[str]:
    """Where each line's name stands: at its right end, but never over another name."""
    ends = sorted((cells[line[-1]][0], name) for name, line in lines.items())
    places = dict(zip([name for _, name in ends],
                      spaced([height for height, _ in ends], NAME_HEIGHT * top)))
    return [data_line(name, line[-1][0], places[name]) for name, line in lines.items()]


def colours(lines: Dict[str, List[Cell]], limits: Sequence[int]) -> str:
    """An index into style.gp's LINE for each line: a concurrency has one colour in both panels."""
    known = {"C=%d" % limit: i + 1 for i, limit in enumerate(limits)}
    return " ".join(str(min(known.get(name, LINES_MAX), LINES_MAX)) for name in lines)


def figures(label: str, file_label: str, link: str, cells: Cells,
            ceilings: Ceilings) -> List[Figure]:
    """The heat map and the lines, both with the paper's grid at the left and ours at the right."""
    claims = {cell: (claim * MEGA,) * 3 for cell, claim in paper.table3().items()}
    ours = {cell: (found.median * MEGA, found.low * MEGA, found.high * MEGA)
            for cell, found in cells.items() if found}
    runs = "median of %s" % run_counts([found.n for found in cells.values() if found])
    drawn = [heat_map(claims, ours, runs), line_plot(claims, ours, ceilings, runs)]
    return [figure._replace(name=file_name(figure.template, file_label), label=label or link)
            for figure in drawn]


def heat_map(claims: Dict, ours: Dict, runs: str) -> Figure:
    """Each grid is coloured by the share of its own best cell, so that shapes can be compared."""
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
        "Two grids of workers (W) by concurrency (C), the paper's and this run's, the darker the "
        "nearer to the grid's best cell. " + extremes(claims, ours))


def extremes(claims: Dict, ours: Dict) -> str:
    """Both grids' best and worst cells in words."""
    said = []
    for name, values in (("The paper", claims), ("This run", ours)):
        best, worst = (pick(values, key=lambda cell: values[cell][0]) for pick in (max, min))
        said.append("%s: best %s MB/s at W=%d C=%d, worst %s at W=%d C=%d." % (
            name, number(values[best][0]), *best, number(values[worst][0]), *worst))
    return " ".join(said)


def line_plot(claims: Dict, ours: Dict, ceilings: Ceilings, runs: str) -> Figure:
    """One line for each concurrency."""
    name = max(ceilings, key=lambda key: ceilings[key].median) if ceilings else ""
    ceiling = ceilings[name].median * MEGA if ceilings else 0
    tops = [max(value[2] for value in values.values()) for values in (claims, ours)]
    limits = sorted({cell[1] for cell in set(claims) | set(ours)})
    both = list(zip((claims, ours), (lines_of(claims), lines_of(ours)),
                    (tops[0], max(tops[1], ceiling))))
    data = "".join(data_block("%s: workers, MB/s, min, max" % line,
                              [data_line(line, cell[0], *values[cell]) for cell in members])
                   for values, lines, _ in both for line, members in lines.items())
    data += "".join(data_block("where the lines' names stand", name_places(lines, values, top))
                    for values, lines, top in both)
    return Figure("table3-lines", "table3-lines", (960, 560), {
        "WORKERS": " ".join(map(str, sorted({cell[0] for cell in set(claims) | set(ours)}))),
        "PAPER_LINES": len(both[0][1]), "OUR_LINES": len(both[1][1]),
        "PAPER_COLOURS": colours(both[0][1], limits), "OUR_COLOURS": colours(both[1][1], limits),
        "PAPER_MAX": tops[0], "OURS_MAX": tops[1], "CEILING": ceiling, "CEILING_NAME": name,
        "RUNS": runs + ", bars min..max",
    }, data, "Table 3. Throughput over workers, a line for each concurrency",
        "Throughput in MB/s over workers, the paper's lines at the left, this run's at the right. "
        + extremes(claims, ours))


def variant(label: str, file_label: str, rows: Sequence[Row], ceilings: Ceilings) -> Section:
    """The tables and figures of rows that may share a median."""
    cells = {cell: measured(members, "bytes_per_s")
             for cell, members in group(rows, ("workers", "concurrency")).items()}
    grid = set(cells) | set(paper.table3())
    workers, limits = sorted({cell[0] for cell in grid}), sorted({cell[1] for cell in grid})
    runs = run_counts([found.n for found in cells.values() if found])
    notes = links.fallback_notes(rows) + [best_note(cells)] + ceiling_notes(ceilings) + wire_notes(
        rows, cells) + [
        "Here: median, %s a cell. C: how many workers may run at once." % runs] + sure_note(
            cells.values())
    title = "%s, W workers, %d servers" % (with_label(TITLE, label), rows[0]["servers"])
    parts = [limits[i:i + COLUMNS_MAX] for i in range(0, len(limits), COLUMNS_MAX)]
    blocks = [matrix(title, workers, part, cells, ceilings, notes if part is parts[-1] else ())
              for part in parts]
    return Section(TITLE, blocks, figures(
        label, file_label, links.describe(rows[0]), cells, ceilings))


def grid_rows(rows: Sequence[Row]) -> List[Row]:
    """Without those that measure a ceiling."""
    return [row for row in rows
            if row["section"] != CEILING_SECTION and row["scheme"] not in CEILINGS
            and row["bytes_per_s"] is not None]


def build(results: Results) -> Section:
    """Table 3 from the grid, once for each link; the ceilings come from their own section, or from
    the grid's rows, and bound what ran on the same link."""
    rows = usable(results, SCENARIO)
    grid = grid_rows(rows)
    if not grid:
        return left_out(TITLE, results, SCENARIO)
    section = Section(TITLE, [], [])
    for link, on_link in links.by_link(grid):
        words, name = links.label_of(on_link, grid)
        ceilings = best_ceilings([row for row in select(rows, scheme=CEILINGS)
                                  if links.link_of(row) == link])
        for label, members in variants(on_link, ("workers", "concurrency")):
            part = variant(links.join(words, label), links.join(name, label), members, ceilings)
            section.blocks.extend(part.blocks)
            section.figures.extend(part.figures)
    return section
