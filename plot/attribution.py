"""What limited each cell, and what its memory held: throughput as a share of the ceiling measured
in the same run, how busy client, servers and link were, and each scheme's predicted memory beside
its peak."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import links
import machine
import paper
from claims import short
from places import is_connection_test
from rows import Results, Row, group, grouped, is_result
from section import Section, range_text, measured, median_of
from stats import Spread, median
from tables import NONE, Column, Table, number, percent, ratio

TITLE = "Attribution. What limited each cell, and what its memory held"
CEILINGS = ("drain", "raw")
BUSY_SHARE = 0.85     # of the machine's time; the rows' bottleneck has the same limit
MEGA = 1e-6
NAME_MAX = 28         # columns of a cell's name
CELL = ("scenario", "section", "link", "client", "scheme", "cell", "workers", "concurrency",
        "engine", "label")
SHARES = (Column("cell", left=True), Column("MB/s"), Column("drain", "of the ceiling"),
          Column("raw", "of the ceiling"), Column("client", "share of its time"),
          Column("servers", "share of its time"), Column("link", "share of its time"),
          Column("machine", "share of its time"), Column("bottleneck", left=True), Column("n"))
MEMORY = (Column("cell", left=True), Column("predicted", "buffers, MB"),
          Column("peak", "buffers, MB"), Column("min..max", "buffers, MB"),
          Column("peak / predicted", "buffers, MB"), Column("MB", "peak memory"), Column("n"))


class Shares(NamedTuple):
    """The share of the elapsed time in which each was busy; None where it was not measured."""

    client: Optional[float]
    servers: Optional[float]
    link: Optional[float]
    machine: Optional[float]  # all together, on the processors that they share


# ---- cells ----


def rows_of(results: Results) -> List[Row]:
    """Results that moved data for a time, without the connection tests."""
    return [row for row in results.rows if is_result(row) and row["elapsed_ms"] and row["bytes"]
            and not is_connection_test(row)]


def tables_of(rows: Sequence[Row]) -> List[Tuple[str, List[List[Row]]]]:
    """Cells under their scenario, section and link."""
    ordered = sorted(rows, key=lambda row: (row["scenario"], row["section"], links.link_of(row),
                                            scheme_place(row["scheme"]), row["workers"],
                                            row["concurrency"], row["cell"]))
    return list(grouped(group(ordered, CELL).values(), lambda cell: "%s on %s" % (
        " ".join(filter(None, (cell[0]["scenario"], cell[0]["section"]))),
        links.link_of(cell[0]))).items())


def scheme_place(scheme: str) -> Tuple[bool, int, str]:
    """The paper's order, then others, then the ceilings."""
    known = list(paper.table2())
    return (scheme in CEILINGS, known.index(scheme) if scheme in known else len(known), scheme)


def name(row: Row) -> str:
    """A cell in a few words."""
    words = [row["scheme"], "W=%d" % row["workers"], "C=%d" % row["concurrency"]]
    if row["scheme"] == "raw":
        words = ["raw"]
    axes = [part for part in short(row["cell"]).split()
            if part.split("=")[0] not in ("scheme", "W", "C", "client", "link", "frames")]
    return " ".join(words + axes)[:NAME_MAX]


def ceiling(rows: Sequence[Row], row: Row, scheme: str) -> Optional[Spread]:
    """The best cell of one ceiling in the same scenario and on the same link: of the same section
    if it has one, otherwise of any with the same amount of data."""
    found = [one for one in rows if one["scheme"] == scheme
             and one["scenario"] == row["scenario"]
             and links.link_of(one) == links.link_of(row) and one["servers"] == row["servers"]]
    own = [one for one in found if one["section"] == row["section"]]
    same = [one for one in found if one["frames_per_server"] == row["frames_per_server"]
            and one["size_max"] == row["size_max"]]
    cells = [measured(members, "bytes_per_s") for members in group(own or same, CELL).values()]
    return max((cell for cell in cells if cell), key=lambda cell: cell.median, default=None)


# ---- the bottleneck ----


def shares(row: Row, cpus: Optional[float]) -> Shares:
    """From measured CPU, and from the time that the link's rate takes for the payload."""
    elapsed_s = row["elapsed_ms"] / 1e3
    client, servers, link = row["cpu_s"], row["server_cpu_s"], row.get("link_cpu_s") or 0
    processors = row.get("cpu_share") or min(row["concurrency"] or 1,
                                             cpus or row["concurrency"] or 1)
    rate = links.rate_of(row)
    return Shares(
        None if client is None else client / elapsed_s / processors,
        None if servers is None else servers / elapsed_s,
        links.wire_ms(row["bytes"], rate) / row["elapsed_ms"] if rate else None,
        None if client is None or servers is None or not cpus
        else (client + servers + link) / elapsed_s / cpus)


