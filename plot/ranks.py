"""Compares two lists by ranks: independent runs, runs paired in blocks, and the order of cells.

No function assumes more about the runs' distribution than its description says. Null distributions
are counted exactly up to RANK_EXACT_MAX runs; beyond that the normal approximation is used.
"""

import bisect
import functools
import itertools
import math
import random
from statistics import NormalDist
from typing import List, Optional, Sequence, Tuple

from stats import Interval, Place, at_place, check_confidence, finite, innermost, median

RANK_EXACT_MAX = 60  # runs on both sides together, or pairs
SHUFFLES = 2000      # orders that a correlation is compared with
ALTERNATIVES = ("two-sided", "less", "greater")


# ---- p-values from a null distribution ----


def both_sides(lower: float, upper: float, alternative: str) -> float:
    """The p-value from both tails, each of which includes the observed value. Two-sided is twice
    the smaller tail."""
    two = min(1.0, 2 * min(lower, upper))
    return {"less": min(1.0, lower), "greater": min(1.0, upper), "two-sided": two}[alternative]


def exact_p(counts: Sequence[int], seen: int, alternative: str) -> float:
    """The p-value from how many outcomes give the statistic 0, 1, 2, ..."""
    total = sum(counts)
    return both_sides(sum(counts[:seen + 1]) / total, sum(counts[seen:]) / total, alternative)


def normal_p(middle: float, variance: float, seen: int, alternative: str) -> float:
    """The p-value of a sum of doubled ranks by the normal approximation, corrected for
    continuity by half a rank."""
    if variance == 0:
        return 1.0
    law = NormalDist(middle, math.sqrt(variance))
    return both_sides(law.cdf(seen + 1), 1 - law.cdf(seen - 1), alternative)


def approximate_place(middle: float, variance: float, confidence: float) -> Optional[Place]:
    """innermost() by the normal approximation, corrected for continuity."""
    check_confidence(confidence)
    law = NormalDist(middle, math.sqrt(variance))
    k = math.floor(law.inv_cdf((1 - confidence) / 2) + 0.5)
    return Place(k, 1 - 2 * law.cdf(k - 0.5)) if k >= 1 else None


# ---- counting ----
# One long integer holds how many choices of items have the sum 0, 1, 2, ...: FIELD bits for each
# sum. Taking an item of weight w shifts the integer by w fields; Python adds such integers fast.

FIELD = 64  # bits; counts of RANK_EXACT_MAX items stay below 2^60


