"""The inverse of the paper's tables: the share of a processor at which each of its times comes out,
and whether one share gives them all.

A line is a cell's median time over the share; between two measured shares it is taken as straight
over the share's logarithm. A crossing's interval holds the shares at which the paper's time lies
within the median's interval. At the true crossing it does, unless the interval of one of the two
cells beside it misses its median: cells are independent, so with a confidence of c each the
crossing's is at least c * c. No shape is assumed: where noise lets a line cross twice, the interval
reaches from the first crossing to the last.
"""

import math
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
import paper
from calibrations import Calibration, calibrations
from rows import Results, Row, group_by, is_result, numbers, select, variants
from section import (LEFT_OUT, Figure, Section, data_block, data_line, file_name, numbered,
                     run_counts, unlabelled, with_label)
from stats import median, median_interval
from table3 import spaced
from tables import NONE, Column, Table, in_blocks, number

TITLE = "Crossing. The share of a processor at which the paper's times come out"
LEAD = ("The inverse of the paper's machine: several shares are tried. If all times come out at "
        "one share, one slow processor explains them; if not, something else is in them.")
SCENARIO = "paper"
TABLE1, TABLE2 = "Table 1", "Table 2"
BLOCKING = "blocking"
# Of each table: the sections that have its cells, at further shares and at the calibrated one.
SECTIONS = {TABLE2: ("shares-table2", "table2-one-record"),
            TABLE1: ("shares-table1", "table1-async", "table1-sync")}
KEYS = {TABLE2: "elapsed_ms", TABLE1: "connect_ms"}
FULL_SPEED = 100.0     # percent of one processor that a row without a share is drawn at
CELL_CONFIDENCE = 0.9  # of 5 runs it is 0.9375
SURE = 0.5             # confidence from which a disagreement is more than a seeming one
TICS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100)
COLUMNS = (Column("the paper's number", left=True), Column("paper, ms"), Column("share, %"),
           Column("interval, %"), Column("n"), Column("it is", left=True))
HEADROOM = 1.1         # of a panel's axis above the paper's times, as a share of its reach below
MIDDLE_MIN = 0.01      # that reach, as a share of the paper's times, where all times are alike
ROW_HEIGHT = 22        # pixels of a crossing's line,
ROWS_BESIDE = 612      # and of all that is above and below these lines
PANELS = {TABLE2: "Table 2: time of 30 x 1.25 MiB, ms",
          TABLE1: "Table 1: 200 connects at once, by workers, ms"}
LABEL_HEIGHT = 0.055   # of a label, as a share of its panel
AXIS_SHARE = 1.12      # of the share's axis beyond the measured shares


class Cell(NamedTuple):
    """A cell's runs at one share; `low` and `high` are the median's interval."""

    share: float  # percent of one processor
    low: float
    median: float
    high: float
    confidence: float
    runs: int


class Crossing(NamedTuple):
    """Where a line comes to the paper's time. `low` is None if lower shares than the lowest
    measured are possible, `high` if higher ones than the highest."""

    share: Optional[float]  # None: only the interval comes to it, the median does not
    low: Optional[float]
    high: Optional[float]

    @property
    def reach(self) -> Tuple[float, float]:
        return (-math.inf if self.low is None else self.low,
                math.inf if self.high is None else self.high)


class Line(NamedTuple):
    """One of the paper's numbers and our times over the share."""

    table: str
    name: str
    paper_ms: float
    cells: List[Cell]            # by share
    crossing: Optional[Crossing]
    role: str                    # `predicted`, or what was calibrated on this number

    @property
    def title(self) -> str:
        return "%s, %s" % (self.table, self.name)


# ---- the curves ----


def share_of(row: Row) -> float:
    """Percent of one processor that the row was held to."""
    share = row.get("cpu_share")
    return FULL_SPEED if share is None else 100 * share


def cell_of(rows: Sequence[Row], key: str) -> Cell:
    values = numbers(rows, key)
    found = median_interval(values, CELL_CONFIDENCE)
    low, high, confidence = found or (min(values), max(values), 1 - 0.5 ** (len(values) - 1))
    return Cell(median([share_of(row) for row in rows]), low, median(values), high, confidence,
                len(values))


def curve(rows: Sequence[Row], key: str) -> List[Cell]:
    """The cells by share. Rows share a cell if they asked for the same share."""
    known = [row for row in rows if row.get(key) is not None]
    return sorted(cell_of(members, key)
                  for members in group_by(known, "cpu_share_asked").values())