def bottleneck(row: Row, found: Shares) -> str:
    """The row's own; where that is unclear, the machine if all together kept it busy."""
    busy = found.machine is not None and found.machine > BUSY_SHARE
    return "machine" if busy and row["bottleneck"] == "unclear" else row["bottleneck"]


def votes(names: Sequence[str]) -> str:
    """What most runs name, and how many do if not all do."""
    most = max(set(names), key=lambda one: (names.count(one), one))
    return most if names.count(most) == len(names) else "%s %d/%d" % (most, names.count(most),
                                                                     len(names))


def share_text(values: Sequence[Optional[float]]) -> str:
    known = [value for value in values if value is not None]
    return percent(median(known), 1) if known else NONE


def share_line(members: Sequence[Row], rows: Sequence[Row], cpus: Optional[float]) -> List[str]:
    rate = measured(members, "bytes_per_s")
    found = [shares(row, cpus) for row in members]
    tops = [ceiling(rows, members[0], scheme) for scheme in CEILINGS]
    return [name(members[0]), number(median_of(rate, MEGA))] + [
        percent(median_of(rate), median_of(top)) for top in tops] + [
        share_text([getattr(one, party) for one in found]) for party in Shares._fields] + [
        votes([bottleneck(row, one) for row, one in zip(members, found)]), str(len(members))]


def share_tables(rows: Sequence[Row], cpus: Optional[float]) -> List[Table]:
    made = [Table("Shares of %s" % where, SHARES,
                  [share_line(members, rows, cpus) for members in cells])
            for where, cells in tables_of(rows)]
    if made:
        made[-1] = made[-1]._replace(notes=[
            "Of the ceiling: throughput over the best cell of drain and raw in the same experiment "
            "on the same link. Client: its CPU time over elapsed time and the processors that it "
            "may use; servers: their CPU time over elapsed time, on one thread; link: the time "
            "that the payload takes at its rate, over elapsed time, which begins with the first "
            "byte, so it may exceed 100 % a little; machine: all CPU time over elapsed time and "
            "processors.",
            "Bottleneck: as each row has it (results/README.md), or the machine if all together "
            "keep it busy for more than %.0f %%." % (100 * BUSY_SHARE)])
    return made


# ---- predicted memory ----


def memory_line(members: Sequence[Row]) -> List[str]:
    peak = measured(members, "buffer_peak_bytes")
    predicted = measured(members, "buffer_predicted_bytes")
    return [name(members[0]), number(median_of(predicted, MEGA)), number(median_of(peak, MEGA)),
            range_text(peak, MEGA), ratio(median_of(peak), median_of(predicted)),
            number(median_of(measured(members, "peak_rss_kb"), 1.024e-3)), str(len(members))]


def exceeding(cells: Sequence[Sequence[Row]]) -> str:
    """Runs that needed more than their scheme's formula predicts, which would refute it."""
    over = [row for members in cells for row in members
            if row["buffer_peak_bytes"] > row["buffer_predicted_bytes"]]
    if not over:
        return "No run needed more than its scheme's formula says."
    def factor(row: Row) -> float:
        return row["buffer_peak_bytes"] / max(1, row["buffer_predicted_bytes"])
    worst = max(over, key=factor)
    return "%d of %d runs needed more than the formula says, %s most (%sx)." % (
        len(over), sum(map(len, cells)), name(worst), number(factor(worst)))


def memory_tables(rows: Sequence[Row]) -> List[Table]:
    """Every cell of a scheme that has a formula."""
    known = [row for row in rows if row["buffer_predicted_bytes"] is not None
             and row["buffer_peak_bytes"] is not None]
    return [Table("Memory of buffers, %s" % where, MEMORY,
                  [memory_line(members) for members in cells], [exceeding(cells)])
            for where, cells in tables_of(known)]


def build(results: Results) -> Section:
    rows = rows_of(results)
    if not rows:
        return Section(TITLE, ["Left out: this folder has no row that moved data."], [])
    cpus = machine.quantity(machine.facts(results), "cpus")
    blocks = share_tables(rows, cpus) + memory_tables(rows)
    return Section(TITLE, list(blocks), [])
