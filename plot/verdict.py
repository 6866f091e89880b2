"""A verdict for each claim at each place, a machine and a link: confirmed, contradicted,
inconclusive, not tested.

A claim holds only if every one of its comparisons holds, so its p-value is the largest of theirs
(an intersection-union test, which needs no correction within the claim). It is contradicted if one
comparison clearly goes the other way or is clearly smaller than what matters, or one subject does
against the pooled runs of its rivals. Holm's correction then runs over all claims tested at that
place, once for the confirmations and once for the contradictions. So the chance of even one false
confirmation is at most ALPHA, and the chance of even one false contradiction too. Every place is an
experiment of its own.

A contradiction comes first: a difference that is real but clearly smaller than what matters does
not confirm. One that is real and not clearly smaller confirms only where every estimate is at least
what matters, and is inconclusive otherwise (the head of comparison.py says why).

The machine that counts is the first one that a claim names on which it could be judged: the paper's
for most, and full speed where the paper's machine could not be had.

A median against a number is judged by its interval, which must end below it; it belongs to no
family either.

Counts are judged run by run, without a p-value: a single run that breaks the claim contradicts it.
They belong to no family, so a scenario that did not run on the link gives its counts from another
link of the machine.
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from claim import Claim
from comparison import (RUNS_MIN, Comparison, Count, Evidence, Level, NotTested, denial_bound,
                        evidence, matching, tails)
from places import (FULL, LOOPBACK, PAPER, PAPERS_MACHINE, link_asked_of, link_of,
                    machine_of)
from ranks import mann_whitney
from rows import Results, Row, is_result, numbers, grouped
from stats import holm
from texts import reading_order

ALPHA = 0.05
PAPER_LINK = "lan100"  # the link profile that is the paper's network
PAPER_CPUS = 2         # the paper's Core2 6300: n of its rules of thumb
CONFIRMED, CONTRADICTED = "confirmed", "contradicted"
INCONCLUSIVE, NOT_TESTED = "inconclusive", "not tested"


class Place(NamedTuple):
    """A machine, the link between client and servers, and the one asked for."""

    machine: str
    asked: str
    ran: str
    reason: str

    @property
    def link(self) -> str:
        return self.ran if self.ran == self.asked else "%s instead of %s" % (self.ran, self.asked)

    @property
    def on(self) -> str:
        """`on lan100`, `on the paper's machine`."""
        return "on " + (PAPERS_MACHINE if self.machine == PAPER else self.link)


class Verdict(NamedTuple):
    """`shown` is the evidence that decides: the weakest for a claim that holds, the strongest
    against one that does not. `p` is adjusted; None for counts."""

    id: str
    text: str
    machines: Sequence[str]
    place: Place
    word: str
    why: str
    shown: Optional[Evidence]
    p: Optional[float]
    all: List[Evidence]
    see: str


# ---- places ----


def place_of(row: Row) -> Place:
    """A row without the keys ran at full speed over loopback and asked for nothing else."""
    return Place(machine_of(row), link_asked_of(row), link_of(row),
                 str(row.get("link_reason") or ""))


def is_at_a_place(row: Row) -> bool:
    """Whether the row speaks of a machine that a claim may name. One that ran at a share of a
    processor, and names no machine, is of neither."""
    return machine_of(row) == PAPER or machine_of(row) == FULL and not row.get("cpu_share")


def by_place(rows: Sequence[Row]) -> Dict[Place, List[Row]]:
    """The paper's machine first; on each, the paper's network first, then its substitutes, then by
    name; loopback last."""
    found = grouped(filter(is_at_a_place, rows), lambda row: place_of(row)[:3])

    def order(key: Tuple[str, str, str]) -> Tuple:
        machine, asked, ran = key
        return (machine != PAPER, ran != PAPER_LINK, asked != PAPER_LINK, ran == LOOPBACK, key)
    return {Place(*key, next(filter(None, (place_of(row).reason for row in found[key])), "")):
            found[key] for key in sorted(found, key=order)}


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
    """A claim at a place, before Holm's correction."""

    lines: List[Claim]
    place: Place
    found: List[Evidence]
    missing: str            # why it could not be tested, "" if it could
    elsewhere: List[str]    # counts that are of another link: `table3 on loopback`

    @property
    def compared(self) -> List[Comparison]:
        return [found for found in self.found if isinstance(found, Comparison)]

    @property
    def broken(self) -> List[Count]:
        return [found for found in self.found if isinstance(found, Count) and found.broken]

    @property
    def levels(self) -> List[Level]:
        return [found for found in self.found if isinstance(found, Level)]

    @property
    def fewest(self) -> Optional[Evidence]:
        return min(self.found, key=lambda found: found.n) if self.found else None

    @property
    def testable(self) -> bool:
        """Whether it takes part in the correction for multiplicity."""
        return bool(not self.missing and self.compared and self.fewest.n >= RUNS_MIN)


