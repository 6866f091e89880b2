"""Table 2: much data at once, by receive-buffer scheme, in two readings of the paper."""

from collections import Counter
from typing import Dict, List, Optional, Sequence, Tuple, Union

import links
import paper
from rows import Results, Row, group, variants
from section import (KB_TO_MB, Figure, Section, data_block, data_line, extent, file_name, left_out,
                     measured, middle, narrower, overlap, run_counts, sure, sure_note, usable,
                     with_label)
from stats import Interval, Spread, spread
from tables import NONE, Column, Table, exact, number, percent, ratio

TITLE = "Table 2. Large data"
SCENARIO = "table2"
READINGS = {"one-record": "read as one record per server",
            "many-records": "read as many records per server"}
CEILINGS = ("drain", "raw")
NAMES = {"fixed": "fixed (paper 1)", "ring": "ring (paper 2)", "chain": "chain (paper 3)",
         "drain": "drain (ceiling)", "raw": "raw (ceiling)"}
COLUMNS = (Column("scheme", left=True),
           Column("paper", "time, ms"), Column("here", "time, ms"), Column("ratio", "time, ms"),
           Column("paper", "peak memory, kB"), Column("here", "peak memory, kB"),
           Column("ratio", "peak memory, kB"),
           Column("paper", "buffering threads"), Column("here", "buffering threads"), Column("n"))
SHARES = (Column("scheme", left=True), Column("MB/s", "throughput"),
          Column("of drain", "throughput"), Column("of raw", "throughput"),
          Column("GB", "per client CPU second"), Column("of drain", "per client CPU second"),
          Column("of raw", "per client CPU second"), Column("MB", "buffers"),
          Column("a byte", "copies"), Column("a record", "receives"),
          Column("bottleneck", left=True))
WIRE = (Column("scheme", left=True), Column("time, ms", "the paper"),
        Column("of wire", "the paper"), Column("time, ms", "here"), Column("of wire", "here"),
        Column("min..max", "here"), Column("client, a GB", "CPU seconds"),
        Column("link, in all", "CPU seconds"), Column("n"))
BARS = ("scheme, paper's time % of fixed, ms, our time % of fixed: median min max, ms, "
        "paper's memory MB, ours: median min max, paper's threads, ours")

Cells = Dict[str, List[Row]]


def order(cells: Cells) -> List[str]:
    """The paper's schemes first, in its order, then any other, then the ceilings."""
    first = list(paper.table2())
    rest = sorted(name for name in cells if name not in first and name not in CEILINGS)
    return first + rest + [name for name in CEILINGS if name in cells]


def exact_extent(found: Union[Spread, Interval, None]) -> str:
    """From low to high in whole numbers, or the one value."""
    if not found:
        return NONE
    if found.low == found.high:
        return exact(found.low)
    return exact(found.low) + ".." + exact(found.high)


def cell_lines(scheme: str, rows: Sequence[Row]) -> List[Optional[List[str]]]:
    """A scheme's medians, below them its min..max and, with runs enough, their intervals."""
    claim = paper.table2().get(scheme)
    time, memory = measured(rows, "elapsed_ms"), measured(rows, "peak_rss_kb")
    threads = measured(rows, "buffer_threads")
    lines = [[NAMES.get(scheme, scheme),
              number(claim.time_ms) if claim else NONE, number(middle(time)),
              ratio(middle(time), claim.time_ms if claim else None),
              exact(claim.peak_memory_kb) if claim else NONE, exact(middle(memory)),
              ratio(middle(memory), claim.peak_memory_kb if claim else None),
              exact(claim.buffer_threads) if claim else NONE, exact(middle(threads)),
              str(len(rows))],
             ["  min..max", "", extent(time), "", "", exact_extent(memory), "", "",
              exact_extent(threads), ""]]
    if narrower(time) or narrower(memory):
        lines.append(["  95 %", "", sure(time), "", "", exact_extent(memory and memory.sure),
                      "", "", "", ""])
    return lines


def bottleneck(rows: Sequence[Row]) -> str:
    """What most runs name, and how many do if not all."""
    if not rows:
        return NONE
    name, count = Counter(row["bottleneck"] for row in rows).most_common(1)[0]
    return (name or "none named") + ("" if count == len(rows) else " %d/%d" % (count, len(rows)))


def share_line(scheme: str, cells: Cells) -> List[str]:
    """What a scheme makes of the machine, beside receiving alone."""
    def shares(key: str, scale: float) -> List[str]:
        own = middle(measured(cells.get(scheme, []), key))
        return [number(own * scale if own is not None else None)] + [
            percent(own, middle(measured(cells.get(ceiling, []), key))) for ceiling in CEILINGS]
    rows = cells.get(scheme, [])
    return [scheme] + shares("bytes_per_s", 1e-6) + shares("gb_per_cpu_s", 1) + [
        number(middle(measured(rows, "buffer_peak_bytes"), 1e-6)),
        number(middle(measured(rows, "copies_per_byte"))),
        number(middle(measured(rows, "receives_per_frame"))), bottleneck(rows)]


