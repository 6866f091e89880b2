"""The summary on one screen: Tables 1 to 3 as paper / here / ratio, paper B's case, and the claims'
verdicts."""

from typing import List, Optional, Sequence, Tuple, Union

import claims
import links
import paper
import predicted
import screens
import table1
import table2
import table3
from contents import EMULATED, not_comparable
from places import at_full_speed
from rows import Results, Row, group, grouped, is_of_screens, variants
from section import (KB_TO_MB, MEGA, Section, measured, median_of, range_text, run_counts, shorten,
                     usable)
from tables import Column, Table, exact, number, ratio
from texts import WrongFile
from verdict import PAPER_LINK, primary

TITLE = "Summary. The paper's tables and claims, measured here"
LEAD = "Here: medians of n runs and their min..max. Ratio: here / paper."
PAPER_LEAD = (
    "Here: medians; range: 95 % interval, or min..max of few runs; err: here / paper - 1, "
    "c: calibrated on this number, p: predicted; full: at full speed, of which the report "
    "has the same tables.")
SCHEMES = ("fixed, ring: one buffer a connection. chain: linked blocks of a shared pool, the "
           "paper's proposal.")
CLAIM_MAX = 53     # columns of a claim's text
VERDICTS = (Column("id", left=True), Column("verdict", left=True), Column("claim", left=True),
            Column("paper"), Column("here"), Column("95 %"))


def compared(group_name: str, with_range: bool = True) -> Tuple[Column, ...]:
    """The heads of pair()'s cells."""
    names = ("paper", "here") + (("min..max",) if with_range else ()) + ("ratio",)
    return tuple(Column(name, group_name) for name in names)


def pair(rows: Sequence[Row], key: str, claim: Optional[float], scale: float = 1,
         with_range: bool = True) -> List[str]:
    """The paper's number, our median times `scale`, its range, and the ratio."""
    found = measured(rows, key)
    own = median_of(found, scale)
    return [number(claim), number(own)] + ([range_text(found, scale)] if with_range else []) + [
        ratio(own, claim)]


def chosen(rows: Sequence[Row], axes: Sequence[str]) -> Tuple[str, List[Row]]:
    """The rows on the paper's kind of network, or else on the first link, and the link's
    description. If options differ within a cell, the first variant."""
    on_links = links.by_link(rows)
    members = dict(on_links).get(PAPER_LINK) or on_links[0][1]
    label, first = variants(members, axes)[0]
    return links.join(links.describe(first[0]), label), first


# ---- the three tables ----


def connects(results: Results, words: str) -> Optional[Table]:
    """Table 1. `words` stand before the link."""
    rows = at_full_speed(usable(results, table1.SCENARIO))
    if not rows:
        return None
    where, members = chosen(rows, ("connect", "workers"))
    cells = group(members, ("connect", "workers"))
    lines = []
    for (mode, workers), claim in paper.table1().items():
        cell = cells.get((mode, workers), [])
        lines.append([table1.CALLS[mode], str(workers), *pair(cell, "connect_ms", claim.time_ms),
                      "%d/%d" % (claim.succeeded, claim.connections), table1.succeeded(cell),
                      str(len(cell))])
    return Table("Table 1. Time to connect to 200 servers, %s %s" % (words, where), (
        Column("connects", left=True), Column("workers"), *compared("time, ms"),
        Column("paper", "succeeded"), Column("here", "succeeded"), Column("n")), lines)


def large_data(results: Results, words: str) -> Optional[Table]:
    """Table 2, in both interpretations of what the paper's servers sent."""
    claimed = paper.table2()
    rows = [row for row in at_full_speed(usable(results, table2.SCENARIO))
            if row["scheme"] in claimed]
    if not rows:
        return None
    where, members = chosen(rows, ("section", "scheme"))
    lines: List[Optional[List[str]]] = []
    for reading in sorted({row["section"] for row in members}, key=table2.reading_place):
        cells = {scheme: [row for row in members if row["section"] == reading
                          and row["scheme"] == scheme] for scheme in claimed}
        sent = next(cell[0] for cell in cells.values() if cell)["frames_per_server"]
        for scheme, cell in cells.items():
            claim = claimed[scheme]
            lines.append([
                "%s, %d record%s" % (scheme, sent, "" if sent == 1 else "s"),
                *pair(cell, "elapsed_ms", claim.time_ms),
                *pair(cell, table2.MEMORY, claim.peak_memory_kb * KB_TO_MB, KB_TO_MB, False),
                exact(claim.buffer_threads), exact(median_of(measured(cell, "buffer_threads"))),
                str(len(cell))])
    return Table("Table 2. 30 servers send 1.25 MiB each, %s %s" % (words, where), (
        Column("scheme, records a server", left=True), *compared("time, ms"),
        *compared("committed, MB", False), Column("paper", "buffer threads"),
        Column("here", "buffer threads"), Column("n")), lines, [SCHEMES])


