#!/usr/bin/env python3
"""Compares two results folders, or two parts of one, cell by cell: B against A.

A change is a ratio B / A with its interval. It needs significance in the whole list; equality needs
an interval within the margin.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # missing under PYTHONSAFEPATH
    import own_python  # first: nothing else may come from the user's settings

import argparse
import json
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import bench_lines
from families import LEVEL, T_OF_LOGS, Test, runs_for_exact, tests
from matching import (Filter, MACHINE, Match, Pair, WORKLOAD, asked_keys, chosen, match, mixtures,
                      parse_filter, record, surroundings, uncounted, values)
from ranks import (RANK_EXACT_MAX, paired_ratio, paired_ratio_interval, ratio_estimate,
                   ratio_interval)
from rows import Results, Row, is_result, load_or_explain, numbers, run_command
from stats import Interval, equivalent, median
from tables import Column, NONE, Table, number, to_markdown, to_text

RUNS_MIN, PAIRS_MIN = 5, 6  # for any verdict: on each side; of paired runs
CONFIDENCE = 0.95
MARGIN_PERCENT = 5.0
PROGRAM = "plot/compare.py"


class Metric(NamedTuple):
    """A key of a row to compare. `scale` converts it to `unit`; `up` and `down` are the verdicts
    for a B above and below A, and `worse` is the one that is a regression."""

    name: str
    key: str = ""
    unit: str = ""
    scale: float = 1
    up: str = "higher"
    down: str = "lower"
    worse: str = ""
    digits: Optional[int] = None  # decimals in print; None: three digits


METRICS = (
    Metric("time", "elapsed_ms", "ms", 1, "slower", "faster", "slower"),
    Metric("throughput", "bytes_per_s", "MB/s", 1e-6, "faster", "slower", "slower"),
    Metric("cpu", "gb_per_cpu_s", "GB/CPU s", 1, "more", "less", "less"),
    Metric("memory", "peak_rss_kb", "MB", 1.024e-3, "more", "less", "more"),
    Metric("p99", "latency_us_p99", "ms", 1e-3, "slower", "faster", "slower"),
    Metric("connect", "connect_ms", "ms", 1, "slower", "faster", "slower"),
    # of screens: the worst one's p95 in its window, and decoded; a key there and back
    Metric("delay", "worst_screen_p95_ms", "ms", 1, "slower", "faster", "slower"),
    Metric("decoded", "decoded_worst_p95_ms", "ms", 1, "slower", "faster", "slower"),
    Metric("key", "input_ms_p95", "ms", 1, "slower", "faster", "slower"),
    Metric("update", "cpu_us_per_update", "CPU us", 1, "more", "less", "more"),
)
TOO_FEW, INCONCLUSIVE, UNFIT = "too few runs", "inconclusive", "not comparable"


class Data(NamedTuple):
    """The values of one metric of one cell; by repeat, if runs are paired."""

    cell: str
    metric: Metric
    a: List[float]
    b: List[float]


class Line(NamedTuple):
    """The comparison of one metric of one cell. `change` is B / A; None without a ratio."""

    cell: str
    metric: Metric
    a: List[float]
    b: List[float]
    change: Optional[float]
    interval: Optional[Interval]
    test: Optional[Test]
    verdict: str
    regression: bool


class Refusal(Exception):
    """Why two sides cannot be compared; `forced` if --force overrides it."""

    def __init__(self, why: str, forced: bool = True) -> None:
        super().__init__(why)
        self.forced = forced


# ---- verdicts ----


class Method(NamedTuple):
    """How two lists of runs are compared."""

    paired: bool
    runs_min: int
    change: Callable[[Sequence[float], Sequence[float]], float]
    interval: Callable[[Sequence[float], Sequence[float], float], Optional[Interval]]
    words: str


INDEPENDENT = Method(False, RUNS_MIN, ratio_estimate, ratio_interval,
                     "Hodges-Lehmann of the logarithms, with an exact interval by ranks")
PAIRED = Method(True, PAIRS_MIN, paired_ratio, paired_ratio_interval,
                "within repeats, Hodges-Lehmann of the logarithms, with an exact interval by "
                "signed ranks")


def verdict(metric: Metric, interval: Optional[Interval], adjusted: float, margin: float) -> str:
    """In words. A direction needs significance in the list and an exact interval without 1."""
    if equivalent(interval, margin):
        return "within %g %%" % (100 * margin)
    if interval is None or adjusted > LEVEL or interval.low <= 1 <= interval.high:
        return INCONCLUSIVE
    return metric.up if interval.low > 1 else metric.down


def judged(data: Data, method: Method, test: Optional[Test], margin: float) -> Line:
    """A line; without a test it has too little data for a verdict."""
    if min(data.a + data.b, default=0) <= 0 or not data.a or not data.b:
        return Line(*data, None, None, None, UNFIT, False)
    change = method.change(data.b, data.a)
    if test is None:
        return Line(*data, change, None, None, TOO_FEW, False)
    interval = method.interval(data.b, data.a, CONFIDENCE)
    words = verdict(data.metric, interval, test.adjusted, margin)
    beyond = max(change, 1 / change) > 1 + margin
    return Line(*data, change, interval, test, words, words == data.metric.worse and beyond)


def judge(listed: Sequence[Data], margin: float, method: Method) -> List[Line]:
    """All lines, with p-values adjusted for the whole list."""
    testable = [data for data in listed if min(len(data.a), len(data.b)) >= method.runs_min
                and min(data.a + data.b) > 0]
    found = tests([(data.b, data.a) for data in testable], method.paired)
    by_line = {id(data): test for data, test in zip(testable, found)}
    return [judged(data, method, by_line.get(id(data)), margin) for data in listed]


# ---- what is compared ----


def by_repeat(pair: Pair, key: str) -> Tuple[List[float], List[float]]:
    """The values of the repeats that both sides have measured."""
    a, b = ({row["repeat"]: row[key] for row in reversed(rows) if row.get(key) is not None}
            for rows in (pair.a, pair.b))
    shared = sorted(set(a) & set(b))
    return [a[repeat] for repeat in shared], [b[repeat] for repeat in shared]


def data_of_cells(pairs: Sequence[Pair], metrics: Sequence[Metric], paired: bool) -> List[Data]:
    """By cell and metric. A metric that neither side measured has no line."""
    found = []
    for pair in pairs:
        for metric in metrics:
            sides = numbers(pair.a, metric.key), numbers(pair.b, metric.key)
            if any(sides):
                sides = by_repeat(pair, metric.key) if paired else sides
                found.append(Data(pair.name, metric, *sides))
    return found


def data_of_bench(a: Results, b: Results) -> List[Data]:
    """The lines of the bench's table, one value a block. A line that prints as 0 on both sides has
    no ratio and is left out."""
    found = []
    for line in bench_lines.LINES:
        ours, theirs = (line.find(bench_lines.bench_of(side)) for side in (a, b))
        if any(round(value, line.digits) for value in ours.values + theirs.values):
            worse = {True: "lower", False: "higher", None: ""}[line.more_is_better]
            name = "%s: %s" % (line.short or line.figure, " ".join(ours.of.split()))
            metric = Metric(name, worse=worse, digits=line.digits)
            found.append(Data(line.section, metric, ours.values, theirs.values))
    return found


class Asked(NamedTuple):
    """The two sides' selected rows, and the keys in which the selections differ."""

    a: List[Row]
    b: List[Row]
    keys: Set[str]


