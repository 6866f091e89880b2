"""A verdict for each claim on each link: confirmed, contradicted, inconclusive, not tested.

A claim holds only if every one of its comparisons holds, so its p-value is the largest of theirs
(an intersection-union test, which needs no correction within the claim). It is contradicted if one
comparison clearly goes the other way, or one subject does against the pooled runs of its rivals.
Holm's correction then runs over all claims tested on that link, once for the confirmations and once
for the contradictions. So the chance of even one false confirmation is at most ALPHA, and the
chance of even one false contradiction too. Every link is an experiment of its own.

Counts are judged run by run, without a p-value: a single run that breaks the claim contradicts it.
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import links
from claim import Claim
from comparison import (RUNS_MIN, Comparison, Count, Evidence, NotTested, denial_bound, evidence,
                        tails)
from ranks import mann_whitney
from rows import Results, Row, is_result, numbers, grouped
from stats import holm

ALPHA = 0.05
PAPER_LINK = "lan100"  # the link profile that is the paper's network
CONFIRMED, CONTRADICTED = "confirmed", "contradicted"
INCONCLUSIVE, NOT_TESTED = "inconclusive", "not tested"


class Link(NamedTuple):
    """The link between client and servers, and the one asked for."""

    asked: str
    ran: str
    reason: str

    @property
    def name(self) -> str:
        return self.ran if self.ran == self.asked else "%s instead of %s" % (self.ran, self.asked)


class Verdict(NamedTuple):
    """`shown` is the evidence that decides: the weakest for a claim that holds, the strongest
    against one that does not. `p` is adjusted; None for counts."""

    id: str
    text: str
    link: Link
    word: str
    why: str
    shown: Optional[Evidence]
    p: Optional[float]
    all: List[Evidence]
    see: str


# ---- links ----


def link_of(row: Row) -> Link:
    """A row without the keys ran over loopback and asked for nothing else."""
    ran = links.link_of(row)
    return Link(str(row.get("link_asked") or ran), ran, str(row.get("link_reason") or ""))


def by_link(rows: Sequence[Row]) -> Dict[Link, List[Row]]:
    """The paper's network first, then its substitutes, then by name; loopback last."""
    found = grouped(rows, lambda row: link_of(row)[:2])
    order = sorted(found, key=lambda key: (key[1] != PAPER_LINK, key[0] != PAPER_LINK,
                                           key[1] == links.LOOPBACK, key))
    return {Link(*key, next((link_of(row).reason for row in found[key] if link_of(row).reason),
                            "")): found[key] for key in order}


# ---- from comparisons to a claim ----


def pooled_denial(members: Sequence[Comparison]) -> float:
    """The p-value against one subject, from the pooled runs of all its rivals: a subject that beats
    each of them beats any mixture of them."""
    first = members[0]
    if len(members) == 1 or first.claim.direction == "equal":
        return min(1.0, len(members) * min(member.denied for member in members))
    less, more = tails(first.a, [value for member in members for value in member.b],
                       denial_bound(first.claim))
    return more if first.claim.direction in ("less", "at-most") else less


def denial(compared: Sequence[Comparison]) -> float:
    """The p-value against a claim as a whole: the smaller of two Bonferroni p-values, over its
    comparisons and over its subjects, doubled if these are two different tests."""
    alone = len(compared) * min(member.denied for member in compared)
    subjects = grouped(compared, lambda member: (
        member.claim.metric, member.claim.direction, member.claim.margin, member.claim.matters,
        tuple(id(row) for row in member.subject)))
    if len(subjects) == len(compared):
        return min(1.0, alone)
    pooled = len(subjects) * min(map(pooled_denial, subjects.values()))
    return min(1.0, 2 * min(alone, pooled))


class Case(NamedTuple):
    """A claim on a link, before Holm's correction."""

    lines: List[Claim]
    link: Link
    found: List[Evidence]
    missing: str            # why it could not be tested, "" if it could

    @property
    def compared(self) -> List[Comparison]:
        return [found for found in self.found if isinstance(found, Comparison)]

    @property
    def broken(self) -> List[Count]:
        return [found for found in self.found if isinstance(found, Count) and found.broken]

    @property
    def fewest(self) -> Optional[Evidence]:
        return min(self.found, key=lambda found: found.n) if self.found else None

    @property
    def testable(self) -> bool:
        """Whether it takes part in the correction for multiplicity."""
        return bool(not self.missing and self.compared and self.fewest.n >= RUNS_MIN)


def case_of(lines: Sequence[Claim], link: Link, rows: Sequence[Row],
            cpus: Optional[int]) -> Case:
    """All evidence for and against one claim on one link."""
    found: List[Evidence] = []
    missing = ""
    for claim in lines:
        try:
            found += evidence(rows, claim, cpus)
        except NotTested as why:
            missing = missing or str(why)
    return Case(list(lines), link, found, missing)


# ---- the verdict ----


