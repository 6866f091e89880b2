"""Compares the cells of a claim, or every run of a cell, or their median, with a number.

Method: Mann and Whitney's exact test on the values of the runs, with the other side multiplied by
the claim's bound. The effect is the Hodges-Lehmann estimate of the ratio, with the interval of that
test. Runs of one block lie close in time and in shuffled order, so both cells of a comparison see
the same drift. A paired test of the blocks would be weaker: the signs of 5 pairs cannot give a p
below 0.031, the splits of 5 and 5 runs reach 0.004.

What `matters`: two tests at two bounds, and the estimate between them. `holds` tests that there is
a difference at all, `denied` that it is smaller than what matters. Both can be true of one cell: a
thousandth in every run is real and does not matter. So a comparison supports its claim only if the
estimate is at least what matters, too. Without that, a true difference just short of what matters
would be confirmed in one sweep and contradicted in the next, and near 1 the noise would choose; so
confirmed and contradicted never share a true ratio at which both are likely (a test simulates it).
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from claim import BELOW, NOT_JUDGED, OTHERS, Claim, value_of
from ranks import hodges_lehmann, mann_whitney, ratio_estimate, ratio_interval, shift_interval
from places import FULL, machine_of
from rows import OPTIONS, Row, group, is_result, numbers, select, why_excluded
from stats import Interval, median, median_interval
from texts import reading_order

RUNS_MIN = 5      # of a cell: below, there is no verdict
CONFIDENCE = 0.95
LEVEL_CONFIDENCE = 0.9  # of a median against a number: either end is passed by at most 5 %


class Comparison(NamedTuple):
    """Two cells. `holds` and `denied` are one-sided p-values: the chance of such runs if the claim
    were just false, and if it were just true. They are 1 where a cell has too few runs. `relevant`:
    the estimate is at least what matters; true for a claim that does not say what does."""

    claim: Claim
    rest: str                  # which of several other cells; "" if there is only one
    subject: List[Row]
    against: List[Row]
    a: List[float]
    b: List[float]
    effect: Optional[float]    # ratio a / b; a - b if a ratio cannot be taken
    interval: Optional[Interval]
    is_ratio: bool
    holds: float
    denied: float
    relevant: bool

    @property
    def n(self) -> int:
        return min(len(self.a), len(self.b))

    @property
    def rows(self) -> List[Row]:
        return self.subject + self.against


class Count(NamedTuple):
    """Every run of a cell against a number, without statistics."""

    claim: Claim
    rows: List[Row]
    a: List[float]
    wanted: List[float]
    broken: int               # how many runs break the claim

    @property
    def n(self) -> int:
        return len(self.a)


class Level(NamedTuple):
    """The median of a cell's runs against a number. The interval decides: held if it ends below
    the number, denied if it begins there. None with too few runs."""

    claim: Claim
    rows: List[Row]
    a: List[float]
    median: float
    interval: Optional[Interval]
    bound: float

    @property
    def n(self) -> int:
        return len(self.a)

    @property
    def holds(self) -> bool:
        return self.interval is not None and self.interval.high < self.bound

    @property
    def denied(self) -> bool:
        return self.interval is not None and self.interval.low >= self.bound


Evidence = Union[Comparison, Count, Level]


class NotTested(Exception):
    """Why a line of the claims could not be tested."""


# ---- cells ----


def words(chosen: Dict[str, str], cpus: Optional[int]) -> str:
    """A selector as a reader may type it, with the rules of thumb computed."""
    values = {key: word if word == OTHERS else value_of(key, word, cpus)
              for key, word in chosen.items()}
    return " ".join("%s=%s" % (key, chosen[key] if value is None else
                               "%g" % value if isinstance(value, float) else value)
                    for key, value in values.items())


def matching(rows: Sequence[Row], scenario: str, chosen: Dict[str, str],
             cpus: Optional[int]) -> List[Row]:
    """All rows of a cell, results or not. Labelled rows count only where the label is named."""
    wanted: Dict[str, Any] = {"scenario": scenario}
    for key, word in chosen.items():
        if word != OTHERS:
            wanted[key] = value_of(key, word, cpus)
            if wanted[key] is None:
                raise NotTested("%s=%s depends on the number of processors, which is not on record"
                                % (key, word))
    return [row for row in select(rows, **wanted) if "label" in chosen or not row.get("label")]


def counting(rows: Sequence[Row], claim: Claim, chosen: Dict[str, str],
             cpus: Optional[int]) -> List[Row]:
    """The results of a cell. NotTested without any."""
    found = matching(rows, claim.scenario, chosen, cpus)
    kept = [row for row in found if is_result(row)]
    name = "%s with %s" % (claim.scenario, words(chosen, cpus))
    if not found:
        raise NotTested("no row of " + name)
    if not kept:
        told = machine_of(found[0]) != FULL or found[0]["status"] == "skipped"
        why = ": " + why_excluded(found[0]) if told else ""
        raise NotTested("none of the %d rows of %s counts%s" % (len(found), name, why))
    return kept


def one_cell(rows: Sequence[Row], what: str) -> List[Row]:
    """The rows, if they may share a median. NotTested names the options in which they differ."""
    for key in OPTIONS + ("section", "cell"):
        values = sorted({str(row.get(key)) for row in rows})
        if len(values) > 1:
            raise NotTested("rows of %s differ in %s (%s): the claim must name one, or all run "
                            "alike" % (what, key, ", ".join(values)))
    return list(rows)


def other_cells(rows: Sequence[Row], claim: Claim,
                cpus: Optional[int]) -> List[Tuple[str, List[Row]]]:
    """The cells that the subject is compared with, each with its name if there are several."""
    assert isinstance(claim.against, dict)
    starred = [key for key, word in claim.against.items() if word == OTHERS]
    found = counting(rows, claim, claim.against, cpus)
    if not starred:
        return [("", one_cell(found, words(claim.against, cpus)))]
    own = tuple(value_of(key, claim.subject[key], cpus) if key in claim.subject else None
                for key in starred)
    cells = [(" ".join("%s=%s" % pair for pair in zip(starred, values)), members)
             for values, members in group(found, starred).items() if values != own]
    if not cells:
        raise NotTested("no other cell to compare %s with" % words(claim.subject, cpus))
    cells.sort(key=lambda cell: reading_order(cell[0]))
    return [(name, one_cell(members, name)) for name, members in cells]


def values(rows: Sequence[Row], key: str, what: str) -> List[float]:
    """The measured values. NotTested if there are none."""
    found = numbers(rows, key)
    if not found:
        raise NotTested("%s was not measured in any row of %s" % (key, what))
    return found


# ---- tests ----


def tails(a: Sequence[float], b: Sequence[float], bound: float) -> Tuple[float, float]:
    """One-sided p-values that a lies below, and above, `bound` times b."""
    scaled = [bound * value for value in b]
    return mann_whitney(a, scaled, "less"), mann_whitney(a, scaled, "greater")


def denial_bound(claim: Claim) -> float:
    """The ratio of just what matters. Clearly beyond it the claim is contradicted: the difference
    is smaller, or has the other sign."""
    slack = 1 + (claim.matters or 0)
    return claim.margin * {"less": 1 / slack, "more": slack}.get(claim.direction, 1)


def p_values(claim: Claim, a: Sequence[float], b: Sequence[float]) -> Tuple[float, float]:
    """(holds, denied) by the claim's direction."""
    if claim.direction == "equal":
        below, above = tails(a, b, 1 / claim.margin)[0], tails(a, b, claim.margin)[1]
        return (max(tails(a, b, 1 / claim.margin)[1], tails(a, b, claim.margin)[0]),
                min(1.0, 2 * min(below, above)))
    less, more = tails(a, b, claim.margin)
    denied_less, denied_more = tails(a, b, denial_bound(claim))
    return (less, denied_more) if claim.direction in ("less", "at-most") else (more, denied_less)