def select_sides(a: Results, b: Results, filters: Dict[str, Filter]) -> Asked:
    """The results of both sides. ValueError if a filter is wrong, Refusal if a side has none."""
    keys = asked_keys(filters["a"], filters["b"])
    sides = []
    for name, results in (("a", a), ("b", b)):
        rows = [row for row in results.rows if is_result(row)]
        if not rows:
            why = "has %d rows, but none is a result (status ok, audit pass)" % len(results.rows) \
                if results.rows else "has no usable row: " + (*results.problems, "it is empty")[0]
            raise Refusal("%s (%s) %s" % (name.upper(), results.folder, why), forced=False)
        for option in ("only", name):
            rows = chosen(rows, "--" + option, filters[option]) if filters[option] else rows
        sides.append(rows)
    return Asked(sides[0], sides[1], keys)


def refusals(a: Results, b: Results, asked: Asked, found: Match) -> List[Refusal]:
    against = [Refusal(why) for side, rows in (("A", asked.a), ("B", asked.b))
               for why in mixtures(rows, side)]
    if not found.pairs:
        against.append(Refusal("no cell of A has a partner in B (%d and %d cells); name the "
                               "difference with --a and --b, such as --a scheme=fixed --b "
                               "scheme=chain" % found.alone, forced=False))
    against += [Refusal("the work differs in %s: %s" % (key, found.differs[key]))
                for key in WORKLOAD if key in found.differs and key not in asked.keys]
    return against