def throughput(results: Results, words: str) -> Optional[Table]:
    rows = at_full_speed(table3.grid_rows(usable(results, table3.SCENARIO)))
    if not rows:
        return None
    where, members = chosen(rows, ("workers", "concurrency"))
    cells = group(members, ("workers", "concurrency"))
    claimed = paper.table3()
    lines = []
    for workers in sorted({cell[0] for cell in claimed}):
        line = [str(workers)]
        for cell in table3.paper_cells(workers):
            line += pair(cells.get(cell, []), "bytes_per_s", claimed[cell] * MEGA if cell in claimed
                         else None, MEGA) if cell else [""] * 4
        lines.append(line)
    heads = [column for name in ["C = %d" % limit for limit in table3.LIMITS] + ["C = W"]
             for column in compared(name)]
    return Table("Table 3. MB/s, W workers of which C run at once, %s %s, %s" % (
        words, where, run_counts(cells.values())), (Column("W"), *heads), lines)


# ---- the verdicts ----


def verdicts(results: Results, paper_letter: str = "A") -> Union[str, Table]:
    """Those on one paper's claims."""
    try:
        every = claims.verdicts_of(results)
    except (WrongFile, OSError) as error:
        return "Verdicts: none, %s." % error
    found = [one for one in every if one.id.startswith(paper_letter)]
    if not found:
        return "Verdicts: none, no row is of a machine that a claim is judged on."
    if claims.has_paper(found):
        return claims.both_table(found)
    held = list(primary(found).values())
    home = held[0].place
    lines = []
    for one in held:
        fields = claims.line(one)
        lines.append([one.id, one.word, shorten(one.text, CLAIM_MAX)] + fields[3:6])
    away = ["%s %s" % (" ".join(one.id for one in ones), on) for on, ones in grouped(
        [one for one in held if one.place != home], lambda one: one.place.on).items()]
    where = home.link + (", but " + ", ".join(away) if away else "")
    return Table("Verdicts on %s. Paper, here: the ratio or count that decides; 95 %%: interval"
                 % where, VERDICTS, lines)


def elsewhere(results: Results, found: predicted.Papers) -> List[str]:
    """What only the report shows, and the rows that fell back to another link."""
    rows = at_full_speed([row for scenario in (table1.SCENARIO, table2.SCENARIO, table3.SCENARIO)
                          for row in usable(results, scenario)])
    names = [name for name, _ in links.by_link(rows)]
    said = list(filter(None, [predicted.further_line(found)])) + links.fallback_notes(rows)
    if not found.every and PAPER_LINK in names and names != [PAPER_LINK]:
        said.append("The report also has %s." % ", ".join(
            name for name in names if name != PAPER_LINK))
    return said


def lead(results: Results, found: predicted.Papers) -> str:
    """What a reader must know before the first number; then, a line each, what was calibrated and
    how far the predictions are off."""
    if not found.every:
        return "%s %s" % (not_comparable(results), LEAD)
    return "\n".join(filter(None, (
        "%s %s" % (EMULATED, PAPER_LEAD), predicted.calibrated_line(found),
        predicted.errors_line(found))))


def of_screens(results: Results) -> List[Union[str, Table]]:
    """Paper B's part: its case and its verdicts, or why there are none; [] if nobody asked."""
    table = screens.summary_table(results)
    why = [] if table else [screens.not_run(results)]
    any_row = any(map(is_of_screens, results.rows))
    return [*filter(None, [table, *why])] + [verdicts(results, "B")] * any_row


def all_verdicts(results: Results) -> List[Union[str, Table]]:
    """Those of the papers of which anything ran here."""
    of_a = [verdicts(results)] * any(not is_of_screens(row) for row in results.rows)
    return of_a + [verdicts(results, "B")] * any(map(is_of_screens, results.rows))


def build(results: Results) -> Section:
    """The tables on the paper's machine; at full speed those that are not there. Then paper B's."""
    if all(map(is_of_screens, results.rows)):
        return Section(TITLE, of_screens(results), [], screens.LEAD)
    found = predicted.papers_machine(results)
    blocks: List[Union[str, Table]] = list(filter(None, [predicted.reason_line(results)]))
    words = "at full speed on" if found.every else "on"
    for name, on_paper, at_full in (
            ("Table 1", predicted.screen_connects, connects),
            ("Table 2", predicted.screen_large_data, large_data),
            ("Table 3", predicted.screen_throughput, throughput)):
        blocks.append(on_paper(found) or at_full(results, words)
                      or "%s: no result in this folder." % name)
    return Section(TITLE, blocks + [verdicts(results)] + elsewhere(results, found)
                   + of_screens(results), [], lead(results, found))