def fields(counts: int) -> List[int]:
    """The counts in the integer, one for each sum from 0."""
    data = counts.to_bytes((counts.bit_length() + FIELD - 1) // FIELD * (FIELD // 8), "little")
    return [int.from_bytes(data[i:i + FIELD // 8], "little")
            for i in range(0, len(data), FIELD // 8)]


@functools.lru_cache(maxsize=256)  # runs without ties all have the same ranks
def subset_sums(weights: Tuple[int, ...], size: int) -> List[int]:
    """How many subsets of exactly `size` of the weights have the sum 0, 1, 2, ..."""
    counts = [1] + [0] * size
    for weight in weights:
        for k in range(size, 0, -1):
            counts[k] += counts[k - 1] << (weight * FIELD)
    return fields(counts[size])


def sign_sums(weights: Sequence[int]) -> List[int]:
    """How many subsets of any size, which is patterns of signs, have the sum 0, 1, 2, ..."""
    counts = 1
    for weight in weights:
        counts += counts << (weight * FIELD)
    return fields(counts)


def u_counts(m: int, n: int) -> List[int]:
    """How many orders of m and n runs without ties give Mann and Whitney's U = 0, 1, 2, ..."""
    return subset_sums(tuple(range(1, m + n + 1)), m)[m * (m + 1) // 2:]


def doubled_ranks(values: Sequence[float]) -> List[int]:
    """Ranks from 1, times 2 so that the middle rank of ties is whole."""
    ordered = sorted(values)
    return [bisect.bisect_left(ordered, value) + 1 + bisect.bisect_right(ordered, value)
            for value in values]


# ---- independent runs ----


def mann_whitney(a: Sequence[float], b: Sequence[float], alternative: str = "two-sided") -> float:
    """The p-value of Mann and Whitney's test that a and b come from one distribution; `less`: that
    a tends to be smaller.

    Assumes independent runs. Exact up to RANK_EXACT_MAX runs, ties included: counted over all
    splits of these ranks. Beyond: the normal approximation, corrected for ties and continuity. The
    smallest two-sided p-value of 3 against 3 runs is 0.1, of 4 against 4 0.029, of 5 against 5
    0.008. ValueError when a side has no run. Source: H. B. Mann and D. R. Whitney, Annals of
    Mathematical Statistics 18, 1947; ties: E. L. Lehmann, Nonparametrics, 1975, section 1.4."""
    if alternative not in ALTERNATIVES:
        raise ValueError("the alternative is %r; must be one of %s"
                         % (alternative, ", ".join(ALTERNATIVES)))
    values, m = finite(a) + finite(b), len(a)
    if not a or not b:
        raise ValueError("a test needs runs on both sides")
    ranks = doubled_ranks(values)
    seen, total = sum(ranks[:m]), len(values)
    if total <= RANK_EXACT_MAX:
        return exact_p(subset_sums(tuple(sorted(ranks)), m), seen, alternative)
    middle = sum(ranks) / total
    spread = sum((rank - middle) ** 2 for rank in ranks) / total
    return normal_p(m * middle, m * (total - m) / (total - 1) * spread, seen, alternative)


def differences(a: Sequence[float], b: Sequence[float]) -> List[float]:
    """All a - b, sorted."""
    return sorted(x - y for x in finite(a) for y in finite(b))


def hodges_lehmann(a: Sequence[float], b: Sequence[float]) -> float:
    """How far a's runs lie above b's: the median of all differences a - b.

    Assumes that a differs from b by a shift. ValueError when a side has no run. Source: J. L.
    Hodges and E. L. Lehmann, Annals of Mathematical Statistics 34, 1963."""
    return median(differences(a, b))


def shift_interval(a: Sequence[float], b: Sequence[float],
                   confidence: float = 0.95) -> Optional[Interval]:
    """The shifts that mann_whitney() does not reject: two of the sorted differences a - b.

    Assumes independent runs and a shift; ties widen it. None when there are too few runs: 0.95
    takes 4 on each side (or 3 and 5, 2 and 8). Source: P. K. Sen, Biometrics 19, 1963; M. Hollander
    and D. A. Wolfe, Nonparametric Statistical Methods, 1999, section 4.3."""
    m, n = len(a), len(b)
    if not m or not n:
        return None
    if m + n <= RANK_EXACT_MAX:
        place = innermost(u_counts(m, n)[:(m * n + 1) // 2], math.comb(m + n, m), confidence)
    else:
        place = approximate_place(m * n / 2, m * n * (m + n + 1) / 12, confidence)
    return at_place(differences(a, b), place)


def logs(values: Sequence[float]) -> List[float]:
    """The logarithms. ValueError unless all values are above 0."""
    for value in finite(values):
        if value <= 0:
            raise ValueError("a ratio needs values above 0, not %r" % value)
    return [math.log(value) for value in values]


def as_factors(interval: Optional[Interval]) -> Optional[Interval]:
    """An interval of differences of logarithms as an interval of ratios."""
    return interval and Interval(math.exp(interval.low), math.exp(interval.high),
                                 interval.confidence)


def ratio_estimate(a: Sequence[float], b: Sequence[float]) -> float:
    """The factor by which a's runs exceed b's: hodges_lehmann() of the logarithms. ValueError when
    a side has no run or a value is not above 0."""
    return math.exp(hodges_lehmann(logs(a), logs(b)))


def ratio_interval(a: Sequence[float], b: Sequence[float],
                   confidence: float = 0.95) -> Optional[Interval]:
    """shift_interval() of the logarithms, as factors. None when there are too few runs."""
    return as_factors(shift_interval(logs(a), logs(b), confidence))


# ---- runs in pairs ----


def signed_rank(found: Sequence[float]) -> float:
    """The two-sided p-value of Wilcoxon's signed-rank test that paired differences lie
    symmetrically about 0.

    Assumes independent pairs; differences of 0 are left out. Exact up to RANK_EXACT_MAX pairs, ties
    included. The smallest p-value of n pairs is 2 / 2^n: 5 pairs never reach 0.05. Source: F.
    Wilcoxon, Biometrics 1, 1945."""
    moved = [value for value in finite(found) if value != 0]
    ranks = doubled_ranks([abs(value) for value in moved])
    seen = sum(rank for rank, value in zip(ranks, moved) if value > 0)
    if len(moved) <= RANK_EXACT_MAX:
        return exact_p(sign_sums(ranks), seen, "two-sided")
    return normal_p(sum(ranks) / 2, sum(rank ** 2 for rank in ranks) / 4, seen, "two-sided")


def walsh_averages(found: Sequence[float]) -> List[float]:
    """The means of all pairs of values, each with itself too, sorted."""
    listed = finite(found)
    return sorted((x + y) / 2 for i, x in enumerate(listed) for y in listed[i:])


def pseudomedian(found: Sequence[float]) -> float:
    """The middle of paired differences: the median of their Walsh averages.

    Assumes that they lie symmetrically about it. ValueError without any. Source: Hodges and
    Lehmann, 1963."""
    return median(walsh_averages(found))


def signed_rank_interval(found: Sequence[float], confidence: float = 0.95) -> Optional[Interval]:
    """The interval of the middle of paired differences: the values that the signed-rank test does
    not reject, two of the sorted Walsh averages.

    Assumes independent blocks whose differences lie symmetrically about their middle; for a ratio
    take differences of logarithms. None when there are too few: 0.95 takes 6, 0.9 takes 5. Source:
    J. W. Tukey, 1949; Hollander and Wolfe, 1999, section 3.3."""
    n, averages = len(found), walsh_averages(found)
    if n == 0:
        return None
    if n <= RANK_EXACT_MAX:
        half = sign_sums(range(1, n + 1))[:(len(averages) + 1) // 2]
        return at_place(averages, innermost(half, 2 ** n, confidence))
    return at_place(averages, approximate_place(
        n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24, confidence))


def log_ratios(a: Sequence[float], b: Sequence[float]) -> List[float]:
    """log a - log b of runs in pairs. ValueError if a run has no partner or a value is not above
    0."""
    if len(a) != len(b):
        raise ValueError("%d runs cannot be paired with %d" % (len(a), len(b)))
    return [x - y for x, y in zip(logs(a), logs(b))]


def paired_ratio(a: Sequence[float], b: Sequence[float]) -> float:
    """The factor by which a exceeds b, block by block: pseudomedian() of the logarithms."""
    return math.exp(pseudomedian(log_ratios(a, b)))


def paired_ratio_interval(a: Sequence[float], b: Sequence[float],
                          confidence: float = 0.95) -> Optional[Interval]:
    """signed_rank_interval() of the logarithms, as factors. None with too few pairs."""
    return as_factors(signed_rank_interval(log_ratios(a, b), confidence))


# ---- order ----


def spearman(a: Sequence[float], b: Sequence[float]) -> Optional[float]:
    """Spearman's rank correlation, ties at their middle rank; None if one side's values are all
    alike. Source: C. Spearman, American Journal of Psychology 15, 1904."""
    x, y = doubled_ranks(finite(a)), doubled_ranks(finite(b))
    if len(x) != len(y):
        raise ValueError("%d values cannot be paired with %d" % (len(a), len(b)))
    middle = len(x) + 1
    squares = [sum((rank - middle) ** 2 for rank in side) for side in (x, y)]
    if not all(squares):
        return None
    return sum((one - middle) * (other - middle) for one, other in zip(x, y)) / math.sqrt(
        squares[0] * squares[1])


def spearman_p(a: Sequence[float], b: Sequence[float]) -> float:
    """The p-value that a stands in b's order: how often a shuffled `a` correlates at least as well.

    Assumes that without a relation every order is as likely. All orders are counted if they are at
    most SHUFFLES, else so many are drawn, the same ones each time; the order found counts as one of
    them, so the p-value holds."""
    x, y = doubled_ranks(finite(a)), doubled_ranks(finite(b))
    def score(order: Sequence[int]) -> int:
        return sum(one * other for one, other in zip(order, y))
    seen = score(x)
    if math.factorial(len(x)) <= SHUFFLES:
        scores = [score(order) for order in itertools.permutations(x)]
        return sum(one >= seen for one in scores) / len(scores)
    shuffled = random.Random(SHUFFLES)
    found = sum(score(shuffled.sample(x, len(x))) >= seen for _ in range(SHUFFLES - 1))
    return (found + 1) / SHUFFLES
