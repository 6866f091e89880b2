"""The paper's machine: which of the paper's numbers it was calibrated on, and how far the others,
its predictions, are off."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
import paper
import table1
import table2
import table3
from calibrations import Calibration, calibrations
from places import (PAPER, PAPER_SCENARIO, at_full_speed, factors_text, link_of, machine_of,
                    why_not_on_machine)
from rows import Results, Row, group_by, grouped, is_number, select, variants
from section import (KB_TO_MB, LEFT_OUT, MEGA, Section, has_interval, interval_text, measured,
                     median_of, range_text, run_counts, usable)
from stats import Spread, median
from tables import NONE, Column, Table, exact, in_blocks, number, percent, span
from verdict import PAPER_LINK

TITLE = "The paper's machine. What was calibrated, and what is predicted"
LEAD = ("Factors that the paper does not state are set so that one of its numbers comes out. That "
        "number proves nothing; all others are predictions. Error: here / paper - 1.")
READING = "one-record"  # of Table 2, the one that fits the paper's times and memory
TIME, MEMORY, MADE, THREADS, RATE = ("time, ms", "memory, MB", "servers connected",
                                     "buffering threads", "throughput, MB/s")
RESIDENT = "resident memory, MB"
CALIBRATED, PREDICTED = "calibrated", "predicted"
SHORT_CALLS = {"async": "ConnectEx()", "sync": "connect()"}
KEYS = {"rtt": "round trip %s", "cpu-share": "share %s of a processor"}
HERE = ("paper", "here", "range", "err %")  # the cells of entry_texts()
ALONE = 10  # from this many percent on, an error has no decimals


class Quantity(NamedTuple):
    """One kind of number of one of the paper's tables."""

    table: str
    what: str
    metric: str   # a key of a row
    scale: float  # from the row's unit to the printed one


QUANTITIES = {(one.table, one.what): one for one in (
    Quantity("Table 1", TIME, "connect_ms", 1), Quantity("Table 1", MADE, "connected", 1),
    Quantity("Table 2", TIME, "elapsed_ms", 1),
    Quantity("Table 2", MEMORY, table2.MEMORY, KB_TO_MB),
    Quantity("Table 2", RESIDENT, "peak_rss_kb", KB_TO_MB),
    Quantity("Table 2", THREADS, "buffer_threads", 1),
    Quantity("Table 3", RATE, "bytes_per_s", MEGA))}


class Entry(NamedTuple):
    """One of the paper's numbers, and what the two machines made of it, all in the row's unit."""

    of: Quantity
    cell: str
    paper: Optional[float]  # None: beside the paper's, compared with none of them
    found: Optional[Spread]
    full: Optional[Spread]
    calibrated: bool

    @property
    def error(self) -> Optional[float]:
        """In percent of the paper's number."""
        return 100 * (self.found.median / self.paper - 1) if self.found and self.paper else None

    @property
    def is_predicted(self) -> bool:
        return self.error is not None and not self.calibrated


# ---- the rows ----


class Cells(NamedTuple):
    """The rows of one scenario by cell, on each of the two machines."""

    papers: Dict[Tuple, List[Row]]
    full: Dict[Tuple, List[Row]]
    scenario: str
    further: int  # rows on the paper's machine with other options: cells never mix

    @property
    def first(self) -> Row:
        return next(iter(self.papers.values()))[0]

    @property
    def place(self) -> str:
        """`lan100-rtt9.91, 5.87 % of a processor`."""
        return links.join(link_of(self.first), factors_text(self.first))


def connect_name(cell: table1.Cell) -> str:
    return "%s, %d workers" % (SHORT_CALLS.get(cell[0], cell[0]), cell[1])


def grid_name(cell: table3.Cell) -> str:
    return "W = %d, C = %d" % cell


def by_cell(rows: Sequence[Row], keys: Sequence[str]) -> Dict[Tuple, List[Row]]:
    """The first set of options only: cells never mix."""
    members = variants(rows, keys)[0][1] if rows else []
    return grouped(members, lambda row: tuple(row[key] for key in keys))