def remarks(a: Results, b: Results, asked: Asked, found: Match) -> List[str]:
    """What a reader must know about the sides but cannot see in the table."""
    said = ["%s differs%s: %s" % (key, "" if key in asked.keys else " (not asked for)", words)
            for key, words in found.differs.items()]
    said += ["%s differs: %s against %s" % (key, values(asked.a, key), values(asked.b, key))
             for key in MACHINE if values(asked.a, key) != values(asked.b, key)]
    if a.folder != b.folder:
        said += surroundings(a, b, found.pairs)
    elif asked.a == asked.b:
        said.append("A and B are the same rows")
    if any(found.alone):
        said.append("%d cells of A and %d of B have no partner" % found.alone)
    for side, results in (("A", a), ("B", b)) if a.folder != b.folder else (("A and B", a),):
        said += uncounted(results, side)
    return said


# ---- output ----


def texts_of(line: Line) -> List[str]:
    def middle(found: Sequence[float]) -> str:
        if not found:
            return NONE
        value, digits = median(found) * line.metric.scale, line.metric.digits
        return number(value) if digits is None else "%.*f" % (digits, value)
    reach = "%s..%s" % (number(line.interval.low), number(line.interval.high)) \
        if line.interval else NONE
    name = ", ".join(filter(None, (line.metric.name, line.metric.unit)))
    change = NONE if line.change is None else number(line.change) + "x"
    return ["  " + name, middle(line.a), middle(line.b), change, reach,
            "%d/%d" % (len(line.a), len(line.b)),
            line.verdict + (" (!)" if line.regression else ""), p_text(line.test)]


def p_text(test: Optional[Test]) -> str:
    """An adjusted p; a t marks one that is not by ranks."""
    if test is None:
        return NONE
    text = "<.0001" if test.adjusted < 0.0001 else "%.2g" % test.adjusted
    return text + ("t" if test.method == T_OF_LOGS else "")


COLUMNS = (Column("cell, metric", left=True), Column("A"), Column("B"), Column("B / A"),
           Column("95 %"), Column("n"), Column("verdict", left=True), Column("p"))


def footnotes(lines: Sequence[Line], margin: float, method: Method) -> List[str]:
    tested = [line.test for line in lines if line.test]
    words = [line.verdict for line in lines]
    notes = ["%d lines: %s." % (len(lines), ", ".join("%d %s" % (words.count(word), word)
                                                      for word in dict.fromkeys(words))),
             "A, B: medians. B / A: %s, for each line alone. p: two-sided, adjusted "
             "by Holm for the %d lines with enough runs." % (method.words, len(tested))]
    if any(test.method == T_OF_LOGS for test in tested):
        notes.append("p with a t: %s t-test of logarithms, which assumes log-normal runs: so few "
                     "runs cannot reach %g by ranks in a list this long; %d a side could."
                     % ("Student's" if method.paired else "Welch's", LEVEL,
                        runs_for_exact(len(tested), method.paired)))
    if any(line.test and len(line.a) + (0 if method.paired else len(line.b)) > RANK_EXACT_MAX
           for line in lines):
        notes.append("Lines with more than %d %s: p by the normal approximation."
                     % (RANK_EXACT_MAX, "pairs" if method.paired else "runs in all"))
    if any(line.verdict == TOO_FEW for line in lines):
        notes.append("Too few runs: a verdict takes %d on each side." % method.runs_min)
    if any(line.verdict == UNFIT for line in lines):
        notes.append("Not comparable: not measured on both sides%s, or a value of 0."
                     % (" in any repeat" if method.paired else ""))
    worse = [line for line in lines if line.regression]
    notes.append("(!) %d regressions: worse, and by more than %g %%." % (len(worse), 100 * margin)
                 if worse else "No regression beyond %g %%." % (100 * margin))
    return notes


