"""The table of verdicts, the comparisons behind it, and `--require`."""

from typing import List, Optional, Sequence, Tuple, Union

import machine
from claim import Claim, load
from comparison import CONFIDENCE, RUNS_MIN, Comparison, Count, Evidence
from rows import Results, grouped
from section import Section
from stats import Interval
from tables import NONE, Column, Table, number
from texts import WrongFile
from verdict import (ALPHA, CONFIRMED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED, PAPER_LINK, Link,
                     Verdict, alarm_line, alarms, judge, primary)

TITLE = "Claims. What the paper says, and what this run found"
EVIDENCE = "Comparisons. Every one behind the verdicts"
WORDS = (CONFIRMED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED)
COLUMNS = (Column("id", left=True), Column("what decides", left=True), Column("verdict", left=True),
           Column("paper", "ratio or count"), Column("here", "ratio or count"),
           Column("%.0f %%" % (100 * CONFIDENCE), "ratio or count"), Column("n"), Column("p"),
           Column("see", left=True))
LINES = (Column("id", left=True), Column("what", left=True), Column("against", left=True),
         Column("n"), Column("here"), Column("%.0f %%" % (100 * CONFIDENCE)),
         Column("holds", "p, not adjusted"), Column("denied", "p, not adjusted"))
METHOD = (
    "Ratios are first / second cell: Hodges-Lehmann estimates over runs (a run is one process) "
    "with the interval of the exact Mann-Whitney test; n: runs of the smaller cell, at least %d. "
    "The paper's absolute numbers are not judged." % RUNS_MIN,
    "p: adjusted by Holm over all claims tested on the link; a claim with several comparisons is "
    "judged by its weakest. On each link the chance of any false confirmation is at most %g %%, "
    "and that of any false contradiction too." % (100 * ALPHA))


# ---- numbers ----


def ratio_text(value: Optional[float]) -> str:
    """Three decimals near 1, where 0.998 and 1 must differ; otherwise three digits."""
    if value is None:
        return NONE
    if 0.98 <= value < 1.02:
        return "%.3f" % value
    return "%.2f" % value if 0.0995 <= value < 9.995 else "%.2g" % value if value < 1 \
        else number(value)


def effect_text(found: Optional[Evidence]) -> str:
    """A ratio, a difference with its sign, or what was counted."""
    if found is None:
        return NONE
    if isinstance(found, Count):
        low, high = "%.6g" % min(found.a), "%.6g" % max(found.a)
        return low if low == high else "%s..%s" % (low, high)
    return ratio_text(found.effect) if found.is_ratio else "%+.3g" % found.effect


def interval_text(found: Optional[Evidence]) -> str:
    """The interval of effect_text()."""
    if not isinstance(found, Comparison) or found.interval is None:
        return NONE
    interval: Interval = found.interval
    if not found.is_ratio:
        return "%+.2g..%+.2g" % (interval.low, interval.high)
    low, high = ratio_text(interval.low), ratio_text(interval.high)
    return low if low == high else "%s..%s" % (low, high)


def paper_text(claim: Claim) -> str:
    """The paper's two numbers as their ratio; one number as it stands."""
    first, sign, second = claim.paper.partition("/")
    try:
        return ratio_text(float(first) / float(second)) if sign else claim.paper or NONE
    except (ValueError, ZeroDivisionError):
        return claim.paper


def p_text(p: Optional[float]) -> str:
    return NONE if p is None else "<0.001" if p < 0.001 else "%.3f" % p


# ---- the verdict table ----


def line(one: Verdict) -> List[str]:
    shown = one.shown
    return [one.id, shown.claim.what if shown else NONE, one.word,
            paper_text(shown.claim) if shown else NONE, effect_text(shown), interval_text(shown),
            str(shown.n) if shown else NONE, p_text(one.p), one.see]


def sentence(one: Verdict) -> str:
    return "%s: %s. %s%s." % (one.id, one.text, one.word.capitalize(),
                              ": " + one.why if one.why else "")


def title_of(link: Link, first: bool) -> str:
    """The network of a table, and whether its verdicts are the ones that count."""
    if link.ran == PAPER_LINK:
        return "On %s, the paper's kind of network" % link.ran
    if link.ran != link.asked:
        return "On %s%s" % (link.name, " (%s)" % link.reason.rstrip(".") if link.reason else "")
    return "On %s" % link.name + (", as there is no %s, the paper's kind of network" % PAPER_LINK
                                  if first else "")