def cells_of(results: Results, scenario: str, keys: Sequence[str]) -> Optional[Cells]:
    """None where no row counts on the paper's machine."""
    rows = usable(results, scenario)
    if scenario == table3.SCENARIO:
        rows = table3.grid_rows(rows)
    papers = [row for row in rows if machine_of(row) == PAPER]
    places = links.by_link(at_full_speed(rows))
    full = dict(places).get(PAPER_LINK) or (places[0][1] if places else [])
    shown = by_cell(papers, keys)
    return Cells(shown, by_cell(full, keys), scenario,
                 len(papers) - sum(map(len, shown.values()))) if papers else None


def aimed_at(found: Sequence[Calibration], of: Quantity, claim: Optional[float],
             rows: Sequence[Row]) -> bool:
    """Whether a calibration whose value these rows ran with stands for this number."""
    used = {part.partition("=")[0] for row in rows for part in
            str(row.get("calibrated") or "").split()}
    return any(one.value is not None and one.key in used and claim is not None
               and one.stands_for(of.metric, claim) for one in found)


class Papers(NamedTuple):
    """All that is known of the paper's machine in one folder."""

    calibrations: List[Calibration]
    table1: Optional[Cells]  # (connect, workers)
    table2: Optional[Cells]  # (section, scheme)
    table3: Optional[Cells]  # (workers, concurrency)

    @property
    def every(self) -> List[Cells]:
        return [cells for cells in (self.table1, self.table2, self.table3) if cells]

    def entry(self, cells: Cells, table: str, what: str, cell: Tuple, name: str,
              claim: Optional[float], aimed: bool = True) -> Entry:
        """One number; `aimed` is False where no calibration can have meant this reading of it."""
        of, rows = QUANTITIES[table, what], cells.papers.get(cell, [])
        return Entry(of, name, claim, measured(rows, of.metric),
                     measured(cells.full.get(cell, []), of.metric),
                     aimed and aimed_at(self.calibrations, of, claim, rows))

    def connects(self, what: str) -> List[Entry]:
        """Table 1's times, or how many servers were connected."""
        if not self.table1:
            return []
        return [self.entry(self.table1, "Table 1", what, cell, connect_name(cell),
                           claim.time_ms if what == TIME else claim.succeeded)
                for cell, claim in paper.table1().items()]

    @property
    def readings(self) -> List[str]:
        """Of Table 2, the default one first."""
        return sorted({section for section, _ in self.table2.papers},
                      key=table2.reading_place) if self.table2 else []

    def large_data(self, what: str, reading: str = READING) -> List[Entry]:
        """Table 2's times, memory or threads, in one reading."""
        if not self.table2:
            return []
        def claim_of(claim: paper.Buffering) -> Optional[float]:
            return {TIME: claim.time_ms, THREADS: claim.buffer_threads,
                    MEMORY: claim.peak_memory_kb}.get(what)
        words = "" if reading == READING else ", " + reading.replace("-", " ")
        return [self.entry(self.table2, "Table 2", what, (reading, scheme), scheme + words,
                           claim_of(claim), reading == READING)
                for scheme, claim in paper.table2().items()]

    def throughput(self) -> Dict[Tuple[int, int], Entry]:
        if not self.table3:
            return {}
        return {cell: self.entry(self.table3, "Table 3", RATE, cell, grid_name(cell), claim)
                for cell, claim in paper.table3().items()}

    def entries(self) -> List[List[Entry]]:
        """Every number, a list for each kind and reading."""
        found = [self.connects(TIME), self.connects(MADE)]
        found += [self.large_data(what, reading) for reading in self.readings
                  for what in (TIME, MEMORY, RESIDENT, THREADS)]
        return [part for part in found + [list(self.throughput().values())] if part]


def papers_machine(results: Results) -> Papers:
    return Papers(calibrations(results, PAPER_SCENARIO),
                  cells_of(results, table1.SCENARIO, ("connect", "workers")),
                  cells_of(results, table2.SCENARIO, ("section", "scheme")),
                  cells_of(results, table3.SCENARIO, ("workers", "concurrency")))


# ---- as text ----


def error_text(entry: Entry) -> str:
    """`+3.2p`, `-12p`; c where the machine was calibrated on this number."""
    if entry.error is None:
        return NONE
    digits = 0 if abs(entry.error) >= ALONE else 1
    return "%+.*f%s" % (digits, entry.error, "c" if entry.calibrated else "p")