def as_table(lines: Sequence[Line], title: str, margin: float, method: Method) -> Table:
    """For text and Markdown: each cell's lines under its name."""
    rows: List[Optional[List[str]]] = []
    for line, before in zip(lines, [None, *lines]):
        if before is None or before.cell != line.cell:
            rows.append([line.cell])
        rows.append(texts_of(line))
    return Table(title, COLUMNS, rows, footnotes(lines, margin, method))


def as_object(line: Line) -> Dict[str, Any]:
    """For --json, in the units of the rows."""
    interval, test = line.interval, line.test
    return {"cell": line.cell, "metric": line.metric.name, "key": line.metric.key,
            "a": line.a, "b": line.b, "median_a": median(line.a) if line.a else None,
            "median_b": median(line.b) if line.b else None, "ratio": line.change,
            "interval": [interval.low, interval.high] if interval else None,
            "confidence": interval.confidence if interval else None,
            "p": test.p if test else None, "p_holm": test.adjusted if test else None,
            "test": test.method if test else None, "verdict": line.verdict,
            "regression": line.regression}


# ---- the command ----

ABOUT = """Compares two results folders, or two parts of one, cell by cell. A is the baseline.
Cells are matched by all their options except those in which the sides differ.
With --bench: compares the ratios and figures of make bench, one line for each of its table."""
EPILOGUE = """examples:
  plot/compare.py out/before out/after                         two commits, two machines
  plot/compare.py --bench out/bench-before out/bench-after     make bench, before and after
  plot/compare.py out/latest out/latest --a scheme=fixed --b scheme=chain
  plot/compare.py out/latest out/latest --only scenario=table3 --a workers=4 --b workers=16
  plot/compare.py out/latest out/latest --paired --a label=A --b label=B
  plot/compare.py out/before out/after --metrics time,memory --margin 10 --markdown

verdicts:
  faster, slower, more, less,   significant in the whole list (p, adjusted by Holm, <= 0.05)
  higher, lower
  within 5 %                    no difference: the interval lies within the margin
  inconclusive                  neither: take more repeats
  too few runs                  fewer than 5 on a side (6 with --paired)
  not comparable                not measured on both sides, or a value of 0
A regression is a verdict for the worse of more than the margin; (!) marks it.

metrics: time, throughput, cpu (GB per CPU second of the client), memory (peak), p99 (latency),
connect (time to connect all); of screens delay (worst p95 in a window), decoded (the same without
one), key (there and back, p95), update (CPU time). Each adds lines to the list and so makes every p
larger.

exit codes: 0 compared, no regression; 1 a regression; 2 wrong use, or nothing to compare"""


def metrics_of(text: Optional[str]) -> List[Metric]:
    """The metrics by name. ValueError names one that does not exist."""
    known = {metric.name: metric for metric in METRICS}
    names = [name.strip() for name in text.split(",")] if text is not None else list(known)
    for name in names:
        if name not in known:
            raise ValueError("--metrics: %r is none of %s" % (name, ", ".join(known)))
    return [known[name] for name in dict.fromkeys(names)]


def share(text: str) -> float:
    """A margin in percent, as a share."""
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0 < percent <= 1000:
        raise argparse.ArgumentTypeError("%s: must be percent above 0, such as 5" % text)
    return percent / 100


