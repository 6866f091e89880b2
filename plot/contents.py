"""What a report holds, whichever look it takes: sections, caveats, and what did not count."""

from typing import Dict, List, NamedTuple, Sequence, Tuple

import links
import machine
from rows import Results, is_result, why_excluded
from section import Section

NOT_COMPARABLE = (
    "Absolute ms and MB/s cannot be compared with the paper's; relations, thread counts and "
    "roughly memory can. The paper had a 100 Mbit/s LAN and a Core2 6300 of 1.86 GHz with Windows "
    "XP. Here "
    "client and servers share one machine and %s.")
ON_LOOPBACK = "its loopback"
LINKED = "the emulated link that each table names"
CAVEATS = (
    "The servers run on the same machine as the client and take CPU from it; each row names its "
    "bottleneck.",
    "Tables 2 and 3 are closed-loop: a server sends as fast as the client takes, so they say "
    "nothing about latency. The specification is open-loop: records are sent on schedule, and "
    "latency counts from the scheduled moment.",
    "Each row is a client process of its own. Cells are medians over rows, spreads are min..max, "
    "no outlier is dropped. Overlapping ranges settle nothing; a difference of medians is not yet "
    "a verdict.",
    "Only rows with status ok and a passed byte audit count, and of the connection test those that "
    "failed in nothing but connecting. All others are listed.",
    "The paper does not say why connections failed, nor its round-trip time; loopback loses "
    "nothing.",
)
LABELLED = (
    "Rows with a label run one cell again under another name (A/A): they stand in no table of the "
    "paper's, and show how often two equal cells seem to differ.")


class Report(NamedTuple):
    """Everything that every look needs."""

    results: Results
    summary: Section
    sections: List[Section]  # the summary is not among them
    origin: machine.Provenance
    excluded: List[str]

    @property
    def counted(self) -> int:
        """How many rows count."""
        return sum(map(is_result, self.results.rows))


def not_comparable(results: Results) -> str:
    """The first thing to know, before any number."""
    linked = any(links.link_of(row) != links.LOOPBACK for row in results.rows)
    return NOT_COMPARABLE % (LINKED if linked else ON_LOOPBACK)


def caveats(results: Results) -> List[str]:
    """How to read the report."""
    labelled = any(row.get("label") for row in results.rows)
    return list(CAVEATS) + ([LABELLED] if labelled else [])


def lists(report: Report, undrawn: Sequence[str]) -> List[Tuple[str, str, Sequence[str]]]:
    """What is not in the tables and figures: (anchor, title, lines) of each list that has any."""
    every = (("undrawn", "Figures left out", undrawn),
             ("excluded", "Rows that do not count", report.excluded),
             ("problems", "Left out of the folder's files", report.results.problems))
    return [entry for entry in every if entry[2]]


def excluded(results: Results) -> List[str]:
    """Skipped and failed rows with their reasons, equal ones together."""
    counts: Dict[Tuple[str, str], int] = {}
    for row in results.rows:
        if not is_result(row):
            where = "/".join(part for part in (row["scenario"], row["section"]) if part)
            what = " ".join(part for part in (where, row["client"], row["cell"]) if part)
            key = (what, why_excluded(row))
            counts[key] = counts.get(key, 0) + 1
    return ["%s (%d row%s): %s" % (what, count, "" if count == 1 else "s", why)
            for (what, why), count in counts.items()]