def meets(shares: Sequence[float], times: Sequence[float], wanted: float,
          comes: Callable[[float, float], bool]) -> Optional[float]:
    """The first share, in this order, at which the line comes to the wanted time."""
    before = None
    for share, time in zip(shares, times):
        if comes(time, wanted):
            if before is None:
                return share
            part = (before[1] - wanted) / (before[1] - time)
            return before[0] * (share / before[0]) ** part
        before = (share, time)
    return None


def span_of(cells: Sequence[Cell], lows: Sequence[float], highs: Sequence[float],
            wanted: float) -> Optional[Tuple[float, float]]:
    """From the first share at which the lower line is not above the wanted time to the last one at
    which the upper line is not below it; None if there is none."""
    shares = [cell.share for cell in cells]
    first = meets(shares, lows, wanted, lambda time, limit: time <= limit)
    last = meets(shares[::-1], highs[::-1], wanted, lambda time, limit: time >= limit)
    return None if first is None or last is None else (first, last)


def crossing(cells: Sequence[Cell], wanted: float) -> Optional[Crossing]:
    """None if the interval comes to the wanted time at no share."""
    medians = [cell.median for cell in cells]
    middle = span_of(cells, medians, medians, wanted)
    reach = span_of(cells, [cell.low for cell in cells], [cell.high for cell in cells], wanted)
    if not reach:
        return None
    return Crossing(math.sqrt(middle[0] * middle[1]) if middle else None,
                    reach[0] if cells[0].low > wanted else None,
                    reach[1] if cells[-1].high < wanted else None)


def confidence(line: Line) -> float:
    """What the crossing's interval has at least if it lies beside the interval's cells: the least
    of two neighbours there."""
    low, high = line.crossing.reach if line.crossing else (-math.inf, math.inf)
    return min((one.confidence * other.confidence for one, other in zip(line.cells, line.cells[1:])
                if other.share >= low and one.share <= high), default=0)


def role_of(key: str, time_ms: float, known: Sequence[Calibration]) -> str:
    names = {"cpu-share": "share", "rtt": "round trip"}
    return next(("calibrated (%s)" % names.get(one.key, one.key) for one in known
                 if one.stands_for(key, time_ms)), "predicted")


def lines_of(rows: Sequence[Row], known: Sequence[Calibration]) -> List[Line]:
    """The paper's numbers of which there are rows at several shares."""
    def line(table: str, name: str, time_ms: float, members: Sequence[Row]) -> Line:
        key = KEYS[table]
        cells = curve(members, key)
        return Line(table, name, time_ms, cells, crossing(cells, time_ms),
                    role_of(key, time_ms, known))
    large, connects = (select(rows, section=SECTIONS[table]) for table in (TABLE2, TABLE1))
    made = [line(TABLE2, scheme, claim.time_ms, select(large, scheme=scheme))
            for scheme, claim in paper.table2().items()]
    made += [line(TABLE1, "%d workers" % workers if mode == "async" else BLOCKING,
                  claim.time_ms, select(connects, connect=mode, workers=workers))
             for (mode, workers), claim in paper.table1().items()]
    return [one for one in made if len(one.cells) > 1]


# ---- the words ----


def share_text(value: float) -> str:
    return "%.3g" % value


def ends_text(line: Line) -> List[str]:
    """The lowest and highest share measured."""
    return [share_text(line.cells[i].share) for i in (0, -1)]


def interval_text(line: Line) -> str:
    """`5.6..6.1`; `<3..4.2` where lower shares than the lowest measured are possible."""
    if not line.crossing:
        return "not within %s..%s" % tuple(ends_text(line))
    found, (least, most) = line.crossing, ends_text(line)
    return "%s..%s" % ("<" + least if found.low is None else share_text(found.low),
                       ">" + most if found.high is None else share_text(found.high))


def disagreement(lines: Sequence[Line]) -> str:
    """The numbers that have no share in common; "" if all intervals have one."""
    never = next((line for line in lines if not line.crossing), None)
    if never:
        return "%s is not reached between %s %% and %s %%" % (never.name, *ends_text(never))
    first = max(lines, key=lambda line: line.crossing.reach[0])
    last = min(lines, key=lambda line: line.crossing.reach[1])
    if first.crossing.reach[0] <= last.crossing.reach[1]:
        return ""
    return "%s is at %s %%, %s at %s %%" % (last.name, interval_text(last), first.name,
                                            interval_text(first))