def options(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ABOUT, epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline", metavar="A", help="results folder that fanin-sweep wrote")
    parser.add_argument("other", metavar="B", help="another, or the same")
    parser.add_argument("--bench", action="store_true", help="both are folders of make bench: "
                        "compare the lines of its table, block by block")
    for name, what in (("a", "only these rows of A"), ("b", "only these rows of B"),
                       ("only", "only these rows of both")):
        parser.add_argument("--" + name, metavar="KEY=VALUE,...", action="append", default=[],
                            help=what + "; keys are those of results/README.md")
    parser.add_argument("--metrics", metavar="M,M,...", help="only these (default: all)")
    parser.add_argument("--margin", metavar="PERCENT", type=share, default=MARGIN_PERCENT / 100,
                        help="smaller changes do not matter (default: %g)" % MARGIN_PERCENT)
    parser.add_argument("--paired", action="store_true", help="within one sweep: compare runs of "
                        "the same repeat, so that the machine's drift cancels out")
    parser.add_argument("--force", action="store_true",
                        help="compare although machines are mixed, or the work differs")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as a Markdown table")
    form.add_argument("--json", action="store_true", help="as one JSON object, in the rows' units")
    return parser.parse_args(arguments)


def is_one(baseline: str, other: str) -> bool:
    """Whether both name the same folder: r and r/, a link, a way round."""
    return os.path.realpath(baseline) == os.path.realpath(other)


def check_options(asked: argparse.Namespace) -> None:
    """ValueError for options that exclude each other."""
    if asked.paired and not is_one(asked.baseline, asked.other):
        raise ValueError("--paired needs one folder, given twice: only rows of one sweep and one "
                         "repeat ran side by side")
    if asked.bench and (asked.a or asked.b or asked.only or asked.metrics or asked.paired):
        raise ValueError("--bench compares whole folders; remove --a, --b, --only, --metrics and "
                         "--paired")


def load_both(baseline: str, other: str) -> Tuple[Optional[Results], Optional[Results]]:
    """Both folders, read once if they are one; None after a line on standard error."""
    first = load_or_explain(PROGRAM, baseline)[0]
    if first is None or is_one(baseline, other):
        return first, first
    return first, load_or_explain(PROGRAM, other)[0]


def prepared(a: Results, b: Results, asked: argparse.Namespace) -> Tuple[List[Data], List[str]]:
    """The data and the remarks. ValueError on wrong use, Refusal for sides that do not compare."""
    check_options(asked)
    metrics = metrics_of(asked.metrics)
    filters = {name: parse_filter("--" + name, getattr(asked, name))
               for name in ("a", "b", "only")}
    if asked.bench:
        filters["only"] = {"scenario": bench_lines.SCENARIO}
    sides = select_sides(a, b, filters)
    found = match(sides.a, sides.b, sides.keys)
    against = refusals(a, b, sides, found)
    for refusal in against:
        if not (refusal.forced and asked.force):
            raise refusal
    listed = data_of_bench(a, b) if asked.bench else data_of_cells(found.pairs, metrics,
                                                                   asked.paired)
    if not listed:
        raise ValueError("no row of the matched cells measured %s"
                         % ", ".join(metric.name for metric in metrics))
    return listed, [str(refusal) for refusal in against] + remarks(a, b, sides, found)


def show(lines: Sequence[Line], said: Sequence[str], asked: argparse.Namespace,
         method: Method) -> None:
    """On standard output, in the form that was asked for."""
    if asked.json:
        print(json.dumps({"a": asked.baseline, "b": asked.other, "margin": asked.margin,
                          "warnings": list(said), "lines": [as_object(line) for line in lines],
                          "regressions": sum(line.regression for line in lines)}, indent=1))
        return
    names = [" ".join(words) for words in ([asked.other] + asked.b, [asked.baseline] + asked.a)]
    table = as_table(lines, "B (%s) against A (%s)" % tuple(names), asked.margin, method)
    print((to_markdown if asked.markdown else to_text)(table), end="")
    for remark in said:
        print(("\n- " if asked.markdown else "  ") + "Note: %s" % remark)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    asked = options(arguments)
    a, b = load_both(asked.baseline, asked.other)
    if a is None or b is None:
        return 2
    try:
        listed, said = prepared(a, b, asked)
    except (Refusal, ValueError) as error:
        forced = isinstance(error, Refusal) and error.forced
        print("%s: %s%s" % (PROGRAM, error, "; --force goes on" if forced else ""),
              file=sys.stderr)
        return 2
    method = PAIRED if asked.paired else INDEPENDENT
    lines = judge(listed, asked.margin, method)
    show(lines, said, asked, method)
    return 1 if any(line.regression for line in lines) else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