def is_relevant(claim: Claim, a: List[float], b: List[float]) -> bool:
    """Whether the estimated difference is at least what matters."""
    if claim.matters is None:
        return True
    bound = denial_bound(claim)
    apart = ratio_estimate(a, b) - bound if min(a + b) > 0 \
        else hodges_lehmann(a, [bound * value for value in b])
    return apart <= 0 if claim.direction == "less" else apart >= 0


def compare(claim: Claim, rest: str, subject: List[Row], against: List[Row]) -> Comparison:
    """One comparison, with as much of it as the number of runs allows."""
    a = values(subject, claim.metric, "the subject")
    b = values(against, claim.metric, rest or "the other cell")
    is_ratio = min(a + b) > 0
    enough = min(len(a), len(b)) >= RUNS_MIN
    holds, denied = p_values(claim, a, b) if enough else (1.0, 1.0)
    effect, interval = (ratio_estimate, ratio_interval) if is_ratio else (hodges_lehmann,
                                                                          shift_interval)
    return Comparison(claim, rest, subject, against, a, b, effect(a, b),
                      interval(a, b, CONFIDENCE), is_ratio, holds, denied, is_relevant(claim, a, b))


def count(claim: Claim, subject: List[Row]) -> Count:
    """Every run against a number of the claim's, or of the run's own row."""
    measured = [row for row in subject if row.get(claim.metric) is not None]
    if isinstance(claim.against, str):
        measured = [row for row in measured if row.get(claim.against) is not None]
    if not measured:
        raise NotTested("%s was not measured in any run" % claim.metric)
    wanted = [claim.margin * (row[claim.against] if isinstance(claim.against, str)
                              else claim.against) for row in measured]
    fits = {"less": float.__lt__, "more": float.__gt__, "at-least": float.__ge__,
            "at-most": float.__le__, "equal": float.__eq__}[claim.direction]
    a = [row[claim.metric] for row in measured]
    broken = sum(not fits(float(own), float(right)) for own, right in zip(a, wanted))
    return Count(claim, measured, a, wanted, broken)


def level(claim: Claim, subject: List[Row]) -> Level:
    """The median of the runs against the claim's number."""
    a = values(subject, claim.metric, words(claim.subject, None))
    assert isinstance(claim.against, float)
    return Level(claim, subject, a, median(a), median_interval(a, LEVEL_CONFIDENCE), claim.against)


def evidence(rows: Sequence[Row], claim: Claim, cpus: Optional[int]) -> List[Evidence]:
    """The evidence of one link's rows on one line. NotTested if there is none."""
    if claim.direction == NOT_JUDGED:
        raise NotTested("not judged here: " + claim.what)
    name = words(claim.subject, cpus)
    subject = counting(rows, claim, claim.subject, cpus)
    if claim.exact:
        return [count(claim, subject)]
    one_cell(subject, name)
    if claim.direction == BELOW:
        return [level(claim, subject)]
    return [compare(claim, rest, subject, members)
            for rest, members in other_cells(rows, claim, cpus)]