def reach_text(found: Optional[Spread], scale: float) -> str:
    """The median's 95 % interval, or min..max where there are too few runs for one inside it."""
    return interval_text(found, scale) if has_interval(found) else range_text(found, scale)


def entry_texts(entry: Entry) -> List[str]:
    """The cells of HERE."""
    scale = entry.of.scale
    return [number(entry.paper * scale if entry.paper is not None else None),
            number(median_of(entry.found, scale)), reach_text(entry.found, scale),
            error_text(entry)]


def spaced(value: str) -> str:
    """`9.91 ms`, `5.87 %` for 9.91ms, 5.87%; other values are left as they were typed."""
    digits = value.rstrip("abcdefghijklmnopqrstuvwxyz%")
    return "%s %s" % (digits, value[len(digits):]) if digits and digits != value and \
        digits.replace(".", "").isdigit() else value


def stands_for_text(one: Calibration) -> str:
    """The number of the paper's that a calibration aimed at, in words."""
    levels = [("Table 1", TIME, connect_name(cell), claim.time_ms)
              for cell, claim in paper.table1().items()]
    levels += [("Table 2", TIME, scheme, claim.time_ms) for scheme, claim in paper.table2().items()]
    levels += [("Table 3", RATE, grid_name(cell), claim) for cell, claim in paper.table3().items()]
    for table, what, name, claim in levels:
        if one.stands_for(QUANTITIES[table, what].metric, claim):
            return "%s's %s" % (table, name)
    return "%s = %.7g" % (one.metric, one.target)


def calibrated_text(one: Calibration) -> str:
    """`round trip 9.91 ms (9.8..10 ms) on Table 1's connect(), 6 workers`."""
    if one.value is None:
        return "not %s: %s" % (one.key, one.reason.rstrip(".") or "no reason given")
    words = KEYS.get(one.key, one.key + " %s") % spaced(one.value)
    return "%s%s on %s" % (words, " (%s)" % one.interval if one.interval else "",
                           stands_for_text(one))


def calibrated_line(found: Papers) -> str:
    """What was calibrated, in one sentence; "" if nothing was tried."""
    return "Calibrated: %s." % "; ".join(
        calibrated_text(one) for one in found.calibrations) if found.calibrations else ""


def errors(found: Papers) -> Dict[str, List[float]]:
    """The absolute errors of each table's predicted times, memory and throughput, in the default
    reading. Counts of servers and threads are claims, not levels."""
    levels = (("connects", found.connects(TIME)), ("Table 2's time", found.large_data(TIME)),
              ("memory", found.large_data(MEMORY)), ("throughput", found.throughput().values()))
    off = {name: [abs(entry.error) for entry in part if entry.is_predicted]
           for name, part in levels}
    return {name: values for name, values in off.items() if values}


def percents(value: float) -> str:
    return ("%.0f %%" if value >= ALONE else "%.2g %%") % value


def errors_line(found: Papers) -> str:
    """For the screen; "" if nothing is predicted."""
    parts = ["%s %s" % (name, percents(median(off))) for name, off in errors(found).items()]
    return "Median error of predictions: %s." % ", ".join(parts) if parts else ""


def errors_sentence(found: Papers) -> str:
    parts = ["%s %s, at most %s, of %d" % (name, percents(median(off)), percents(max(off)),
                                           len(off))
             for name, off in errors(found).items()]
    return "Median absolute error of the predicted numbers: %s." % "; ".join(parts) \
        if parts else ""


def reasons(results: Results) -> Dict[str, List[Row]]:
    """The rows that were meant for the paper's machine and did not run on it, by reason."""
    def why(row: Row) -> str:
        return why_not_on_machine(row) or str(row.get("reason") or "")
    return grouped([row for row in results.rows if machine_of(row) == PAPER
                    and (why_not_on_machine(row) or row["status"] == "skipped")], why)