# ---- beside the wire ----


def wire_line(scheme: str, rows: Sequence[Row]) -> List[str]:
    """How much of a scheme's time is wire, and what it costs the client beside it."""
    claim, times = paper.table2().get(scheme), links.times_texts(spread(links.times_of_wire(rows)))
    theirs = links.wire_ms(paper.TABLE2_BYTES, paper.LINK_BITS_PER_S)
    cpu = middle(measured(rows, "gb_per_cpu_s"))
    return [NAMES.get(scheme, scheme), number(claim.time_ms) if claim else NONE,
            ratio(claim.time_ms if claim else None, theirs),
            number(middle(measured(rows, "elapsed_ms"))), *times,
            number(1 / cpu if cpu else None), number(middle(measured(rows, "link_cpu_s"))),
            str(len(rows))]


def wire_table(title: str, cells: Cells) -> Optional[Table]:
    """Each scheme's time as a multiple of what the wire alone takes; None without a rate."""
    rows = [row for members in cells.values() for row in members if links.rate_of(row)]
    if not rows:
        return None
    schemes = [name for name in order(cells) if cells.get(name)]
    notes = ["The wire alone: %s ms at %s. %s" % (
        number(links.wire_ms(rows[0]["bytes"], links.rate_of(rows[0]))),
        links.rate_text(links.rate_of(rows[0])), links.WIRE_NOTE)]
    notes.append("The paper's: %s MB at %s, %s ms." % (
        number(paper.TABLE2_BYTES / 1e6), links.rate_text(paper.LINK_BITS_PER_S),
        number(links.wire_ms(paper.TABLE2_BYTES, paper.LINK_BITS_PER_S))))
    return Table(title, WIRE, [wire_line(scheme, cells[scheme]) for scheme in schemes], notes)


# ---- beside the paper ----


def against(cells: Cells, other: str) -> Optional[str]:
    """chain beside another scheme: a relation that another machine and network leave comparable."""
    claims = paper.table2()
    parts = []
    for what, key, claim in (("time", "elapsed_ms", lambda c: c.time_ms),
                             ("peak memory", "peak_rss_kb", lambda c: c.peak_memory_kb)):
        ours, theirs = measured(cells.get("chain", []), key), measured(cells.get(other, []), key)
        if not ours or not theirs:
            return None
        parts.append("%s %s (paper %s)%s" % (
            what, change(theirs.median, ours.median), change(claim(claims[other]),
                                                             claim(claims["chain"])),
            ", ranges overlap" if overlap(ours, theirs) else ""))
    return "chain against %s: %s." % (other, "; ".join(parts))


def change(old: float, new: float) -> str:
    """From one value to another in percent, with its sign."""
    return "%+.1f %%" % (100 * (new / old - 1))


def what_was_sent(rows: Sequence[Row]) -> str:
    """The experiment's size, from the rows themselves."""
    row = rows[0]
    size = "%g" % (row["size_min"] / 1000) if row["size_min"] == row["size_max"] else \
        "%g..%g" % (row["size_min"] / 1000, row["size_max"] / 1000)
    return "%d servers, each sends %d record%s of %s kB" % (
        row["servers"], row["frames_per_server"], "" if row["frames_per_server"] == 1 else "s",
        size)


def relative(found: Optional[Spread], base: Optional[Spread]) -> List[Optional[float]]:
    """Median, min and max in percent of another cell's median."""
    if not found or not base:
        return [None, None, None]
    return [100 * value / base.median for value in (found.median, found.low, found.high)]


def bars(scheme: str, cells: Cells) -> List[Optional[float]]:
    """A scheme's numbers in the figure: the paper's beside ours, as BARS names them."""
    claims = paper.table2()
    claim, rows = claims[scheme], cells.get(scheme, [])
    time, memory = measured(rows, "elapsed_ms"), measured(rows, "peak_rss_kb")
    base = measured(cells.get("fixed", []), "elapsed_ms")
    mega = [value * KB_TO_MB for value in (memory.median, memory.low, memory.high)] if memory \
        else [None] * 3
    return [100 * claim.time_ms / claims["fixed"].time_ms, claim.time_ms, *relative(time, base),
            middle(time), claim.peak_memory_kb * KB_TO_MB, *mega, claim.buffer_threads,
            middle(measured(rows, "buffer_threads"))]


