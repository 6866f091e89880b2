"""Statistics of a handful of runs: no distribution is assumed and no run is dropped.

The unit is one process run. Here: what the runs of one cell came to, with intervals, and what makes
a list of verdicts honest. Two cells against each other are in ranks.py, throughput over a number of
workers in scaling.py. Everything is a pure function; None means that there is too little data for
what was asked, ValueError that it was asked wrongly (no number, a share outside 0..1).
"""

import math
import random
from typing import Iterable, List, NamedTuple, Optional, Sequence

BOOTSTRAP_N_MIN = 20     # below this, percentile bootstraps cover less than they say
BOOTSTRAP_DRAWS = 2000
ROUNDING = 1e-12         # a confidence of exactly 0.95 must not be missed by a last bit


class Interval(NamedTuple):
    """`confidence` is what the interval achieves, which may exceed what was asked for."""

    low: float
    high: float
    confidence: float


class Spread(NamedTuple):
    """What n runs of one cell came to. `sure` is the interval of the median, None if n is too
    small for one."""

    n: int
    low: float
    q1: float
    median: float
    q3: float
    high: float
    sure: Optional[Interval] = None


# ---- what may come in ----


def finite(values: Iterable[float]) -> List[float]:
    """The values as a list. ValueError on NaN and infinity: they have no place in an order."""
    listed = list(values)
    for value in listed:
        if not math.isfinite(value):
            raise ValueError("%r is not a finite number" % value)
    return listed


def check_confidence(confidence: float) -> None:
    """ValueError unless it lies between 0 and 1, for those who write 95."""
    if not 0 < confidence < 1:
        raise ValueError("a confidence lies between 0 and 1, not %r" % confidence)


# ---- one cell ----


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, linear between neighbours (Hyndman
    and Fan's type 7: what R, NumPy and spreadsheets give, so that a reader can check it there)."""
    if not values:
        raise ValueError("no values, so no quantile")
    if not 0 <= share <= 1:
        raise ValueError("a share lies between 0 and 1, not %r" % share)
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def median(values: Sequence[float]) -> float:
    """The middle value, or halfway between the two middle ones."""
    return quantile(values, 0.5)


def spread(values: Sequence[float]) -> Optional[Spread]:
    """All of it at once; None when nothing was measured, which is not the same as 0."""
    if not values:
        return None
    sure = median_interval(values) if all(map(math.isfinite, values)) else None
    return Spread(len(values), min(values), quantile(values, 0.25), median(values),
                  quantile(values, 0.75), max(values), sure)


class Place(NamedTuple):
    """The k-th of sorted values from below and the k-th from above, and what they enclose."""

    k: int
    confidence: float


def innermost(tail_counts: Sequence[int], total: int, confidence: float) -> Optional[Place]:
    """Of a symmetric null distribution, counted from its lower end: the largest k that still
    encloses `confidence`. None when even the extremes enclose less."""
    check_confidence(confidence)
    found, below = None, 0
    for k, count in enumerate(tail_counts, 1):
        below += count
        achieved = 1 - 2 * below / total
        if achieved < confidence - ROUNDING:
            break
        found = Place(k, achieved)
    return found


def at_place(ordered: Sequence[float], place: Optional[Place]) -> Optional[Interval]:
    """The values at the place that innermost() found."""
    return place and Interval(ordered[place.k - 1], ordered[-place.k], place.confidence)


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Optional[Interval]:
    """For the median of what the runs are drawn from: two of the sorted values, by the sign test.

    Assumes independent runs of one continuous distribution, of any shape. Exact: a value lies below
    the median with probability 1/2, so counts are binomial. None when n is too small: 0.95 takes 6
    runs, 0.9 takes 5. Source: W. R. Thompson, 1936; H. A. David and H. N. Nagaraja, Order
    Statistics, 3rd edition, 2003, section 7.1."""
    ordered = sorted(finite(values))
    n = len(ordered)
    counts = [math.comb(n, k) for k in range((n + 1) // 2)]
    return at_place(ordered, innermost(counts, 2 ** n, confidence))


def bootstrap_median_interval(values: Sequence[float], confidence: float = 0.95,
                              seed: int = 1) -> Optional[Interval]:
    """A percentile bootstrap of the median: approximate, so its confidence is the one asked for.

    Assumes independent runs and enough of them that the sample looks like what it is drawn from:
    None below BOOTSTRAP_N_MIN. median_interval() is exact and is to be preferred; this one is for
    statistics that share its resampling. Source: B. Efron, Annals of Statistics 7, 1979."""
    check_confidence(confidence)
    listed = finite(values)
    if len(listed) < BOOTSTRAP_N_MIN:
        return None
    draw = random.Random(seed)
    middles = [median(draw.choices(listed, k=len(listed))) for _ in range(BOOTSTRAP_DRAWS)]
    tail = (1 - confidence) / 2
    return Interval(quantile(middles, tail), quantile(middles, 1 - tail), confidence)


# ---- verdicts ----


def holm(p_values: Sequence[float]) -> List[float]:
    """The p-values, each adjusted for the whole list, in the list's order: what stays at or below
    0.05 may be called a finding, and the chance of even one false one stays at 0.05.

    Assumes nothing about how the tests depend on each other. Source: S. Holm, Scandinavian Journal
    of Statistics 6, 1979."""
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError("a p-value lies between 0 and 1, not %r" % p)
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = floor
    return adjusted


def equivalent(interval: Optional[Interval], margin: float) -> bool:
    """Whether a ratio's interval lies within [1 / (1 + margin), 1 + margin]: the only ground for
    saying that there is no difference. False without an interval.

    With an interval of confidence c this is two one-sided tests at (1 - c) / 2 each. Source: D. J.
    Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987."""
    if not margin > 0:
        raise ValueError("a margin of equivalence is above 0, not %r" % margin)
    return interval is not None and 1 / (1 + margin) <= interval.low \
        and interval.high <= 1 + margin