def reason_line(results: Results) -> str:
    """Why the paper's machine, or a part of it, is not there: one line, or ""."""
    found = reasons(results)
    if not found:
        return ""
    count = sum(map(len, found.values()))
    first = max(found, key=lambda why: len(found[why]))
    return "Not on the paper's machine: %d row%s%s, so judged nowhere: %s" % (
        count, "" if count == 1 else "s", "" if len(found) == 1 else ", %d reasons" % len(found),
        first.replace("not on machine paper: ", ""))


def further_line(found: Papers) -> str:
    """The rows that are not among these numbers, as after two calibrations; "" without any."""
    count = sum(cells.further for cells in found.every)
    return "%d further rows of the paper's machine had another share, round trip or option: see " \
        "Tables 1 to 3." % count if count else ""


# ---- for the screen ----


def columns(group_name: str, with_full: bool = True) -> Tuple[Column, ...]:
    return tuple(Column(head, group_name) for head in HERE + (("full",) if with_full else ()))


def full_text(entry: Entry) -> str:
    return number(median_of(entry.full, entry.of.scale))


def screen_connects(found: Papers) -> Optional[Table]:
    """Table 1 on the paper's machine, the medians at full speed beside it."""
    if not found.table1:
        return None
    claims, lines = paper.table1(), []
    for cell, entry in zip(claims, found.connects(TIME)):
        rows = found.table1.papers.get(cell, [])
        lines.append([SHORT_CALLS.get(cell[0], cell[0]), str(cell[1]), *entry_texts(entry),
                      full_text(entry), "%d/%d" % (claims[cell].succeeded,
                                                   claims[cell].connections),
                      table1.succeeded(rows), str(len(rows))])
    return Table("Table 1. Time to connect to 200 servers: %s" % found.table1.place, (
        Column("connects", left=True), Column("workers"), *columns(TIME),
        Column("paper", "succeeded"), Column("here", "succeeded"), Column("n")), lines)


def screen_large_data(found: Papers) -> Optional[Table]:
    """Table 2 likewise, in its default reading."""
    if not found.table2 or READING not in found.readings:
        return None
    lines = []
    for time, memory, threads in zip(*(found.large_data(what) for what in (TIME, MEMORY,
                                                                           THREADS))):
        lines.append([time.cell, *entry_texts(time), full_text(time), *entry_texts(memory),
                      full_text(memory), exact(threads.paper), exact(median_of(threads.found)),
                      str(time.found.n if time.found else 0)])
    return Table("Table 2. 30 servers send a record of 1.25 MiB each: %s" % found.table2.place, (
        Column("scheme", left=True), *columns(TIME), *columns("memory committed, MB"),
        Column("paper", "threads"), Column("here", "threads"), Column("n")), lines)


def screen_throughput(found: Papers) -> Optional[Table]:
    """Table 3 likewise; at full speed its lowest and highest cell."""
    cells = found.throughput()
    if not cells:
        return None
    lines = []
    for workers in sorted({workers for workers, _ in cells}):
        line = [str(workers)]
        for cell in table3.paper_cells(workers):
            line += entry_texts(cells[cell]) if cell in cells else [""] * len(HERE)
        lines.append(line)
    heads = [column for name in ["C = %d" % limit for limit in table3.LIMITS] + ["C = W"]
             for column in columns(name, False)]
    full = [entry.full.median * MEGA for entry in cells.values() if entry.full]
    notes = ["At full speed, on %s: %s MB/s." % (
        link_of(next(iter(found.table3.full.values()))[0]), span(min(full), max(full)))] \
        if full else []
    return Table("Table 3. MB/s, W workers of which C run at once: %s, %s" % (
        found.table3.place, run_counts(found.table3.papers.values())),
                 (Column("W"), *heads), lines, notes)


# ---- for the pages ----

CALIBRATION = (Column("what", left=True), Column("value"), Column("interval"), Column("sure"),
               Column("stands for", left=True), Column("the paper's"), Column("runs"),
               Column("status", left=True))
NUMBERS = (Column("number", left=True), Column("paper"), Column("here"),
           Column("95 % or min..max"), Column("error, %"), Column("it is", left=True),
           Column("full speed"), Column("n"))
SHARES = (Column("cell", left=True), Column("asked", "share of one processor, %"),
          Column("had", "share of one processor, %"), Column("used", "share of one processor, %"),
          Column("period, ms"), Column("periods", "throttled"), Column("ms", "throttled"),
          Column("n"), Column("by", left=True))