def highest(lines: Sequence[Sequence[Optional[float]]], *places: int) -> float:
    """Of some columns of the figure's data: all readings share an axis, so that they compare."""
    return max([line[place] for line in lines for place in places if line[place] is not None],
               default=1)


def figure(label: str, name: str, readings: Dict[str, Cells]) -> Figure:
    """Three panels a reading: time, memory, threads."""
    lines = {reading: [bars(scheme, cells) for scheme in paper.table2()]
             for reading, cells in readings.items()}
    data = "".join(data_block("%s: %s" % (reading, BARS), [
        data_line(scheme, *values) for scheme, values in zip(paper.table2(), found)])
        for reading, found in lines.items())
    every = [values for found in lines.values() for values in found]
    runs = run_counts([len(cells.get(scheme, [])) for cells in readings.values()
                       for scheme in paper.table2()])
    settings = {"READINGS": len(readings), "SCHEMES": " ".join(paper.table2()),
                "RUNS": "median of %s, whiskers min..max" % runs,
                "TIME_MAX": highest(every, 0, 4), "MEMORY_MAX": highest(every, 6, 9),
                "THREADS_MAX": highest(every, 10, 11)}
    for i, cells in enumerate(readings.values(), 1):
        settings["READING%d" % i] = what_was_sent([r for rows in cells.values() for r in rows])
    return Figure(file_name("table2", name), "table2", (960, 124 + 296 * len(readings)), settings,
                  data, "Table 2. Time, peak memory and buffering threads by scheme",
                  " ".join("%s: %s." % (what_was_sent([r for rows in cells.values() for r in rows]),
                                        described(lines[reading]))
                           for reading, cells in readings.items()), label)


def described(lines: Sequence[Sequence[Optional[float]]]) -> str:
    """A reading's panels in words."""
    return "; ".join("%s %s ms, %s MB, threads %s (paper %s, %s, %s)" % (
        scheme, number(values[5]), number(values[7]), exact(values[11]), number(values[1]),
        number(values[6]), exact(values[10])) for scheme, values in zip(paper.table2(), lines))


def tables(reading: str, label: str, cells: Cells) -> List[Table]:
    """A reading's two tables: beside the paper, and beside the ceilings."""
    schemes = order(cells)
    title = "%s, %s: %s" % (
        with_label(TITLE, label), READINGS.get(reading, reading or "no section"),
        what_was_sent([row for rows in cells.values() for row in rows]))
    lines = [line for scheme in schemes for line in cell_lines(scheme, cells.get(scheme, []))]
    notes = [note for note in (against(cells, other) for other in ("fixed", "ring")) if note]
    notes += links.fallback_notes([row for rows in cells.values() for row in rows]) + [
        "Time: from the first byte received to the last record processed. Memory: peak resident "
        "set of the client's process."] + sure_note(
            measured(rows, "elapsed_ms") for rows in cells.values())
    missing = [ceiling for ceiling in CEILINGS if not cells.get(ceiling)]
    share_notes = ["drain receives through the port and discards; raw is a bare loop of receives "
                   "into one hot buffer. Shares are of their medians."]
    if missing:
        share_notes.append("No result of %s in this folder." % " and ".join(missing))
    wire = wire_table("The same runs beside the wire", cells)
    return [Table(title, COLUMNS, lines, notes)] + ([wire] if wire else []) + [
        Table("The same runs beside the ceiling", SHARES,
              [share_line(scheme, cells) for scheme in schemes if cells.get(scheme)],
              share_notes)]


def by_scheme(rows: Sequence[Row]) -> Cells:
    return {key[0]: members for key, members in group(rows, ("scheme",)).items()}


def build(results: Results) -> Section:
    """Table 2, for each link once for each reading that was run."""
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    section = Section(TITLE, [], [])
    for _, on_link in links.by_link(rows):
        add_link(section, *links.label_of(on_link, rows), on_link)
    return section


def add_link(section: Section, words: str, name: str, rows: Sequence[Row]) -> None:
    """The tables and figures of one link. The raw loop has no options to differ in."""
    raw = [row for row in rows if row["scheme"] == "raw"]
    rest = [row for row in rows if row["scheme"] != "raw"]
    for label, members in variants(rest, ("section", "scheme")) or [("", [])]:
        sections = group(members + raw, ("section",))
        readings = {reading: by_scheme(sections[reading,])
                    for reading in sorted((key[0] for key in sections), key=reading_place)}
        both = links.join(words, label)
        for reading, cells in readings.items():
            section.blocks.extend(tables(reading, both, cells))
        section.figures.append(figure(both, links.join(name, label), readings))


def reading_place(reading: str) -> Tuple[int, str]:
    """Sorts the default reading first."""
    names = list(READINGS)
    return names.index(reading) if reading in names else len(names), reading
