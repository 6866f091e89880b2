"""Many comparisons in one list: which test each takes, so that Holm leaves it something to say.

Ranks of 5 against 5 runs cannot bring a p-value below 0.008, however far apart the runs lie: in a
list of ten lines Holm would clear every one of them, and a check that cannot fail checks nothing.
So a line takes the exact test where its runs could reach the level in a list of this length, and a
t-test of the logarithms where they could not. That hangs on the numbers of runs and of lines alone,
never on what was measured. Independent runs: Mann and Whitney's test, or Welch's t. Runs in pairs:
the permutation of the pairs, or Student's t.
"""

import math
import statistics
from typing import List, NamedTuple, Optional, Sequence, Tuple

from ranks import log_ratios, logs, mann_whitney, paired_permutation
from stats import finite, holm

LEVEL = 0.05     # the chance of even one false finding in the whole list
T_RUNS_MIN = 2   # on each side: a variance needs two
TERMS_MAX = 500  # of the continued fraction; a few dozen do
RANKS, PERMUTATION, T_OF_LOGS = "ranks", "permutation", "t of logs"

Sides = Tuple[Sequence[float], Sequence[float]]


class Test(NamedTuple):
    """One line's p-value, alone and adjusted for the list, and the test it is of."""

    p: float
    adjusted: float
    method: str


# ---- Student's t ----


def beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    def guarded(value: float) -> float:
        return value if abs(value) > 1e-300 else 1e-300
    c, d = 1.0, 1 / guarded(1 - (a + b) * x / (a + 1))
    product = d
    for m in range(1, TERMS_MAX):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                     -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            c, d = guarded(1 + term / c), 1 / guarded(1 + term * d)
            product *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return product


def beta_share(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b). Source: Abramowitz and Stegun, 1964,
    26.5.8."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front + a * math.log(x) + b * math.log1p(-x)) / a * beta_fraction(a, b, x)


def t_tails(t: float, freedom: float) -> float:
    """The chance that Student's t lies further from 0 than `t`, on either side."""
    return beta_share(freedom / 2, 0.5, freedom / (freedom + t * t))


class Welch(NamedTuple):
    """The difference of two means, its standard error and degrees of freedom."""

    difference: float
    error: float
    freedom: float


def welch(a: Sequence[float], b: Sequence[float]) -> Optional[Welch]:
    """Of the means a - b, variances not taken to be equal. None where no variance can be told: a
    side of fewer than T_RUNS_MIN runs, or no run that differs from its neighbours on either side.

    Source: B. L. Welch, Biometrika 34, 1947."""
    if min(len(finite(a)), len(finite(b))) < T_RUNS_MIN:
        return None
    one, other = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    if one + other == 0:
        return None
    freedom = (one + other) ** 2 / (one ** 2 / (len(a) - 1) + other ** 2 / (len(b) - 1))
    return Welch(statistics.fmean(a) - statistics.fmean(b), math.sqrt(one + other), freedom)


def welch_p(a: Sequence[float], b: Sequence[float]) -> Optional[float]:
    """The two-sided p-value that a and b have one mean. Assumes independent, normal runs.
    Long tails and outliers make it too large rather than too small; runs that jump between two
    levels make it too small: simulated lists of 40 lines, 5 against 5 runs, then had a false
    finding in 9 of 100 instead of at most 5. None where welch() is."""
    found = welch(a, b)
    return found and t_tails(found.difference / found.error, found.freedom)


def student_p(found: Sequence[float]) -> Optional[float]:
    """The two-sided p-value that paired differences have the mean 0. Assumes them independent and
    normal. None with fewer than two, or where they are all the same.

    Source: Student, Biometrika 6, 1908."""
    n = len(finite(found))
    if n < T_RUNS_MIN or statistics.variance(found) == 0:
        return None
    return t_tails(statistics.fmean(found) / math.sqrt(statistics.variance(found) / n), n - 1)


# ---- the list ----


def rank_floor(m: int, n: int) -> float:
    """The smallest two-sided p-value that the ranks of m against n runs can reach."""
    return min(1.0, 2 / math.comb(m + n, m))


def runs_for_exact(lines: int, paired: bool = False) -> int:
    """How many runs on each side let the exact test reach the level in a list of so many lines."""
    n = 1
    while (pairs_floor(n) if paired else rank_floor(n, n)) * lines > LEVEL:
        n += 1
    return n


def p_in_list(a: Sequence[float], b: Sequence[float], lines: int) -> Tuple[float, str]:
    """A line's own two-sided p-value, and the test it is of: see the head of this file. Ratios are
    meant, so values must be above 0. Ranks decide, too, where runs do not differ at all."""
    if rank_floor(len(a), len(b)) * lines > LEVEL:
        p = welch_p(logs(a), logs(b))
        if p is not None:
            return p, T_OF_LOGS
    return mann_whitney(a, b), RANKS


def pairs_floor(n: int) -> float:
    """The smallest two-sided p-value that the permutation of n pairs can reach."""
    return min(1.0, 2 / 2 ** n)


def paired_p_in_list(a: Sequence[float], b: Sequence[float], lines: int) -> Tuple[float, str]:
    """The same for runs in pairs."""
    if pairs_floor(len(a)) * lines > LEVEL:
        p = student_p(log_ratios(a, b))
        if p is not None:
            return p, T_OF_LOGS
    return paired_permutation(list(zip(logs(a), logs(b)))), PERMUTATION


def adjusted_tests(alone: Sequence[Tuple[float, str]]) -> List[Test]:
    """The lines' own p-values, adjusted by Holm for all of them."""
    return [Test(p, adjusted, method)
            for (p, method), adjusted in zip(alone, holm([p for p, _ in alone]))]


def tests(sides: Sequence[Sides]) -> List[Test]:
    """Of a whole list of comparisons of independent runs."""
    return adjusted_tests([p_in_list(a, b, len(sides)) for a, b in sides])


def paired_tests(sides: Sequence[Sides]) -> List[Test]:
    """Of a whole list of comparisons of runs in pairs."""
    return adjusted_tests([paired_p_in_list(a, b, len(sides)) for a, b in sides])