CHECKS = (Column("asked", "share of one processor, %"), Column("got", "share of one processor, %"),
          Column("period, ms"), Column("periods", "throttled"), Column("ms", "throttled"),
          Column("by", left=True), Column("status", left=True))


def calibration_table(found: Papers) -> Optional[Table]:
    lines = [[one.key, spaced(one.value) if one.value else NONE, one.interval or NONE,
              percent(one.confidence, 1), stands_for_text(one), number(one.target),
              exact(one.runs), links.join(one.status, one.reason)] for one in found.calibrations]
    return Table("What was calibrated", CALIBRATION, lines, [
        "The interval holds the value at which the median of the runs is the paper's number, as "
        "sure as the column says."]) if lines else None


def number_line(entry: Entry) -> List[str]:
    texts = entry_texts(entry)
    error = "%+.1f" % entry.error if entry.error is not None else NONE
    kind = CALIBRATED if entry.calibrated else PREDICTED if entry.is_predicted else ""
    return ["  " + entry.cell, *texts[:3], error, kind, full_text(entry),
            str(entry.found.n if entry.found else 0)]


def number_tables(found: Papers) -> List[Table]:
    """Every number of each of the paper's tables."""
    parts = grouped(found.entries(), lambda part: part[0].of.table)
    notes = {"Table 2": ["Memory: as committed, the buffers as allocated and the process's base, "
                         "which is what the paper's system counts. Resident memory is beside it."]}
    return [Table("%s: every number (%s)" % (name, cells.place), NUMBERS, in_blocks(
        [[part[0].of.what]] + [number_line(entry) for entry in part] for part in parts[name]),
                  notes.get(name, ()))
            for name, cells in zip(parts, found.every)]


def share_table(found: Papers) -> Table:
    """What the cells were given of a processor, what they took, and how long they were held."""
    def share(rows: Sequence[Row], key: str) -> str:
        return number(median_of(measured(rows, key), 100))
    def line(cells: Cells, cell: Tuple, rows: Sequence[Row]) -> List[str]:
        return ["%s %s" % (cells.scenario, " ".join(map(str, cell))),
                *(share(rows, key) for key in ("cpu_share_asked", "cpu_share", "cpu_share_used")),
                *(number(median_of(measured(rows, key))) for key in (
                    "cpu_period_ms", "throttled_periods", "throttled_ms")),
                str(len(rows)), " and ".join(filter(None, group_by(rows, "cpu_share_by")))]
    return Table("The share of a processor in each cell", SHARES, in_blocks(
        [line(cells, cell, rows) for cell, rows in cells.papers.items()] for cells in found.every
    ), ["Had: what its group of processes was held to. Used: the client's CPU time over its time."])


def check_table(results: Results) -> Optional[Table]:
    """What a bare loop got of each share before the rows: run.json's cpu_shares."""
    found = results.run.get("cpu_shares")
    checks = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    def value(one: Dict, key: str, scale: float = 1) -> str:
        return number(one[key] * scale if is_number(one.get(key)) else None)
    lines = [[value(one, "asked", 100), value(one, "got", 100), value(one, "period_ms"),
              value(one, "throttled_periods"), value(one, "throttled_ms"),
              str(one.get("by") or NONE),
              links.join(str(one.get("status") or ""), str(one.get("reason") or ""))]
             for one in checks]
    return Table("The shares, as a bare loop got them before the rows", CHECKS, lines) \
        if lines else None


def build(results: Results) -> Section:
    found = papers_machine(results)
    rows = select(results.rows, scenario=PAPER_SCENARIO)
    why = links.off_machine_notes(rows)
    if not found.every:
        text = ("none of its %d rows counts" % len(rows) if rows else
                "this folder has no row of scenario %s" % PAPER_SCENARIO)
        return Section(TITLE, ["%s: %s. %s" % (LEFT_OUT, text, " ".join(why))], [])
    lines = [errors_sentence(found), further_line(found), *why]
    tables = [calibration_table(found), *number_tables(found), check_table(results),
              share_table(found)]
    return Section(TITLE, [line for line in lines if line] + [table for table in tables if table],
                   [], LEAD)
