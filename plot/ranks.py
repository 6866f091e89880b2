"""Two cells against each other, by ranks: independent runs, and runs paired in blocks.

Nothing is assumed of the distribution's shape but what each function says. Null distributions are
counted exactly up to the sizes named here; beyond them the normal approximation, or a Monte Carlo
of fixed seed, takes over, and method_of_*() says which.
"""

import bisect
import math
import random
from statistics import NormalDist
from typing import List, Optional, Sequence, Tuple

from stats import Interval, Place, at_place, check_confidence, finite, innermost, median

RANK_EXACT_MAX = 60         # runs of both cells together, or paired differences
PERMUTATION_EXACT_MAX = 24  # pairs: 2 x 2^12 sums
PERMUTATION_DRAWS = 20000
PERMUTATION_SEED = 1
ALTERNATIVES = ("two-sided", "less", "greater")
SAME = 1e-9                 # sums of floats closer than this, relatively, are the same sum

Pair = Tuple[float, float]


def check_alternative(alternative: str) -> None:
    """ValueError on any other word."""
    if alternative not in ALTERNATIVES:
        raise ValueError("the alternative is one of %s, not %r"
                         % (", ".join(ALTERNATIVES), alternative))


def both_sides(lower: float, upper: float, alternative: str) -> float:
    """The p-value from both tails, each with the observed value: two-sided is twice the smaller."""
    check_alternative(alternative)
    two = min(1.0, 2 * min(lower, upper))
    return {"less": min(1.0, lower), "greater": min(1.0, upper), "two-sided": two}[alternative]


# ---- counting ----
# How many choices of items have the sum s is kept for all s in one long integer, FIELD bits a sum:
# taking an item of weight w shifts the integer by w fields, and Python adds such integers fast.

FIELD = 64  # bits: more than any count up to RANK_EXACT_MAX items needs, 2^60


