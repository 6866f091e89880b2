"""The runs in their order: drift and outliers. Each run is divided by the median of its cell, so
different cells share an axis. The sweep shuffles its order, so a drift affects all cells alike."""

import itertools
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from places import is_connection_test
from row_check import TIME_MIN
from rows import Results, Row, group, group_by, is_of_screens, is_result
from section import Figure, Section, data_block, data_line, numbered
from stats import median
from tables import NONE, Column, Table, number, ratio

TITLE = "Order of runs. Drift and outliers"
LEAD = ("Each run divided by the median of its cell, in the order of the runs. On a steady machine "
        "there is no slope and no step.")
CELL = ("scenario", "section", "client", "cell", "link", "hosts", "label", "host", "version")
SCHEMES = ("fixed", "ring", "chain", "slices", "mirror", "drain", "raw")  # with a colour
OTHERS = "others"
WINDOW = 9          # runs on either side in the moving median
OUTLIER = 2.0       # times the cell's median, or its inverse
PANEL_HEIGHT = 168  # pixels
COLUMNS = (Column("scenario", left=True), Column("what", left=True), Column("cells"),
           Column("runs"), Column("drift"), Column("outliers"), Column("furthest off", left=True))
NAMED_MAX = 8       # outliers listed in the notes


class Run(NamedTuple):
    """One row; `relative` is its cost divided by its cell's median."""

    order: int
    scheme: str
    cell: str
    relative: float


# ---- what is measured ----


def cost(row: Row) -> Tuple[str, Optional[float]]:
    """What a scenario measures, with its name; less is better."""
    if is_connection_test(row):
        return "connect time", row["connect_ms"]
    if row["rate"]:  # the rate fixes the time
        return "client's CPU time", row["cpu_s"]
    return "time", row["elapsed_ms"]


def name_of(row: Row) -> str:
    """A cell within its scenario."""
    return " ".join(part for part in (row["section"], row["cell"], row.get("label")) if part)


def runs_of(rows: Sequence[Row]) -> List[Run]:
    """All runs of cells with two runs or more, in their order."""
    found = []
    for members in group(rows, CELL).values():
        timed = [(row, cost(row)[1]) for row in members]
        timed = [(row, value) for row, value in timed if value and value >= TIME_MIN]
        middle = median([value for _, value in timed]) if len(timed) > 1 else None
        found += [Run(row["order"], row["scheme"], name_of(row), value / middle)
                  for row, value in timed if middle]
    return sorted(found)


def drift(runs: Sequence[Run]) -> Optional[float]:
    """The median of the second half of the runs, divided by that of the first."""
    cut = len(runs) // 2
    if cut < 2:
        return None
    return median([run.relative for run in runs[cut:]]) / median(
        [run.relative for run in runs[:cut]])


def outliers(runs: Sequence[Run]) -> List[Run]:
    """Runs a factor of OUTLIER or more from their cell's median, the furthest first."""
    return sorted((run for run in runs if distance(run) >= OUTLIER), key=distance, reverse=True)


def distance(run: Run) -> float:
    return max(run.relative, 1 / run.relative)


def moving(runs: Sequence[Run]) -> List[Tuple[int, float]]:
    """The median of each run and its neighbours."""
    return [(run.order, median([near.relative for near in runs[max(0, i - WINDOW):i + WINDOW + 1]]))
            for i, run in enumerate(runs)]


def line(scenario: str, what: str, runs: Sequence[Run]) -> List[str]:
    far = outliers(runs)
    return [scenario, what, str(len({run.cell for run in runs})), str(len(runs)),
            ratio(drift(runs), 1), str(len(far)), factor_text(far[0]) if far else NONE]


def factor_text(run: Run) -> str:
    return "%sx, run %d" % (number(run.relative), run.order)


def notes(found: Dict[str, Tuple[str, List[Run]]]) -> List[str]:
    far = [(scenario, run) for scenario, (_, runs) in found.items() for run in outliers(runs)]
    far.sort(key=lambda pair: -distance(pair[1]))
    listed = ["run %d (%s, %s) %sx" % (run.order, scenario, run.cell, number(run.relative))
              for scenario, run in far[:NAMED_MAX]]
    listed += ["and %d more" % (len(far) - NAMED_MAX)] if len(far) > NAMED_MAX else []
    return ["Drift: median of the second half of the runs / median of the first; 1 is none. "
            "Outliers: runs a factor of %g or more from the median of their cell; they count like "
            "all others." % OUTLIER] + (["Outliers: %s." % "; ".join(listed)] if far else [])