def source(claim: Claim, place: Place, parts: Dict[Place, List[Row]],
           cpus: Optional[int]) -> Place:
    """Where the rows of a claim's line are: at this place, or for a count at the machine's first
    one that has them."""
    if not claim.exact:
        return place
    there = [one for one, rows in parts.items() if one.machine == place.machine
             and matching(rows, claim.scenario, claim.subject, cpus)]
    return there[0] if there and place not in there else place


def case_of(lines: Sequence[Claim], place: Place, parts: Dict[Place, List[Row]],
            cpus: Optional[int]) -> Case:
    """All evidence for and against one claim at one place. The paper's rules of thumb mean its own
    processors on its machine, elsewhere those that are there."""
    found: List[Evidence] = []
    missing, elsewhere = "", []
    own_cpus = PAPER_CPUS if place.machine == PAPER else cpus
    for claim in lines:
        try:
            origin = source(claim, place, parts, own_cpus)
            found += evidence(parts[origin], claim, own_cpus)
        except NotTested as why:
            missing = missing or str(why)
            continue
        if origin != place:
            elsewhere.append("%s on %s" % (claim.scenario, origin.link))
    return Case(list(lines), place, found, missing, list(dict.fromkeys(elsewhere)))


# ---- the verdict ----


def verdict(case: Case, holds: Optional[float], denied: Optional[float]) -> Verdict:
    """The verdict on a case with its two adjusted p-values, None where nothing was compared."""
    def made(word: str, why: str = "", shown: Optional[Evidence] = None,
             p: Optional[float] = None) -> Verdict:
        first = case.lines[0]
        return Verdict(first.id, first.text, first.machines, case.place, word, why, shown, p,
                       case.found, shown.claim.see if shown else first.see)

    if case.broken:
        found = case.broken[0]
        return made(CONTRADICTED, "%d of %d runs break it" % (found.broken, found.n),
                    found)
    if case.missing:
        return made(NOT_TESTED, case.missing)
    few = case.fewest
    if few.n < RUNS_MIN:
        return made(INCONCLUSIVE, "n = %d < %d: %s" % (few.n, RUNS_MIN, few.claim.what), few)
    for found in sorted(case.levels, key=lambda found: found.median / found.bound, reverse=True):
        if not found.holds:
            return made(CONTRADICTED if found.denied else INCONCLUSIVE, level_words(found), found)
    if case.levels and not case.compared:
        return made(CONFIRMED, "", max(case.levels, key=lambda found: found.median / found.bound))
    if not case.compared:
        return made(CONFIRMED, ", ".join(["in every run"] + case.elsewhere), case.found[0])
    weakest = max(case.compared, key=lambda found: found.holds)
    strongest = min(case.compared, key=lambda found: found.denied)
    if denied <= ALPHA:
        return made(CONTRADICTED, contradiction_words(case, strongest), strongest, denied)
    small = [found for found in case.compared if not found.relevant]
    if holds <= ALPHA and small:
        return made(INCONCLUSIVE, small_words(small, len(case.compared)),
                    max(small, key=lambda found: found.holds), holds)
    if holds <= ALPHA:
        return made(CONFIRMED, "", weakest, holds)
    return made(INCONCLUSIVE, open_words(case), weakest, holds)


def level_words(found: Level) -> str:
    """Where the interval lies that does not end below the number."""
    return "%s: the interval of the median %s %g" % (
        found.claim.what, "lies above" if found.denied else "reaches over", found.bound)


def contradiction_words(case: Case, found: Comparison) -> str:
    """How many comparisons contradict, and whether the difference is too small to matter."""
    parts = []
    if len(case.compared) > 1:
        parts.append("%d of %d comparisons go against it on their own" % (
            sum(one.denied <= ALPHA for one in case.compared), len(case.compared)))
    if found.claim.matters and found.interval and found.is_ratio and is_no_difference(found):
        parts.append("no difference that matters (%g %%)" % (100 * found.claim.matters))
    return "; ".join(parts)


def is_no_difference(found: Comparison) -> bool:
    """Whether the interval holds the margin, or lies within what matters on both sides of it."""
    margin, slack = found.claim.margin, 1 + found.claim.matters
    return found.interval.low <= margin <= found.interval.high \
        or margin / slack <= found.interval.low <= found.interval.high <= margin * slack


def small_words(small: Sequence[Comparison], compared: int) -> str:
    """The differences that are real, and that the estimates have below what matters."""
    which = "the difference" if compared == 1 else "each difference" if len(small) == compared \
        else "%d of %d differences" % (len(small), compared)
    return "real, but %s may be less than matters (%g %%)" % (which, 100 * small[0].claim.matters)


