"""The contents of a report in any format: sections, caveats, and the rows left out."""

from collections import Counter
from typing import Callable, List, NamedTuple, Sequence, Tuple

import links
import machine
from places import PAPER, is_on_hosts, machine_of
from rows import Results, Row, is_result, why_excluded
from section import Section

NOT_COMPARABLE = (
    "Absolute ms and MB/s cannot be compared with the paper's; ratios, thread counts and, roughly, "
    "memory can. The paper had a 100 Mbit/s LAN and a Core2 6300 of 1.86 GHz with Windows XP. "
    "Here, %s.")
EMULATED = (
    "The paper had a 100 Mbit/s LAN and a Core2 6300 of 1.86 GHz with Windows XP. Here a LAN is "
    "emulated and the client held to a share of one processor; caches, memory, system are this "
    "machine's.")
ON_LOOPBACK = "client and servers share one machine and its loopback"
LINKED = "client and servers share one machine and the emulated link named in each table"
ON_HOSTS = "the servers are on other computers, on a real network"
SHARED = (
    "The servers run on the same machine as the client and take CPU from it; each row names its "
    "bottleneck.")
APART = (
    "The servers run on other computers, so their speed and their network are part of each number. "
    "Section Hosts says which they were, how they started, and whether one of them was slower than "
    "the others. A latency is a difference of two clocks: the measured difference of the clocks is "
    "taken off, and what may be left of it stands beside the latencies.")
CAVEATS = (
    "Tables 2 and 3 are closed-loop: a server sends as fast as the client receives, so they do not "
    "measure latency. The specification is open-loop: records are sent on schedule, and latency "
    "counts from the scheduled time.",
    "Each row is a separate client process. Cells are medians of rows with min..max; no outlier is "
    "dropped. Where ranges overlap, a difference of medians shows nothing.",
    "Only rows with status ok and a passed byte audit count, and connection tests in which only "
    "connects failed. All others are listed.",
    "The paper states neither why connections failed nor its round-trip time. Loopback loses no "
    "packets.",
)
ON_PAPERS_MACHINE = (
    "On the paper's machine the client has a share of one processor, in slices: within a slice it "
    "runs at full speed. So caches, memory and interrupts are this machine's, and so are the "
    "servers and the link. A number that the machine was calibrated on proves nothing.")
LABELLED = (
    "Rows with a label repeat a cell under another name (A/A comparison). The paper's tables "
    "exclude them; they show how often two equal cells seem to differ.")


class Report(NamedTuple):
    """The contents of a report."""

    results: Results
    summary: Section
    sections: List[Section]  # without the summary
    origin: machine.Provenance
    excluded: List[str]

    @property
    def counted(self) -> int:
        return sum(map(is_result, self.results.rows))


def not_comparable(results: Results) -> str:
    """What a reader must know before the first number of tables at full speed."""
    near = [row for row in results.rows if not is_on_hosts(row)]
    linked = any(links.link_of(row) != links.LOOPBACK for row in near)
    words = [ON_HOSTS] * (len(near) < len(results.rows))
    words += [LINKED if linked else ON_LOOPBACK] * bool(near or not words)
    return NOT_COMPARABLE % "; or ".join(words)


def caveats(results: Results) -> List[str]:
    labelled = any(row.get("label") for row in results.rows)
    emulated = any(machine_of(row) == PAPER for row in results.rows if is_result(row))
    apart = sum(map(is_on_hosts, results.rows))
    where = [SHARED] * (apart < len(results.rows) or not apart) + [APART] * bool(apart)
    return where + list(CAVEATS) + [ON_PAPERS_MACHINE] * emulated + [LABELLED] * labelled


def lists(report: Report, undrawn: Sequence[str]) -> List[Tuple[str, str, Sequence[str]]]:
    """What the tables and figures exclude: (anchor, title, lines) of each list with lines."""
    every = (("undrawn", "Figures left out", undrawn),
             ("excluded", "Rows that do not count", report.excluded),
             ("problems", "Unusable lines and files", report.results.problems))
    return [entry for entry in every if entry[2]]


def excluded(results: Results) -> List[str]:
    """Skipped and failed rows by cell and reason."""
    def cell(row: Row) -> str:
        where = "/".join(filter(None, (row["scenario"], row["section"])))
        return " ".join(filter(None, (where, row["client"], row["cell"])))
    return counted_lines(results, cell)


def reasons(results: Results) -> List[str]:
    """The same by scenario and reason: short enough for a terminal."""
    return counted_lines(results, lambda row: row["scenario"])


def counted_lines(results: Results, name: Callable[[Row], str]) -> List[str]:
    counts = Counter((name(row), why_excluded(row)) for row in results.rows if not is_result(row))
    return ["%s (%d row%s): %s" % (what, count, "" if count == 1 else "s", why)
            for (what, why), count in counts.items()]
