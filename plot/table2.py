"""Table 2: large data by receive-buffer scheme, in two interpretations of the paper."""

from collections import Counter
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import links
import paper
from rows import Results, Row, group_by
from section import (KB_TO_MB, Figure, Section, data_block, data_line, file_name, has_interval,
                     interval_note, interval_text, left_out, measured, median_of, numbered,
                     overlap, point, range_text, usable, whiskers, with_label)
from stats import Interval, Spread, spread
from tables import NONE, Column, Table, exact, number, percent, ratio

TITLE = "Table 2. Large data"
SCENARIO = "table2"
READINGS = {"one-record": "read as one record per server",
            "many-records": "read as many records per server"}
MEMORY = "committed_kb"  # what the paper's system calls peak memory
CEILINGS = ("drain", "raw")
NAMES = {"fixed": "fixed (paper 1)", "ring": "ring (paper 2)", "chain": "chain (paper 3)",
         "drain": "drain (ceiling)", "raw": "raw (ceiling)"}
COLUMNS = (Column("scheme", left=True),
           Column("paper", "time, ms"), Column("here", "time, ms"), Column("ratio", "time, ms"),
           Column("paper", "committed, kB"), Column("here", "committed, kB"),
           Column("ratio", "committed, kB"),
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


def claim_of(scheme: str) -> paper.Buffering:
    """The paper's line, or one without numbers."""
    return paper.table2().get(scheme) or paper.Buffering(None, None, None)


def exact_range(found: Union[Spread, Interval, None]) -> str:
    """`low..high` in whole numbers, or the one value."""
    return "..".join(map(exact, sorted({found.low, found.high}))) if found else NONE


def cell_lines(scheme: str, rows: Sequence[Row]) -> List[List[str]]:
    """A scheme's medians, then min..max and, with enough runs, the medians' intervals."""
    claim = claim_of(scheme)
    time, memory = measured(rows, "elapsed_ms"), measured(rows, MEMORY)
    threads = measured(rows, "buffer_threads")
    lines = [[NAMES.get(scheme, scheme),
              number(claim.time_ms), number(median_of(time)),
              ratio(median_of(time), claim.time_ms),
              exact(claim.peak_memory_kb), exact(median_of(memory)),
              ratio(median_of(memory), claim.peak_memory_kb),
              exact(claim.buffer_threads), exact(median_of(threads)), str(len(rows))],
             ["  min..max", "", range_text(time), "", "", exact_range(memory), "", "",
              exact_range(threads), ""]]
    if has_interval(time) or has_interval(memory):
        lines.append(["  95 %", "", interval_text(time), "", "",
                      exact_range(memory and memory.interval)] + [""] * 4)
    return lines


def bottleneck(rows: Sequence[Row]) -> str:
    """The most frequent bottleneck, and in how many runs if not in all."""
    if not rows:
        return NONE
    name, count = Counter(row["bottleneck"] for row in rows).most_common(1)[0]
    return (name or "none named") + ("" if count == len(rows) else " %d/%d" % (count, len(rows)))


def share_line(scheme: str, cells: Cells) -> List[str]:
    """A scheme's throughput and cost as shares of the ceilings."""
    def shares(key: str, scale: float) -> List[str]:
        own = median_of(measured(cells.get(scheme, []), key))
        return [number(own * scale if own is not None else None)] + [
            percent(own, median_of(measured(cells.get(ceiling, []), key))) for ceiling in CEILINGS]
    rows = cells.get(scheme, [])
    return [scheme] + shares("bytes_per_s", 1e-6) + shares("gb_per_cpu_s", 1) + [
        number(median_of(measured(rows, "buffer_peak_bytes"), 1e-6)),
        number(median_of(measured(rows, "copies_per_byte"))),
        number(median_of(measured(rows, "receives_per_frame"))), bottleneck(rows)]


# ---- compared with the wire ----


def wire_line(scheme: str, rows: Sequence[Row]) -> List[str]:
    """A scheme's time as a multiple of the wire time, and its CPU time."""
    claim, times = claim_of(scheme), links.times_texts(spread(links.times_of_wire(rows)))
    theirs = links.wire_ms(paper.TABLE2_BYTES, paper.LINK_BITS_PER_S)
    cpu = median_of(measured(rows, "gb_per_cpu_s"))
    return [NAMES.get(scheme, scheme), number(claim.time_ms), ratio(claim.time_ms, theirs),
            number(median_of(measured(rows, "elapsed_ms"))), *times,
            number(1 / cpu if cpu else None), number(median_of(measured(rows, "link_cpu_s"))),
            str(len(rows))]


def wire_table(title: str, cells: Cells) -> Optional[Table]:
    """Each scheme's time as a multiple of the wire time; None on a link without a rate."""
    rows = [row for members in cells.values() for row in members if links.rate_of(row)]
    if not rows:
        return None
    schemes = [name for name in order(cells) if cells.get(name)]
    def wire(size: float, rate: float) -> str:
        return "%s MB at %s, %s ms" % (number(size / 1e6), links.rate_text(rate),
                                       number(links.wire_ms(size, rate)))
    return Table(title, WIRE, [wire_line(scheme, cells[scheme]) for scheme in schemes], [
        "Wire time here: %s. In the paper: %s." % (
            wire(rows[0]["bytes"], links.rate_of(rows[0])),
            wire(paper.TABLE2_BYTES, paper.LINK_BITS_PER_S)), links.WIRE_NOTE])


# ---- compared with the paper ----


def against(cells: Cells, other: str) -> Optional[str]:
    """chain compared with another scheme, by relative changes here and in the paper."""
    claims = paper.table2()
    parts = []
    for what, key, claim in (("time", "elapsed_ms", lambda c: c.time_ms),
                             ("memory", MEMORY, lambda c: c.peak_memory_kb)):
        ours, theirs = measured(cells.get("chain", []), key), measured(cells.get(other, []), key)
        if not ours or not theirs:
            continue
        parts.append("%s %s (paper %s)%s" % (
            what, change(theirs.median, ours.median), change(claim(claims[other]),
                                                             claim(claims["chain"])),
            ", ranges overlap" if overlap(ours, theirs) else ""))
    return "chain against %s: %s." % (other, "; ".join(parts)) if parts else None


def change(old: float, new: float) -> str:
    """The relative change in percent, with its sign."""
    return "%+.1f %%" % (100 * (new / old - 1))


def what_was_sent(rows: Sequence[Row]) -> str:
    """The servers and what they sent."""
    row = rows[0]
    sizes = ["%g" % (size / 1000) for size in sorted({row["size_min"], row["size_max"]})]
    return "%d servers, each sends %d record%s of %s kB" % (
        row["servers"], row["frames_per_server"], "" if row["frames_per_server"] == 1 else "s",
        "..".join(sizes))


def bars(scheme: str, cells: Cells) -> List[Optional[float]]:
    """A scheme's numbers in the figure, in the order of BARS."""
    claims = paper.table2()
    claim, rows = claims[scheme], cells.get(scheme, [])
    time, memory = measured(rows, "elapsed_ms"), measured(rows, MEMORY)
    base = measured(cells.get("fixed", []), "elapsed_ms")
    return [100 * claim.time_ms / claims["fixed"].time_ms, claim.time_ms,
            *point(base and time, 100 / base.median if base else 1), median_of(time),
            claim.peak_memory_kb * KB_TO_MB, *point(memory, KB_TO_MB), claim.buffer_threads,
            median_of(measured(rows, "buffer_threads"))]


def highest(lines: Sequence[Sequence[Optional[float]]], *places: int) -> float:
    """The maximum of some columns of the figure's data: all readings share an axis."""
    return max([line[place] for line in lines for place in places if line[place] is not None],
               default=1)


def figure(label: str, name: str, readings: Dict[str, Cells]) -> Figure:
    lines = {reading: [bars(scheme, cells) for scheme in paper.table2()]
             for reading, cells in readings.items()}
    data = "".join(data_block("%s: %s" % (reading, BARS), [
        data_line(scheme, *values) for scheme, values in zip(paper.table2(), found)])
        for reading, found in lines.items())
    every = [values for found in lines.values() for values in found]
    sent = [what_was_sent(every_row(cells)) for cells in readings.values()]
    settings = {"READINGS": len(readings), "SCHEMES": " ".join(paper.table2()),
                "RUNS": whiskers(cells.get(scheme, []) for cells in readings.values()
                                 for scheme in paper.table2()),
                "TIME_MAX": highest(every, 0, 4), "MEMORY_MAX": highest(every, 6, 9),
                "THREADS_MAX": highest(every, 10, 11), **numbered("READING", sent)}
    return Figure(file_name("table2", name), "table2", (960, 124 + 296 * len(readings)), settings,
                  data, "Table 2. Time, committed memory and buffering threads by scheme",
                  " ".join("%s: %s." % (words, described(found))
                           for words, found in zip(sent, lines.values())), label)


def described(lines: Sequence[Sequence[Optional[float]]]) -> str:
    return "; ".join("%s %s ms, %s MB, threads %s (paper %s, %s, %s)" % (
        scheme, number(values[5]), number(values[7]), exact(values[11]), number(values[1]),
        number(values[6]), exact(values[10])) for scheme, values in zip(paper.table2(), lines))


def tables(reading: str, label: str, cells: Cells) -> List[Table]:
    """The tables of one interpretation: compared with the paper, the wire and the ceilings."""
    schemes, rows = order(cells), every_row(cells)
    title = "%s, %s: %s" % (with_label(TITLE, label),
                            READINGS.get(reading, reading or "no section"), what_was_sent(rows))
    lines = [line for scheme in schemes for line in cell_lines(scheme, cells.get(scheme, []))]
    notes = [note for note in (against(cells, other) for other in ("fixed", "ring")) if note]
    notes += links.fallback_notes(rows) + [
        "Time: from the first byte received to the last record processed.", resident_note(cells),
    ] + interval_note(
            measured(members, "elapsed_ms") for members in cells.values())
    share_notes = ["drain receives through the port and discards. raw is a loop of receives into "
                   "one buffer, without the port. Shares are of their medians."]
    wire = wire_table("The same runs compared with the wire", cells)
    return [Table(title, COLUMNS, lines, notes)] + ([wire] if wire else []) + [
        Table("The same runs compared with the ceilings", SHARES,
              [share_line(scheme, cells) for scheme in schemes if cells.get(scheme)],
              share_notes + missing_note(cells))]


def resident_note(cells: Cells) -> str:
    """What the memory that is compared is, and the resident set beside it."""
    found = {scheme: measured(cells.get(scheme, []), "peak_rss_kb") for scheme in order(cells)}
    known = ["%s %s" % (scheme, exact(one.median)) for scheme, one in found.items() if one]
    return ("Committed: the buffers as allocated and the process's base. Resident at most, kB: %s."
            % (", ".join(known) or "not known"))


def missing_note(cells: Mapping[str, Any]) -> List[str]:
    missing = [ceiling for ceiling in CEILINGS if not cells.get(ceiling)]
    return ["No result of %s in this folder." % " and ".join(missing)] if missing else []


def every_row(cells: Cells) -> List[Row]:
    return [row for rows in cells.values() for row in rows]


def build(results: Results) -> Section:
    """For each link and set of options: tables for each interpretation, and one figure."""
    rows = usable(results, SCENARIO)
    if not rows:
        return left_out(TITLE, results, SCENARIO)
    section = Section(TITLE, [], [])
    for label, name, members in links.by_variant(rows, ("section", "scheme"), ("raw",)):
        sections = group_by(members, "section")
        readings = {reading: group_by(sections[reading], "scheme")
                    for reading in sorted(sections, key=reading_place)}
        for reading, cells in readings.items():
            section.blocks.extend(tables(reading, label, cells))
        section.figures.append(figure(label, name, readings))
    return section


def reading_place(reading: str) -> Tuple[int, str]:
    """Sorts the default reading first."""
    names = list(READINGS)
    return names.index(reading) if reading in names else len(names), reading