def table(verdicts: Sequence[Verdict], told: Sequence[str], notes: Sequence[str]) -> Table:
    """One link's verdicts; the claims in `told` already stand in words above."""
    words = [sentence(one) if one.id not in told else "%s: %s." % (one.id, one.why)
             for one in verdicts if one.id not in told or one.why]
    return Table(title_of(verdicts[0].link, not told), COLUMNS, [line(one) for one in verdicts],
                 words + list(notes))


def lead(verdicts: Sequence[Verdict]) -> str:
    """The first sentence of the first screen."""
    held = primary(verdicts)
    by_word = {word: [one.id for one in held.values() if one.word == word] for word in WORDS}
    text = "; ".join("%s: %s" % (word, " ".join(ids)) for word, ids in by_word.items() if ids)
    home = verdicts[0].link
    strays = ["%s on %s" % (one.id, one.link.name) for one in held.values() if one.link != home]
    return "Judged on %s%s. %s." % (
        home.name, ", but " + ", ".join(strays) if strays else "",
        text[0].upper() + text[1:])


def judged_links(results: Results, title: str) -> Union[Section, List[List[Verdict]]]:
    """The verdicts of each link, or the section that says why there are none."""
    try:
        verdicts = verdicts_of(results)
    except (WrongFile, OSError) as error:
        return Section(title, ["Left out: %s." % error], [])
    return list(grouped(verdicts, lambda one: one.link).values()) \
        or Section(title, ["Left out: this folder has no rows."], [])


def build(results: Results) -> Section:
    """The verdicts; one line if there is nothing to judge or the claims cannot be read."""
    found = judged_links(results, TITLE)
    if isinstance(found, Section):
        return found
    notes = METHOD + (alarm_line(alarms(results)),)
    blocks: List[Union[str, Table]] = []
    told: List[str] = []
    for members in found:
        blocks.append(table(members, told, () if told else notes))
        told += [one.id for one in members]
    return Section(TITLE, blocks, [], lead([one for members in found for one in members]))


# ---- every comparison ----


def short(rest: str) -> str:
    """`W=6 C=4` for the axes that every table calls so."""
    return rest.replace("workers=", "W=").replace("concurrency=", "C=")


def evidence_line(one: Verdict, found: Evidence) -> List[str]:
    start = [one.id, found.claim.what]
    if isinstance(found, Count):
        return start + ["%d of %d runs broke it" % (found.broken, found.n), str(found.n),
                        effect_text(found), NONE, NONE, NONE]
    return start + [short(found.rest), str(found.n), effect_text(found), interval_text(found),
                    p_text(found.holds), p_text(found.denied)]


def build_evidence(results: Results) -> Section:
    found = judged_links(results, EVIDENCE)
    if isinstance(found, Section):
        return found
    blocks: List[Union[str, Table]] = []
    for members in found:
        lines = [evidence_line(one, each) for one in members for each in one.all]
        if lines:
            blocks.append(Table("On %s" % members[0].link.name, LINES, lines, [
                "Holds: the chance of such runs if the claim were just false; denied: if it were "
                "just true, or false by less than matters."]))
    return Section(EVIDENCE, blocks or ["Left out: no claim has two cells to compare."], [])


# ---- for the command ----


LAST: List[Tuple[Results, List[Verdict]]] = []  # of verdicts_of(): three sections ask for them


def verdicts_of(results: Results) -> List[Verdict]:
    """All verdicts of a folder; judged once. WrongFile; OSError."""
    if not LAST or LAST[0][0] is not results:
        cpus = machine.quantity(machine.facts(results), "cpus")
        LAST[:] = [(results, judge(results, load(), int(cpus) if cpus else None))]
    return LAST[0][1]


def required(text: str) -> List[str]:
    """The ids of `--require A2,A5`. ValueError names unknown ones; WrongFile."""
    known = list(dict.fromkeys(claim.id for claim in load()))
    asked = [part.strip() for part in text.split(",") if part.strip()]
    strangers = [part for part in asked if part not in known]
    if strangers or not asked:
        raise ValueError("--require: no claim %s; there are %s"
                         % (", ".join(strangers) or "named", ", ".join(known)))
    return asked


def unmet(results: Results, ids: Sequence[str]) -> List[str]:
    """A line for each of the claims that is not confirmed."""
    held = primary(verdicts_of(results))
    lines = []
    for name in ids:
        one = held.get(name)
        if one is None:
            lines.append("%s is %s: the folder has no rows" % (name, NOT_TESTED))
        elif one.word != CONFIRMED:
            why = ": " + one.why if one.why else ""
            lines.append("%s is %s on %s%s" % (name, one.word, one.link.name, why))
    return lines
