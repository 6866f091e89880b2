"""Statistics of a few runs. No distribution is assumed and no run is dropped.

A run is one process. This file summarises the runs of one cell and corrects lists of p-values;
ranks.py compares two cells. Every function is pure. None means too little data for the question;
ValueError means a wrong question (NaN, a share outside 0..1).
"""

import math
import statistics
from typing import Iterable, List, NamedTuple, Optional, Sequence

ROUNDING = 1e-12  # so that rounding does not lose a confidence of exactly 0.95


class Interval(NamedTuple):
    """`confidence` is what the interval achieves, which may exceed what was asked for."""

    low: float
    high: float
    confidence: float


class Spread(NamedTuple):
    """A summary of one cell's n runs. `interval` is that of the median, None if n is too small for
    one."""

    n: int
    low: float
    median: float
    high: float
    interval: Optional[Interval] = None


# ---- checks ----


def finite(values: Iterable[float]) -> List[float]:
    """The values as a list. ValueError on NaN and infinity, which cannot be ranked."""
    listed = list(values)
    for value in listed:
        if not math.isfinite(value):
            raise ValueError("%r is not a finite number" % value)
    return listed


def check_confidence(confidence: float) -> None:
    """ValueError unless it lies between 0 and 1, as when 95 is written for 0.95."""
    if not 0 < confidence < 1:
        raise ValueError("a confidence lies between 0 and 1, not %r" % confidence)


# ---- one cell ----


def median(values: Sequence[float]) -> float:
    """A float, also of an odd number of integers."""
    return float(statistics.median(values))


def spread(values: Sequence[float]) -> Optional[Spread]:
    """The summary of a cell; None when nothing was measured, which is not 0."""
    if not values:
        return None
    interval = median_interval(values) if all(map(math.isfinite, values)) else None
    return Spread(len(values), min(values), median(values), max(values), interval)


class Place(NamedTuple):
    """The k-th sorted value from below and the k-th from above, and the confidence between them."""

    k: int
    confidence: float


def innermost(tail_counts: Sequence[int], total: int, confidence: float) -> Optional[Place]:
    """The largest k that still gives `confidence`, for a symmetric null distribution counted from
    its lower end. None when even the extremes give less."""
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
    """The interval of the median of the runs' distribution: two of the sorted values, by the sign
    test.

    Assumes independent runs of one continuous distribution, of any shape. Exact: each value lies
    below the median with probability 1/2, so counts are binomial. None when n is too small: 0.95
    takes 6 runs, 0.9 takes 5. Source: W. R. Thompson, 1936; H. A. David and H. N. Nagaraja, Order
    Statistics, 3rd edition, 2003, section 7.1."""
    ordered = sorted(finite(values))
    n = len(ordered)
    counts = [math.comb(n, k) for k in range((n + 1) // 2)]
    return at_place(ordered, innermost(counts, 2 ** n, confidence))


# ---- verdicts ----


def holm(p_values: Sequence[float]) -> List[float]:
    """The p-values, each adjusted for the whole list, in the list's order. If values at or below
    0.05 are called findings, the chance of even one false finding stays at 0.05.

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
    """Whether a ratio's interval lies within [1 / (1 + margin), 1 + margin]; only then may a
    verdict be "no difference". False without an interval.

    With an interval of confidence c this is two one-sided tests at (1 - c) / 2 each. Source: D. J.
    Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987."""
    if not margin > 0:
        raise ValueError("a margin of equivalence is above 0, not %r" % margin)
    return interval is not None and 1 / (1 + margin) <= interval.low \
        and interval.high <= 1 + margin