def open_words(case: Case) -> str:
    """Why neither: the comparisons one by one."""
    if len(case.compared) == 1:
        return "too close for this many runs"
    return "on their own %d of %d comparisons hold, %d go against it" % (
        sum(one.holds <= ALPHA for one in case.compared), len(case.compared),
        sum(one.denied <= ALPHA for one in case.compared))


def experiment_of(claim: Claim) -> str:
    """The scenario of a line, with the section that its subject names."""
    section = claim.subject.get("section")
    return "%s %s" % (claim.scenario, section) if section else claim.scenario


def home(lines: Sequence[Claim], ran: Dict[Place, Set[str]]) -> Optional[Place]:
    """Of these places the first that has rows of all the claim's scenarios, else of any, else the
    first."""
    wanted = {claim.scenario for claim in lines}
    return next(iter([place for place, scenarios in ran.items() if wanted <= scenarios]
                     + [place for place, scenarios in ran.items() if wanted & scenarios]
                     + list(ran)), None)


def places_of(lines: Sequence[Claim], ran: Dict[Place, Set[str]]) -> List[Place]:
    """Where a claim is judged: on each machine that it names, wherever its scenarios (and the
    sections that it names) ran, and at one place at least if any row is of that machine."""
    wanted, experiments = {claim.scenario for claim in lines}, set(map(experiment_of, lines))
    found: List[Place] = []
    for machine in lines[0].machines:
        there = {place: scenarios for place, scenarios in ran.items() if place.machine == machine}
        found += [place for place in there if experiments <= there[place]] or [
            place for place in there if place == home(lines, there) or wanted <= there[place]]
    return found


def of_papers_that_ran(claims: Sequence[Claim], scenarios: Set[str]) -> List[Claim]:
    """The claims of the papers of which any scenario ran; all of them if none did. A claim's id
    begins with its paper's letter."""
    ran = {claim.id[0] for claim in claims if claim.scenario in scenarios}
    return [claim for claim in claims if claim.id[0] in ran or not ran]


def judge(results: Results, claims: Sequence[Claim], cpus: Optional[int]) -> List[Verdict]:
    """Every claim at each of its places. A claim without any is named as not tested, but for a
    paper of which nothing ran here."""
    parts = by_place(results.seen)
    claims = of_papers_that_ran(claims, {row["scenario"] for row in results.seen})
    by_id = grouped(claims, lambda claim: claim.id)
    ran = {place: {name for row in rows for name in (
        row["scenario"], "%s %s" % (row["scenario"], row["section"]))}
           for place, rows in parts.items()}
    where = {name: places_of(lines, ran) for name, lines in by_id.items()}
    verdicts: List[Verdict] = []
    for place in parts:
        cases = [case_of(lines, place, parts, cpus) for name, lines in by_id.items()
                 if place in where[name]]
        tested = [case for case in cases if case.testable]
        holds = holm([max(found.holds for found in case.compared) for case in tested])
        denied = holm([denial(case.compared) for case in tested])
        adjusted = {id(case): pair for case, *pair in zip(tested, holds, denied)}
        verdicts += [verdict(case, *adjusted.get(id(case), (None, None))) for case in cases]
    return verdicts + [nowhere(lines) for name, lines in by_id.items()
                       if parts and not where[name]]


def nowhere(lines: Sequence[Claim]) -> Verdict:
    """The verdict on a claim whose machines have no row in this folder."""
    machine = lines[0].machines[0]
    missing = "no row on " + PAPERS_MACHINE if machine == PAPER else "no row at full speed"
    return verdict(Case(list(lines), Place(machine, LOOPBACK, LOOPBACK, ""), [], missing, []), None,
                   None)


def on_machines(verdicts: Sequence[Verdict]) -> Dict[str, Dict[str, Verdict]]:
    """For each claim its verdict on each machine, at the first place that has its scenarios."""
    by_id = grouped(verdicts, lambda one: one.id)
    return {name: {machine: there[0] for machine, there in
                   grouped(by_id[name], lambda one: one.place.machine).items()}
            for name in sorted(by_id, key=reading_order)}


def counting(found: Dict[str, Verdict]) -> Verdict:
    """The verdict that counts, of those on the machines: the first that could be reached, in the
    claim's order of machines, else the first."""
    ones = [found[machine] for machine in next(iter(found.values())).machines if machine in found]
    return next((one for one in ones if one.word != NOT_TESTED), ones[0])


def primary(verdicts: Sequence[Verdict]) -> Dict[str, Verdict]:
    """The verdict of each claim that counts."""
    return {name: counting(found) for name, found in on_machines(verdicts).items()}


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
            key = (row["scenario"], row["section"], place_of(row)[:3], row["client"], *plain)
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