def agreement(lines: Sequence[Line]) -> str:
    """Whether all intervals have a share in common, and how sure it is that they have not."""
    sure = math.prod(map(confidence, lines))
    if not sure:
        return "a single run at a share cannot say whether they cross at one share"
    apart = disagreement(lines)
    if apart and sure < SURE:
        return "they do not seem to cross at one share: %s (too few runs to be sure)" % apart
    if apart:
        return "they do not cross at one share: %s (all intervals hold with at least %.0f %%)" % (
            apart, 100 * sure)
    low, high = (end(line.crossing.reach[i] for line in lines) for i, end in ((0, max), (1, min)))
    if math.isinf(low) or math.isinf(high):
        return "they may cross at one share, but an interval is open"
    return "they cross at one share (%s..%s %%)" % (share_text(low), share_text(high))


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def judged(lines: Sequence[Line]) -> List[Line]:
    """Without the blocking row: its time is round trips, whatever the share."""
    return [line for line in lines if line.name != BLOCKING]


def result(lines: Sequence[Line]) -> str:
    """Do the crossings share one share? By table, then of both."""
    said = []
    for table in (TABLE2, TABLE1):
        members = [line for line in judged(lines) if line.table == table]
        if members:
            said.append("%s (%s): %s." % (table, ", ".join(
                line.name for line in members), agreement(members)))
    if len(said) > 1:
        said.append("Both tables: %s." % agreement(judged(lines)))
    return " ".join(said)


def calibrated_text(known: Sequence[Calibration]) -> List[str]:
    """The share that was calibrated, for comparison."""
    return ["The calibrated share is %s%s." % (one.value, " (%s)" % one.interval if one.interval
                                               else "") for one in known
            if one.key == "cpu-share" and one.value]


def table_line(line: Line) -> List[str]:
    share = line.crossing and line.crossing.share
    return [line.title, number(line.paper_ms), share_text(share) if share else NONE,
            interval_text(line), run_counts([range(cell.runs) for cell in line.cells])[4:],
            line.role]


def table(label: str, lines: Sequence[Line]) -> Table:
    sure = min(map(confidence, lines))
    notes = ["Interval: the shares at which the paper's time lies within the median's exact "
             "interval; %s. Between two shares, time is taken as straight over the share's "
             "logarithm." % ("each holds with at least %.3g %%" % (100 * sure) if sure else
                             "too few runs for a confidence"),
             "Wide intervals overlap easily: that they have a share in common does not prove that "
             "one share made the paper's times. < and >: beyond the shares measured."]
    blocks = [[table_line(line) for line in lines if line.table == name]
              for name in (TABLE2, TABLE1)]
    return Table(with_label("Share of one processor at which the paper's time comes out", label),
                 COLUMNS, in_blocks(blocks), notes)


# ---- the figure ----


def axis(lines: Sequence[Line], from_zero: bool) -> Tuple[float, float]:
    """The ends of a panel's axis of time. The paper's times and each line's fastest cell fill a
    good part of it; slower cells are drawn at its edge."""
    cells = [cell for line in lines for cell in line.cells]
    claims = [line.paper_ms for line in lines]
    middle = max(claims + [min(cell.median for cell in line.cells) for line in lines])
    least = min(claims + [cell.low for cell in cells])
    reach = max(middle - least, MIDDLE_MIN * middle)
    bottom = 0 if from_zero else least - 0.1 * reach
    highest = max([middle] + [cell.high for cell in cells])
    return bottom, min(middle + HEADROOM * (middle - bottom), highest + 0.1 * reach)


def curve_block(line: Line) -> str:
    return data_block("%s: share %%, median, low, high" % line.title,
                      [data_line(cell.share, cell.median, cell.low, cell.high)
                       for cell in line.cells])


def crossings_block(lines: Sequence[Line]) -> str:
    return data_block("crossings: the paper's ms, share %", [
        data_line(line.paper_ms, line.crossing and line.crossing.share) for line in lines])


def labels_block(lines: Sequence[Line], ends: Tuple[float, float]) -> str:
    """The paper's times beside their lines, moved apart."""
    ordered = sorted(lines, key=lambda line: line.paper_ms)
    places = dict(zip([line.title for line in ordered], spaced(
        [line.paper_ms for line in ordered], LABEL_HEIGHT * (ends[1] - ends[0]))))
    return data_block("labels of the paper's times: place, ms", [
        data_line(places[line.title], number(line.paper_ms)) for line in lines])


def intervals_block(lines: Sequence[Line], ends: Tuple[float, float]) -> str:
    """A line for each of the paper's numbers, the first one at the top. An open interval goes to
    the axis's end; one that is not there has no length, because gnuplot cannot draw nothing."""
    def drawn(place: int, line: Line) -> str:
        found = line.crossing
        share = found and found.share
        words = (share_text(share) + " " if share else "") + "(%s)" % interval_text(line)
        return data_line(place, share, *(
            (ends[0] if found.low is None else found.low,
             ends[1] if found.high is None else found.high) if found else ends[:1] * 2), words,
                         "%s: %s ms" % (line.title, number(line.paper_ms)))
    return data_block("intervals: place, share %, from, to, in words, the paper's number", [
        drawn(len(lines) - i, line) for i, line in enumerate(lines, 1)])


