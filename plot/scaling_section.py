"""Table 3 by the scaling law: how much of a worker's gain goes to waiting and to agreeing, and
where throughput peaks, over the concurrency limit and over the workers."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
import paper
from rows import Results, Row, group, select
from scaling import RUNS_MIN, Point, Usl, cell_means, usl_fit, usl_peak_interval
from section import (Figure, Section, data_block, data_line, file_name, run_counts, usable)
from stats import Interval, median
from tables import NONE, Column, Table, number

TITLE = "Scaling. Where throughput peaks, by a law of contention and coherency"
SCENARIO = "table3"
SCHEME = "chain"
CELLS_MIN = 4       # of workers or limits, or there is no law to fit
CURVE_STEPS = 80
MEGA = 1e-6
COLUMNS = (Column("of", left=True), Column("over", left=True), Column("contention"),
           Column("coherency"), Column("peak at"), Column("95 %"), Column("measured at"),
           Column("explained"), Column("n"))
LEAD = ("X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)): sigma, contention, is the share "
        "that waits for others; kappa, coherency, is what each pair spends to agree, and only "
        "kappa makes a peak.")
Runs = Dict[float, List[float]]  # throughputs by N


class Law(NamedTuple):
    """A fit over one axis, and what it was fitted to."""

    of: str       # "paper", or the link
    over: str
    runs: Runs
    usl: Optional[Usl]
    interval: Optional[Interval]

    @property
    def best(self) -> float:
        """The N with the highest median."""
        return max(self.runs, key=lambda n: median(self.runs[n]))


def law(of: str, over: str, runs: Runs, with_interval: bool) -> Law:
    """The fit, as far as there are cells and runs for one."""
    known = {n: values for n, values in sorted(runs.items()) if values}
    usl = usl_fit(cell_means(known)) if len(known) >= CELLS_MIN else None
    interval = usl_peak_interval(known) if usl and with_interval else None
    return Law(of, over, known, usl, interval)


def laws(of: str, cells: Dict[Tuple[int, int], List[float]], with_interval: bool) -> List[Law]:
    """Over C with all W together, then over W for each C that has enough of them."""
    over_limit: Runs = {}
    for (_, limit), values in cells.items():
        over_limit.setdefault(limit, []).extend(values)
    found = [law(of, "C, all W", over_limit, with_interval)]
    for limit in sorted({limit for _, limit in cells}):
        runs = {workers: values for (workers, own), values in cells.items() if own == limit}
        if len(runs) >= CELLS_MIN:
            found.append(law(of, "W at C=%d" % limit, runs, with_interval))
    return found


def measured_cells(rows: Sequence[Row]) -> Dict[Tuple[int, int], List[float]]:
    """Throughputs by workers and limit."""
    return {(members[0]["workers"], members[0]["concurrency"]):
            [row["bytes_per_s"] for row in members]
            for members in group(rows, ("workers", "concurrency")).values()}


def place_text(n: Optional[float], runs: Runs) -> str:
    """A place of a peak. Beyond the cells that were measured the law extrapolates, so there it is
    told as beyond the outermost of them."""
    if n is None or n > max(runs):
        return ">%g" % max(runs)
    return "<%g" % min(runs) if n < min(runs) else number(n)


def peak_text(found: Law) -> str:
    return place_text(found.usl.peak, found.runs) if found.usl else NONE


def interval_text(found: Law) -> str:
    """`3.1..5.2`, as far as it was measured."""
    if found.interval is None:
        return NONE
    low, high = (place_text(end, found.runs) for end in (found.interval.low, found.interval.high))
    return low if low == high else ("%s to %s" if "<" in low or ">" in high else "%s..%s") % (
        low, high)


def line(found: Law) -> List[str]:
    usl = found.usl
    return [found.of, found.over, number(usl.sigma) if usl else NONE,
            number(usl.kappa) if usl else NONE, peak_text(found), interval_text(found),
            "%g" % found.best if found.runs else NONE,
            "%.0f %%" % (100 * usl.explained) if usl and usl.explained is not None else NONE,
            str(min(map(len, found.runs.values()))) if found.runs else NONE]


def curve(found: Law) -> List[str]:
    """The law over the cells that it was fitted to."""
    if found.usl is None:
        return []
    low, high = min(found.runs), max(found.runs)
    steps = [low + (high - low) * i / CURVE_STEPS for i in range(CURVE_STEPS + 1)]
    return [data_line(n, found.usl.throughput(n) * MEGA) for n in steps]


def points(found: Law) -> List[str]:
    return [data_line(n, median(values) * MEGA, min(values) * MEGA, max(values) * MEGA)
            for n, values in found.runs.items()]


def peak_span(found: Law) -> Tuple[float, float]:
    """Where the figure shades: the interval, cut to what was measured; (0, 0) for nothing."""
    if found.interval is None:
        return 0, 0
    low, high = min(found.runs), max(found.runs)
    return tuple(max(low, min(end, high)) for end in (found.interval.low, found.interval.high))


def figure(theirs: Law, ours: Law, label: str) -> Figure:
    """Both laws over C, the paper's at the left."""
    low, high = peak_span(ours)
    runs = run_counts([len(values) for values in ours.runs.values()])
    caption = "Scaling. Throughput over the concurrency limit, and the law fitted to it, %s" % label
    alt = "The law fitted to this run peaks at C = %s (95 %%: %s); to the paper's cells at %s." % (
        peak_text(ours), interval_text(ours), peak_text(theirs))
    data = data_block("paper: C, MB/s, min, max", points(theirs))
    data += data_block("paper: the law", curve(theirs))
    data += data_block("here: C, median MB/s, min, max", points(ours))
    data += data_block("here: the law", curve(ours))
    return Figure(file_name("scaling", ours.of), "scaling", (960, 480), {
        "PAPER_MAX": max(max(values) for values in theirs.runs.values()) * MEGA,
        "OURS_MAX": max(max(values) for values in ours.runs.values()) * MEGA,
        "N_MAX": max(list(theirs.runs) + list(ours.runs)), "PEAK_LOW": low, "PEAK_HIGH": high,
        "LINK": ours.of, "RUNS": "median of %s a limit, bars min..max" % runs,
    }, data, caption, alt)


def paper_cells() -> Dict[Tuple[int, int], List[float]]:
    return {cell: [value] for cell, value in paper.table3().items()}


def build(results: Results) -> Section:
    """The laws of the paper's grid and of each link's; one line without a grid."""
    rows = [row for row in usable(results, SCENARIO, scheme=SCHEME)
            if row["bytes_per_s"] and not row.get("label")]
    theirs = laws("paper", paper_cells(), False)
    ours: List[List[Law]] = [laws(name, measured_cells(members), True)
                             for name, members in links.by_link(rows)]
    fitted = [found for found in ours if found[0].usl]
    if not fitted:
        why = "fewer than %d concurrency limits" % CELLS_MIN if rows else "no row that counts"
        return Section(TITLE, ["Left out: scenario %s has %s here." % (SCENARIO, why)], [])
    table = Table("Fits to Table 3", COLUMNS, [line(found) for part in [theirs] + fitted
                                               for found in part], [
        "Peak: of the fitted law; its interval is a bootstrap of runs within cells (at least %d "
        "each), so approximate, and says nothing of whether the law is the right one. Measured at: "
        "the cell with the highest median; n: runs of the smallest cell." % RUNS_MIN,
        "Over C all W of a limit count together. A peak below the least or beyond the most that "
        "was measured is one that this run cannot place."])
    return Section(TITLE, [table], [figure(theirs[0], found[0], "on %s" % found[0].of)
                                    for found in fitted], LEAD)