def verdict(case: Case, holds: Optional[float], denied: Optional[float]) -> Verdict:
    """The verdict on a case with its two adjusted p-values, None where nothing was compared."""
    def made(word: str, why: str = "", shown: Optional[Evidence] = None,
             p: Optional[float] = None) -> Verdict:
        first = case.lines[0]
        return Verdict(first.id, first.text, case.link, word, why, shown, p, case.found,
                       shown.claim.see if shown else first.see)

    if case.broken:
        found = case.broken[0]
        return made(CONTRADICTED, "%d of %d runs break it" % (found.broken, found.n),
                    found)
    if case.missing:
        return made(NOT_TESTED, case.missing)
    few = case.fewest
    if few.n < RUNS_MIN:
        return made(INCONCLUSIVE, "n = %d < %d: %s" % (few.n, RUNS_MIN, few.claim.what), few)
    if not case.compared:
        return made(CONFIRMED, "in every run", case.found[0])
    weakest = max(case.compared, key=lambda found: found.holds)
    strongest = min(case.compared, key=lambda found: found.denied)
    if denied <= ALPHA < holds:
        return made(CONTRADICTED, contradiction_words(case, strongest), strongest, denied)
    if holds <= ALPHA:
        why = "but by less than matters" if denied <= ALPHA else ""
        return made(CONFIRMED, why, weakest, holds)
    return made(INCONCLUSIVE, open_words(case), weakest, holds)


def contradiction_words(case: Case, found: Comparison) -> str:
    """How many comparisons contradict, and whether the difference is too small to matter."""
    parts = []
    if len(case.compared) > 1:
        parts.append("%d of %d comparisons go against it on their own" % (
            sum(one.denied <= ALPHA for one in case.compared), len(case.compared)))
    if found.claim.matters and found.interval and found.is_ratio \
            and found.interval.low <= found.claim.margin <= found.interval.high:
        parts.append("no difference that matters (%g %%)" % (100 * found.claim.matters))
    return "; ".join(parts)


def open_words(case: Case) -> str:
    """Why neither: the comparisons one by one."""
    if len(case.compared) == 1:
        return "too close for this many runs"
    return "on their own %d of %d comparisons hold, %d go against it" % (
        sum(one.holds <= ALPHA for one in case.compared), len(case.compared),
        sum(one.denied <= ALPHA for one in case.compared))


def home(lines: Sequence[Claim], ran: Sequence[Set[str]]) -> int:
    """The first link that has rows of all the claim's scenarios, else the first link."""
    wanted = {claim.scenario for claim in lines}
    return next((place for place, scenarios in enumerate(ran) if wanted <= scenarios), 0)


def judge(results: Results, claims: Sequence[Claim], cpus: Optional[int]) -> List[Verdict]:
    """Every claim on every link that has rows of its scenarios, and on one link at least."""
    parts, by_id = by_link(results.rows), grouped(claims, lambda claim: claim.id)
    ran = [{row["scenario"] for row in rows} for rows in parts.values()]
    verdicts: List[Verdict] = []
    for place, (link, rows) in enumerate(parts.items()):
        cases = [case_of(lines, link, rows, cpus) for lines in by_id.values()
                 if place == home(lines, ran) or {claim.scenario for claim in lines} <= ran[place]]
        tested = [case for case in cases if case.testable]
        holds = holm([max(found.holds for found in case.compared) for case in tested])
        denied = holm([denial(case.compared) for case in tested])
        adjusted = {id(case): pair for case, *pair in zip(tested, holds, denied)}
        verdicts += [verdict(case, *adjusted.get(id(case), (None, None))) for case in cases]
    return verdicts


def primary(verdicts: Sequence[Verdict]) -> Dict[str, Verdict]:
    """The verdict of each claim that counts: on the paper's network, or on the first link that has
    rows of it."""
    return {name: ones[0] for name, ones in grouped(verdicts, lambda one: one.id).items()}


# ---- A/A: the method on cells that do not differ ----

ALIKE = ("elapsed_ms", "peak_rss_kb", "cpu_s")
# Labels of a search: a cell chosen for its figures had better ones then than later.
CHOSEN = ("search", "final", "defaults")


class Alarm(NamedTuple):
    """One metric of one cell that ran under two labels."""

    metric: str
    n: int
    p: Optional[float]  # two-sided, not adjusted; None with fewer than RUNS_MIN runs a label


def alarms(results: Results) -> List[Alarm]:
    """Every metric of every cell that has two labels."""
    cells: Dict[Tuple, Dict[str, List[Row]]] = {}
    for row in results.rows:
        if row.get("label") and row["label"] not in CHOSEN and is_result(row):
            plain = [part for part in row["cell"].split() if not part.startswith("label=")]
            key = (row["scenario"], row["section"], link_of(row)[:2], row["client"], *plain)
            cells.setdefault(key, {}).setdefault(row["label"], []).append(row)
    found = []
    for labels in cells.values():
        for metric in ALIKE if len(labels) == 2 else ():
            a, b = (numbers(rows, metric) for rows in labels.values())
            n = min(len(a), len(b))
            found.append(Alarm(metric, n, mann_whitney(a, b) if n >= RUNS_MIN else None))
    return found


def alarm_line(found: Sequence[Alarm]) -> str:
    """`A/A: 0 of 3 metrics differ`, and how many would by chance."""
    judged = [alarm for alarm in found if alarm.p is not None]
    if not found:
        return "A/A: not tested, no cell was run under two labels."
    if not judged:
        return "A/A: not judged (n = %d < %d)." % (max(alarm.n for alarm in found), RUNS_MIN)
    differ = [alarm for alarm in judged if alarm.p <= ALPHA]
    names = "" if not differ else " (%s)" % ", ".join(
        "%s p = %.3f" % (alarm.metric, alarm.p) for alarm in differ)
    return ("A/A: %d of %d metrics differ%s between runs of one cell under two labels; %.2g would "
            "by chance." % (len(differ), len(judged), names, ALPHA * len(judged)))