def colours(lines: Sequence[Line]) -> List[str]:
    """A scheme's own, or a number of style.gp's LINE; its last one for the blocking row."""
    workers = [line.name for line in lines if line.table == TABLE1 and line.name != BLOCKING]
    return [line.name if line.table == TABLE2 else str(
        workers.index(line.name) % 7 + 1 if line.name in workers else 8) for line in lines]


def calibrated_settings(known: Sequence[Calibration]) -> Dict[str, Any]:
    """The band of the calibrated share; 0 if there is none."""
    found = next((one for one in known if one.key == "cpu-share" and one.number), None)
    if not found:
        return {"CALIBRATED": 0}
    return {"CALIBRATED": found.number, "CALIBRATED_TEXT": found.value or "",
            "CALIBRATED_LOW": found.low or found.number,
            "CALIBRATED_HIGH": found.high or found.number}


def settings_of(lines: Sequence[Line], panels: Sequence[Tuple[str, List[Line]]],
                axes: Sequence[Tuple[float, float]], ends: Tuple[float, float]) -> Dict[str, Any]:
    return {
        "PANELS": len(panels), "LINES": len(lines), "SHARE_MIN": ends[0], "SHARE_MAX": ends[1],
        "TICS": ", ".join('"%d" %d' % (tic, tic) for tic in TICS if ends[0] <= tic <= ends[1]),
        "COLOURS": " ".join(colours(lines)), "ANSWER": sentence(agreement(judged(lines))),
        "RUNS": "median of %s, whiskers: its interval" % run_counts(
            [range(cell.runs) for line in lines for cell in line.cells]),
        **numbered("PANEL", [PANELS[name] for name, _ in panels]),
        **numbered("COUNT", [len(members) for _, members in panels]),
        **numbered("NAMES", [" ".join(line.name.split()[0] for line in members)
                             for _, members in panels]),
        **numbered("BOTTOM", [low for low, _ in axes]),
        **numbered("TOP", [high for _, high in axes])}


def figure(label: str, name: str, lines: Sequence[Line], known: Sequence[Calibration]) -> Figure:
    """Time over the share, a panel for each table, and below them all crossings with their
    intervals."""
    panels = [(table_name, [line for line in judged(lines) if line.table == table_name])
              for table_name in (TABLE2, TABLE1)]
    panels = [(table_name, members) for table_name, members in panels if members]
    shares = [cell.share for line in lines for cell in line.cells]
    ends = min(shares) / AXIS_SHARE, max(shares) * AXIS_SHARE
    axes = [axis(members, table_name == TABLE1) for table_name, members in panels]
    data = [curve_block(line) for _, members in panels for line in members]
    data += [crossings_block(members) for _, members in panels]
    data += [labels_block(members, reach) for (_, members), reach in zip(panels, axes)]
    return Figure(
        file_name("crossing", name), "crossing", (960, ROWS_BESIDE + ROW_HEIGHT * len(lines)),
        {**settings_of(lines, panels, axes, ends), **calibrated_settings(known)},
        "".join(data) + intervals_block(lines, ends),
        "At which share of a processor do the paper's times come out?",
        "Time over the share of a processor, a panel for each table, with the paper's times as "
        "dashed lines; below, the share of each crossing with its interval. " + result(lines),
        label)


# ---- the section ----


def build(results: Results) -> Section:
    names = sum(SECTIONS.values(), ())
    every = select(results.rows, scenario=SCENARIO, section=names)
    notes = links.off_machine_notes(every)
    rows = unlabelled([row for row in every if is_result(row)])
    known = calibrations(results, SCENARIO)
    section = Section(TITLE, list(notes), [], LEAD)
    axes = ("section", "scheme", "connect", "workers", "cpu_share_asked")
    for label, members in variants(rows, axes):
        lines = lines_of(members, known)
        if not judged(lines):
            continue
        section.blocks.extend([" ".join([result(lines)] + calibrated_text(known)),
                               table(label, lines)])
        section.figures.append(figure(label, label, lines, known))
    if not section.figures:
        why = notes or ["no row of scenario %s counts at more than one share." % SCENARIO]
        return Section(TITLE, ["%s: %s" % (LEFT_OUT, " ".join(why))], [])
    return section