def panel(runs: Sequence[Run],
          schemes: Sequence[str]) -> Tuple[str, List[str], List[str]]:
    """A scenario's data sets: each scheme's runs within the axis, those beyond it, and the moving
    median; and the schemes that have runs within, and beyond."""
    def sets(inside: bool) -> Dict[str, List[str]]:
        lines = {scheme: [data_line(run.order, run.relative) for run in runs
                          if run.scheme == scheme and (distance(run) < OUTLIER) == inside]
                 for scheme in schemes}
        return {scheme: found for scheme, found in lines.items() if found}
    near, far = sets(True), sets(False)
    data = "".join(data_block("%s: order, cost / its cell's median" % scheme, lines)
                   for part in (near, far) for scheme, lines in part.items())
    data += data_block("line of the moving median: order, cost",
                       [data_line(*point) for point in moving(runs)])
    return data, list(near), list(far)


def panel_title(scenario: str, what: str, runs: Sequence[Run]) -> str:
    """What is drawn, with the largest outlier, for which the plot has no room."""
    far = outliers(runs)
    return "%s: %s%s" % (scenario, what,
                         " (furthest off: %s)" % factor_text(far[0]) if far else "")


def figure(found: Dict[str, Tuple[str, List[Run]]], alt: str, first: int, last: int) -> Figure:
    # Schemes without a colour, such as the peers', share one, and one name.
    found = {scenario: (what, [run if run.scheme in SCHEMES else run._replace(scheme=OTHERS)
                               for run in runs]) for scenario, (what, runs) in found.items()}
    every = [run for _, runs in found.values() for run in runs]
    present = [scheme for scheme in SCHEMES + (OTHERS,)
               if any(run.scheme == scheme for run in every)]
    settings: Dict[str, Union[str, float]] = {
        "PANELS": len(found), "SCHEMES": " ".join(present), "LIMIT": OUTLIER, "FIRST": first,
        "LAST": last,
        "RUNS": "%d runs, line: median of %d neighbours" % (len(every), 2 * WINDOW + 1)}
    blocks, near, far = zip(*(panel(runs, present) for _, runs in found.values()))
    settings.update(numbered("PANEL", [panel_title(scenario, what, runs)
                                       for scenario, (what, runs) in found.items()]))
    settings.update(numbered("START", itertools.accumulate(
        [len(a) + len(b) + 1 for a, b in zip(near, far)][:-1], initial=0)))
    settings.update(numbered("NEAR", map(" ".join, near)), **numbered("FAR", map(" ".join, far)))
    return Figure("order", "order", (960, 150 + PANEL_HEIGHT * len(found)), settings,
                  "".join(blocks), "Order of runs. Each run divided by the median of its cell", alt)


def described(lines: Sequence[Sequence[str]]) -> str:
    return "One panel for each scenario, runs from left to right in their order. " + " ".join(
        "%s: %s runs, second half over first half %s, %s of them off by a factor of %g or more." % (
            fields[0], fields[3], fields[4], fields[5], OUTLIER) for fields in lines)


def place(results: Results) -> Callable[[str], Tuple[int, str]]:
    """A sort key: scenarios in the command's order, then any other by name."""
    known = results.run.get("scenarios")
    names = list(known) if isinstance(known, dict) else []
    return lambda name: (names.index(name) if name in names else len(names), name)


def build(results: Results) -> Section:
    rows: List[Row] = [row for row in results.rows if is_result(row) and not is_of_screens(row)]
    found: Dict[str, Tuple[str, List[Run]]] = {}
    scenarios = group_by(rows, "scenario")
    for scenario in sorted(scenarios, key=place(results)):
        runs = runs_of(scenarios[scenario])
        if runs:
            names = dict.fromkeys(cost(row)[0] for row in scenarios[scenario])
            found[scenario] = (" or ".join(names), runs)
    if not found:
        return Section(TITLE, ["Left out: no cell has two runs that count."], [])
    lines: List[Any] = [line(scenario, what, runs) for scenario, (what, runs) in found.items()]
    orders = [row["order"] for row in rows]
    return Section(TITLE, [Table(TITLE, COLUMNS, lines, notes(found))],
                   [figure(found, described(lines), min(orders), max(orders))], LEAD)
