"""The runs in the order in which they ran: whether the machine drifted under the measurement, and
which runs are outliers. Each run is set against the median of its own cell, so that unlike cells
share an axis; the sweep shuffles its order, so a drift hits all cells alike."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from rows import CONNECTION_TESTS, TIME_MIN, Results, Row, group, is_result
from section import Figure, Section, data_block, data_line
from stats import median
from tables import NONE, Column, Table, number

TITLE = "Order of runs. Whether the machine drifted"
LEAD = ("Every run against the median of its own cell, in the order in which they ran: a level "
        "cloud is a steady machine, a slope or a step is one that changed under the measurement.")
CELL = ("scenario", "section", "client", "cell", "link", "label", "host", "version")
SCHEMES = ("fixed", "ring", "chain", "slices", "mirror", "drain", "raw")  # have colours
OTHERS = "others"
WINDOW = 9          # runs on either side that the moving median looks at
OUTLIER = 2.0       # times the cell's median, or its inverse; drawn at the axis' edge
PANEL_HEIGHT = 168  # pixels
COLUMNS = (Column("scenario", left=True), Column("what", left=True), Column("cells"),
           Column("runs"), Column("drift"), Column("outliers"), Column("furthest off", left=True))
NAMED_MAX = 8       # outliers that are named one by one


class Run(NamedTuple):
    """One row: `relative` is its cost over its cell's median, 1 in the middle."""

    order: int
    scheme: str
    cell: str
    relative: float


# ---- what is measured ----


def cost(row: Row) -> Tuple[str, Optional[float]]:
    """What a scenario measures, as something of which less is better, and its name."""
    if row["scenario"] in CONNECTION_TESTS:
        return "connect time", row["connect_ms"]
    if row["rate"]:  # offered at a rate, so that the time is the schedule's
        return "client's CPU time", row["cpu_s"]
    return "time", row["elapsed_ms"]


def name_of(row: Row) -> str:
    """A cell within its scenario."""
    return " ".join(part for part in (row["section"], row["cell"], row.get("label")) if part)


def runs_of(rows: Sequence[Row]) -> List[Run]:
    """All runs that have company in their cell, in their order."""
    found = []
    for members in group(rows, CELL).values():
        timed = [(row, cost(row)[1]) for row in members]
        timed = [(row, value) for row, value in timed if value and value >= TIME_MIN]
        middle = median([value for _, value in timed]) if len(timed) > 1 else None
        found += [Run(row["order"], row["scheme"], name_of(row), value / middle)
                  for row, value in timed if middle]
    return sorted(found)


def halves(runs: Sequence[Run]) -> Optional[float]:
    """What the second half of the runs took in the middle, over the first half."""
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
    """A scenario's line of the table."""
    far = outliers(runs)
    return [scenario, what, str(len({run.cell for run in runs})), str(len(runs)),
            "%sx" % number(halves(runs)) if halves(runs) else NONE, str(len(far)),
            "%sx, run %d" % (number(far[0].relative), far[0].order) if far else NONE]


def notes(found: Dict[str, Tuple[str, List[Run]]]) -> List[str]:
    """What the columns mean, and which runs are outliers."""
    far = [(scenario, run) for scenario, (_, runs) in found.items() for run in outliers(runs)]
    far.sort(key=lambda pair: -distance(pair[1]))
    said = ["Drift: the second half of the runs over the first, medians of runs over their cells' "
            "medians; 1 is none. Outliers: runs a factor of %g or more from the median of their "
            "cell; they count like all others." % OUTLIER]
    if far:
        said.append("Outliers: %s%s." % ("; ".join(
            "run %d (%s, %s) %sx" % (run.order, scenario, run.cell, number(run.relative))
            for scenario, run in far[:NAMED_MAX]),
            "; and %d more" % (len(far) - NAMED_MAX) if len(far) > NAMED_MAX else ""))
    return said


def panel(runs: Sequence[Run],
          schemes: Sequence[str]) -> Tuple[str, List[str], List[str]]:
    """A scenario's data sets, for each scheme what lies within the axis, for some what lies beyond
    it, then the moving median; and which schemes have the first and the second."""
    def sets(inside: bool) -> Dict[str, List[str]]:
        lines = {scheme: [data_line(run.order, run.relative) for run in runs
                          if run.scheme == scheme and (distance(run) < OUTLIER) == inside]
                 for scheme in schemes}
        return {scheme: found for scheme, found in lines.items() if found}
    near, far = sets(True), sets(False)
    data = "".join(data_block("%s: order, cost / its cell's median" % scheme, lines)
                   for part in (near, far) for scheme, lines in part.items())
    data += data_block("order, moving median", [data_line(*point) for point in moving(runs)])
    return data, list(near), list(far)


def panel_title(scenario: str, what: str, runs: Sequence[Run]) -> str:
    """What is drawn; a number has no room beside its run."""
    far = outliers(runs)
    return "%s: %s" % (scenario, what) + (
        " (furthest off: %sx, run %d)" % (number(far[0].relative), far[0].order) if far else "")


def coloured(run: Run) -> Run:
    """Schemes without a colour of their own, such as the peers', share one, and one name."""
    return run if run.scheme in SCHEMES else run._replace(scheme=OTHERS)


def figure(found: Dict[str, Tuple[str, List[Run]]], alt: str, first: int, last: int) -> Figure:
    """A panel for each scenario, one axis of order for all."""
    found = {scenario: (what, [coloured(run) for run in runs])
             for scenario, (what, runs) in found.items()}
    every = [run for _, runs in found.values() for run in runs]
    present = [scheme for scheme in SCHEMES + (OTHERS,)
               if any(run.scheme == scheme for run in every)]
    settings: Dict[str, Union[str, float]] = {
        "PANELS": len(found), "SCHEMES": " ".join(present), "LIMIT": OUTLIER, "FIRST": first,
        "LAST": last,
        "RUNS": "%d runs, line: median of %d neighbours" % (len(every), 2 * WINDOW + 1)}
    data, start = "", 0
    for i, (scenario, (what, runs)) in enumerate(found.items(), 1):
        block, near, far = panel(runs, present)
        settings.update({"PANEL%d" % i: panel_title(scenario, what, runs), "START%d" % i: start,
                         "NEAR%d" % i: " ".join(near), "FAR%d" % i: " ".join(far)})
        data, start = data + block, start + len(near) + len(far) + 1
    return Figure("order", "order", (960, 150 + PANEL_HEIGHT * len(found)), settings, data,
                  "Order of runs. Each run over the median of its cell", alt)


def described(lines: Sequence[Sequence[str]]) -> str:
    """The figure in words."""
    return "One panel for each scenario, runs from left to right in their order. " + " ".join(
        "%s: %s runs, second half over first half %s, %s of them off by a factor of %g or more." % (
            fields[0], fields[3], fields[4], fields[5], OUTLIER) for fields in lines)


def place(results: Results) -> Callable[[str], Tuple[int, str]]:
    """Scenarios as the command named them, then any other by name."""
    known = results.run.get("scenarios")
    names = list(known) if isinstance(known, dict) else []
    return lambda name: (names.index(name) if name in names else len(names), name)


def build(results: Results) -> Section:
    """All scenarios of which a cell has two runs."""
    rows: List[Row] = [row for row in results.rows if is_result(row)]
    found: Dict[str, Tuple[str, List[Run]]] = {}
    scenarios = {name: members for (name,), members in group(rows, ("scenario",)).items()}
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