def fields(counts: int) -> List[int]:
    """The integer's counts, one for each sum from 0."""
    data = counts.to_bytes((counts.bit_length() + FIELD - 1) // FIELD * (FIELD // 8), "little")
    return [int.from_bytes(data[i:i + FIELD // 8], "little")
            for i in range(0, len(data), FIELD // 8)]


def subset_sums(weights: Sequence[int], size: int) -> List[int]:
    """How many subsets of exactly `size` of the weights have the sum 0, 1, 2, ..."""
    counts = [1] + [0] * size
    for weight in weights:
        for k in range(size, 0, -1):
            counts[k] += counts[k - 1] << (weight * FIELD)
    return fields(counts[size])


def rank_sums_of_pairs(n: int) -> List[int]:
    """How many of the 2^n sign patterns give the signed-rank statistic 0, 1, 2, ..."""
    counts = 1
    for rank in range(1, n + 1):
        counts += counts << (rank * FIELD)
    return fields(counts)


def u_counts(m: int, n: int) -> List[int]:
    """How many orders of m and n runs without ties give Mann and Whitney's U = 0, 1, 2, ..."""
    return subset_sums(range(1, m + n + 1), m)[m * (m + 1) // 2:]


# ---- independent runs ----


def doubled_ranks(values: Sequence[float]) -> List[int]:
    """Ranks from 1, times 2 so that the middle rank of ties is whole."""
    ordered = sorted(values)
    return [bisect.bisect_left(ordered, value) + 1 + bisect.bisect_right(ordered, value)
            for value in values]


def method_of_mann_whitney(m: int, n: int) -> str:
    """What mann_whitney() and shift_interval() do with m and n runs, in words for a footnote."""
    return "exact ranks" if m + n <= RANK_EXACT_MAX else "ranks, normal approximation"


def mann_whitney(a: Sequence[float], b: Sequence[float], alternative: str = "two-sided") -> float:
    """The p-value of Mann and Whitney's test that a and b come from one distribution; `less`: that
    a tends to be smaller.

    Assumes independent runs. Up to RANK_EXACT_MAX runs the distribution over all splits of these
    very ranks is counted, ties and all, and is exact; two-sided is then twice the smaller tail.
    Beyond: the normal approximation, corrected for ties and continuity. With 3 against 3 runs
    two-sided it cannot come below 0.1, 4 against 4: 0.029, 5 against 5: 0.008. ValueError when a
    side has no run. Source: H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18,
    1947; ties: E. L. Lehmann, Nonparametrics, 1975, section 1.4."""
    check_alternative(alternative)
    values = finite(a) + finite(b)
    if not a or not b:
        raise ValueError("a test needs runs on both sides")
    ranks = doubled_ranks(values)
    seen = sum(ranks[:len(a)])
    if len(values) > RANK_EXACT_MAX:
        return normal_p(ranks, len(a), seen, alternative)
    counts = subset_sums(ranks, len(a))
    total = math.comb(len(values), len(a))
    return both_sides(sum(counts[:seen + 1]) / total, sum(counts[seen:]) / total, alternative)


def normal_p(ranks: Sequence[int], m: int, seen: int, alternative: str) -> float:
    """The same p-value by the normal approximation to the sum of m of the (doubled) ranks, half a
    rank towards the middle."""
    total = len(ranks)
    middle = sum(ranks) / total
    variance = m * (total - m) / (total - 1) * sum((r - middle) ** 2 for r in ranks) / total
    if variance == 0:
        return 1.0
    law = NormalDist(m * middle, math.sqrt(variance))
    return both_sides(law.cdf(seen + 1), 1 - law.cdf(seen - 1), alternative)


def differences(a: Sequence[float], b: Sequence[float]) -> List[float]:
    """All a - b, sorted."""
    return sorted(x - y for x in finite(a) for y in finite(b))


def hodges_lehmann(a: Sequence[float], b: Sequence[float]) -> float:
    """By how much a's runs lie above b's: the median of all differences a - b.

    Assumes that a differs from b by a shift. ValueError when a side has no run. Source: J. L.
    Hodges and E. L. Lehmann, Annals of Mathematical Statistics 34, 1963."""
    return median(differences(a, b))


def shift_interval(a: Sequence[float], b: Sequence[float],
                   confidence: float = 0.95) -> Optional[Interval]:
    """The shifts that mann_whitney() would not reject: two of the sorted differences a - b.

    Assumes independent runs and a shift; ties only make it wider than it need be. None when there
    are too few runs: 0.95 takes 4 on each side (or 3 and 5, 2 and 8). Source: P. K. Sen, Biometrics
    19, 1963; M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods, 1999, section 4.3."""
    if not a or not b:
        return None
    return at_place(differences(a, b), u_place(len(a), len(b), confidence))


def u_place(m: int, n: int, confidence: float) -> Optional[Place]:
    """Which of the m * n sorted differences enclose the shift."""
    if m + n <= RANK_EXACT_MAX:
        half = u_counts(m, n)[:(m * n + 1) // 2]
        return innermost(half, math.comb(m + n, m), confidence)
    return approximate_place(NormalDist(m * n / 2, math.sqrt(m * n * (m + n + 1) / 12)), confidence)


def approximate_place(law: NormalDist, confidence: float) -> Optional[Place]:
    """innermost() by a normal law of the statistic, with its correction for continuity."""
    check_confidence(confidence)
    k = math.floor(law.inv_cdf((1 - confidence) / 2) + 0.5)
    return Place(k, 1 - 2 * law.cdf(k - 0.5)) if k >= 1 else None


def logs(values: Sequence[float]) -> List[float]:
    """ValueError unless all are above 0: a ratio to nothing is none."""
    for value in finite(values):
        if value <= 0:
            raise ValueError("a ratio needs values above 0, not %r" % value)
    return [math.log(value) for value in values]


def ratio_estimate(a: Sequence[float], b: Sequence[float]) -> float:
    """By what factor a's runs lie above b's: hodges_lehmann() of the logarithms.

    Assumes that a differs from b by a factor. ValueError when a side has no run, or a value is not
    above 0."""
    return math.exp(hodges_lehmann(logs(a), logs(b)))


def ratio_interval(a: Sequence[float], b: Sequence[float],
                   confidence: float = 0.95) -> Optional[Interval]:
    """shift_interval() of the logarithms, as factors. None when there are too few runs."""
    return as_factors(shift_interval(logs(a), logs(b), confidence))


def as_factors(interval: Optional[Interval]) -> Optional[Interval]:
    """An interval of logarithms' differences as one of ratios."""
    return interval and Interval(math.exp(interval.low), math.exp(interval.high),
                                 interval.confidence)


# ---- runs in pairs ----


def walsh_averages(found: Sequence[float]) -> List[float]:
    """The means of all pairs, each value with itself too, sorted."""
    listed = finite(found)
    return sorted((x + y) / 2 for i, x in enumerate(listed) for y in listed[i:])


def pseudomedian(found: Sequence[float]) -> float:
    """Where paired differences lie: the median of their Walsh averages. ValueError without any.

    Assumes that they lie symmetrically about it. Source: Hodges and Lehmann, 1963."""
    return median(walsh_averages(found))


def signed_rank_interval(found: Sequence[float], confidence: float = 0.95) -> Optional[Interval]:
    """For the middle of paired differences, by inverting Wilcoxon's signed-rank test: two of the
    sorted Walsh averages.

    Assumes independent blocks whose differences lie symmetrically about their middle; for a ratio
    take differences of logarithms. None when there are too few: 0.95 takes 6, 0.9 takes 5. Source:
    J. W. Tukey, 1949; Hollander and Wolfe, 1999, section 3.3."""
    n = len(found)
    if n == 0:
        return None
    averages = walsh_averages(found)
    if n <= RANK_EXACT_MAX:
        half = rank_sums_of_pairs(n)[:(len(averages) + 1) // 2]
        return at_place(averages, innermost(half, 2 ** n, confidence))
    law = NormalDist(n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24))
    return at_place(averages, approximate_place(law, confidence))


def log_ratios(a: Sequence[float], b: Sequence[float]) -> List[float]:
    """log a - log b of runs in pairs. ValueError if one has no partner, or a value is not above
    0."""
    if len(a) != len(b):
        raise ValueError("%d and %d runs are no pairs" % (len(a), len(b)))
    return [x - y for x, y in zip(logs(a), logs(b))]


def paired_ratio(a: Sequence[float], b: Sequence[float]) -> float:
    """By what factor a lies above b, block by block: pseudomedian() of the logarithms."""
    return math.exp(pseudomedian(log_ratios(a, b)))


def paired_ratio_interval(a: Sequence[float], b: Sequence[float],
                          confidence: float = 0.95) -> Optional[Interval]:
    """signed_rank_interval() of the logarithms, as factors. None with too few pairs."""
    return as_factors(signed_rank_interval(log_ratios(a, b), confidence))


def method_of_permutation(n: int) -> str:
    """What paired_permutation() does with n pairs, in words for a footnote."""
    if n <= PERMUTATION_EXACT_MAX:
        return "exact permutation"
    return "permutation, Monte Carlo (%d draws, seed %d)" % (PERMUTATION_DRAWS, PERMUTATION_SEED)


def paired_permutation(pairs: Sequence[Pair], alternative: str = "two-sided") -> float:
    """The p-value of the test that within each pair (a, b) it is chance which is which; `less`:
    that a tends to be smaller. The statistic is the sum of a - b; for ratios give logarithms.

    Assumes independent pairs (blocks), nothing of their shape. Exact up to PERMUTATION_EXACT_MAX
    pairs, all 2^n exchanges; beyond, a Monte Carlo of fixed seed that counts the observed pairing
    as one of its draws. With n pairs two-sided it cannot come below 2 / 2^n: 5 pairs never reach
    0.05. ValueError without pairs. Source: R. A. Fisher, The Design of Experiments, 1935, section
    21; B. Phipson and G. K. Smyth, 2010, for the Monte Carlo's p."""
    check_alternative(alternative)
    found = finite(a - b for a, b in pairs)
    if not found:
        raise ValueError("a test needs pairs")
    slack = SAME * sum(map(abs, found))
    if len(found) <= PERMUTATION_EXACT_MAX:
        upper = share_of_signs_at_least(found, sum(found) - slack)
        lower = share_of_signs_at_least(found, -sum(found) - slack)
    else:
        sums = random_sign_sums(found) + [sum(found)]
        upper = sum(s >= sum(found) - slack for s in sums) / len(sums)
        lower = sum(s <= sum(found) + slack for s in sums) / len(sums)
    return both_sides(lower, upper, alternative)


def sign_sums(found: Sequence[float]) -> List[float]:
    """The sums of all sign patterns, sorted."""
    sums = [0.0]
    for value in found:
        sums = [s + value for s in sums] + [s - value for s in sums]
    return sorted(sums)


def share_of_signs_at_least(found: Sequence[float], bound: float) -> float:
    """Of all sign patterns, those whose sum reaches the bound: every sum of one half of the values
    meets the sorted sums of the other, so that 2^n patterns take 2^(n/2) steps."""
    one, other = sign_sums(found[::2]), sign_sums(found[1::2])
    hits = sum(len(other) - bisect.bisect_left(other, bound - s) for s in one)
    return hits / (len(one) * len(other))


def random_sign_sums(found: Sequence[float]) -> List[float]:
    """PERMUTATION_DRAWS sums under random signs."""
    draw = random.Random(PERMUTATION_SEED)
    sums = []
    for _ in range(PERMUTATION_DRAWS):
        bits = draw.getrandbits(len(found))
        sums.append(sum(v if bits >> i & 1 else -v for i, v in enumerate(found)))
    return sums
