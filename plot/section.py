"""What a report consists of: sections of paragraphs, tables and figures. Each is built once, then
printed as text, Markdown or HTML, or drawn by gnuplot."""

import os
import re
from typing import (Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Sized, Tuple,
                    Union)

from rows import Results, Row, clock_limited, is_result, numbers, select, without_latency
from stats import Spread, spread
from tables import NONE, Column, Table, number, span

LATENCY_COLUMNS = tuple(Column(head, name) for name in ("p50", "p99", "p99.9")
                        for head in ("median", "min..max")) + (Column("clocks"),)
LATENCY_NOTE = "Latency: from the moment a record was due to be sent until it was processed."
NOT_RUN_FILE = "not-run.txt"  # lines `SCENARIO: why`
LEFT_OUT = "Left out"  # begins the one line of a section without results
MEGA, KB_TO_MB = 1e-6, 1.024e-3


class Figure(NamedTuple):
    """`template`.gp of this folder draws `data`; `settings` become its variables."""

    name: str
    template: str
    size: Tuple[int, int]  # in SVG pixels; the PNG has twice as many
    settings: Dict[str, Union[str, float]]
    data: str
    title: str
    alt: str = ""    # the alternative text
    label: str = ""  # what distinguishes this variant: its link, its options

    @property
    def caption(self) -> str:
        return with_label(self.title, self.label)


class Section(NamedTuple):
    """One experiment of the report. A title is `Short name. The rest`; tables and the navigation
    link to the short name."""

    title: str
    blocks: List[Union[str, Table]]  # a str is a paragraph
    figures: List[Figure]
    lead: str = ""  # one sentence under the title: what to look for

    @property
    def short(self) -> str:
        return self.title.split(". ")[0].rstrip(".")

    @property
    def anchor(self) -> str:
        return slug(self.short)

    @property
    def is_left_out(self) -> bool:
        """Whether it only states why it has no content."""
        return not self.figures and all(isinstance(block, str) and block.startswith(LEFT_OUT)
                                        for block in self.blocks)


def usable(results: Results, scenario: str, **wanted: Any) -> List[Row]:
    """A scenario's results, without the labelled repetitions of its cells."""
    return unlabelled([row for row in select(results.seen, scenario=scenario, **wanted)
                       if is_result(row)])


def unlabelled(rows: Sequence[Row]) -> List[Row]:
    """The rows without a label, or all rows if each has one. Labelled rows repeat a cell for an A/A
    comparison."""
    return [row for row in rows if not row.get("label")] or list(rows)


def left_out(title: str, results: Results, scenario: str) -> Section:
    """The section of an experiment without results: one line with the reason."""
    rows = select(results.seen, scenario=scenario)
    why = "none of its %d rows counts (see the list of rows left out)" % len(rows) if rows \
        else not_run_reason(results, scenario) or "this folder has no row of scenario %s" % scenario
    return Section(title, ["%s: %s." % (LEFT_OUT, why)], [])


def not_run_reason(results: Results, scenario: str) -> str:
    """`not run: ...`, if what made the folder left a scenario out and said why; "" otherwise."""
    try:
        with open(os.path.join(results.folder, NOT_RUN_FILE), encoding="utf-8") as file:
            lines = [line.strip().partition(": ") for line in file]
    except (OSError, UnicodeDecodeError):
        return ""
    return next(("not run: " + why for name, _, why in lines if name == scenario and why), "")


def measured(rows: Sequence[Row], key: str) -> Optional[Spread]:
    """The values of one key over a cell's runs."""
    return spread(numbers(rows, key))


def ratios_by_block(rows: Sequence[Row], others: Sequence[Row], key: str) -> Dict[int, float]:
    """The ratio of two cells in one key within each block (repeat): slow drift affects both."""
    below = {row["repeat"]: row[key] for row in others if row[key]}
    return {row["repeat"]: row[key] / below[row["repeat"]] for row in rows
            if row[key] and row["repeat"] in below}


def block_ratio(rows: Sequence[Row], others: Sequence[Row], key: str) -> Optional[Spread]:
    return spread(list(ratios_by_block(rows, others, key).values()))


def latency_texts(rows: Sequence[Row]) -> List[str]:
    """The cells of LATENCY_COLUMNS, in ms."""
    found = [measured(rows, "latency_us_" + key) for key in ("p50", "p99", "p999")]
    return [text for one in found
            for text in (number(median_of(one, 1e-3)), range_text(one, 1e-3))] + [clock_text(rows)]


def latency_notes(rows: Sequence[Row]) -> List[str]:
    """What the latencies are, and what the clocks of client and fleet say of them."""
    return [LATENCY_NOTE] + clock_notes(rows)


def clock_error_ms(rows: Sequence[Row]) -> Optional[float]:
    """By how much the clocks of client and fleet may differ more than was corrected, at most."""
    return max((error * 1e-3 for error in numbers(rows, "clock_error_us_max")), default=None)


def clock_text(rows: Sequence[Row]) -> str:
    """The clocks' error in ms, for a cell beside latencies; a star marks clock-limited runs."""
    error = clock_error_ms(rows)
    return NONE if error is None else "+-%s%s" % (number(error), " *" * bool(clock_limited(rows)))


def clock_notes(rows: Sequence[Row]) -> List[str]:
    """How well the clocks of client and fleet are known, of which runs that is not well enough,
    and of which there are no latencies, and why."""
    said, error, limited = [], clock_error_ms(rows), clock_limited(rows)
    if error is not None:
        said.append("Clocks: no latency is more precise than this, the most by which the clocks "
                    "of client and servers may differ after their measured difference was taken "
                    "off.")
    if limited:
        said.append("* Clock-limited: in %d of %d runs that is over 10 %% of p50, or not known." % (
            len(limited), len(rows)))
    return said + ["No latencies of %d of %d runs: %s." % (len(members), len(rows), reason)
                   for reason, members in without_latency(rows).items()]


def median_of(found: Optional[Spread], scale: float = 1) -> Optional[float]:
    """The median in another unit, if there is one."""
    return found.median * scale if found else None


def range_text(found: Optional[Spread], scale: float = 1) -> str:
    """`min..max` in another unit."""
    return span(found.low * scale, found.high * scale) if found else span(None, None)


def has_interval(found: Optional[Spread]) -> bool:
    """Whether the median's interval is narrower than min..max, which takes 9 runs."""
    return bool(found and found.interval and (
        found.interval.low > found.low or found.interval.high < found.high))


def interval_text(found: Optional[Spread], scale: float = 1) -> str:
    """The median's interval in another unit, if it is narrower than min..max."""
    return span(found.interval.low * scale, found.interval.high * scale) \
        if has_interval(found) else ""


def interval_note(found: Iterable[Optional[Spread]]) -> List[str]:
    """The confidence of the printed intervals. Both ends are order statistics, so it follows from
    the binomial distribution."""
    cells = [one for one in found if one]
    if any(map(has_interval, cells)):
        return ["95 %: confidence interval of the median (exact, by order statistics)."]
    least = min((one.n for one in cells), default=1)
    return ["Min..max of %d runs is a %.3g %% confidence interval of the median." % (
        least, 100 * (1 - 0.5 ** (least - 1)))] if least > 1 else []


def overlap(one: Optional[Spread], other: Optional[Spread]) -> bool:
    """Whether the ranges of two cells overlap: then their medians do not show a difference."""
    return bool(one and other and one.low <= other.high and other.low <= one.high)


def run_counts(cells: Iterable[Sized]) -> str:
    """`n = 5` or `n = 4..5`: the number of runs in a cell, for a caption."""
    counts = [len(cell) for cell in cells if cell] or [0]
    low, high = min(counts), max(counts)
    return "n = %d" % low if low == high else "n = %d..%d" % (low, high)


def whiskers(cells: Iterable[Sized]) -> str:
    """A figure's RUNS."""
    return "median of %s, whiskers min..max" % run_counts(cells)


def shorten(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[:columns - 3] + "..."


def with_label(text: str, label: str) -> str:
    """A title and what distinguishes this variant."""
    return "%s (%s)" % (text, label) if label else text


def slug(text: str) -> str:
    """Text as a name for a file or an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


def file_name(name: str, label: str) -> str:
    """A figure's name; variants append their label."""
    return "%s-%s" % (name, slug(label)) if slug(label) else name


def numbered(name: str, values: Iterable[Any]) -> Dict[str, Any]:
    """A figure's settings NAME1, NAME2, ..."""
    return {"%s%d" % (name, i): value for i, value in enumerate(values, 1)}


def point(found: Optional[Spread], scale: float = 1) -> List[Optional[float]]:
    """Median, min and max for a data line, in another unit."""
    return [value * scale for value in (found.median, found.low, found.high)] if found \
        else [None] * 3


def data_line(*values: Any) -> str:
    """A line of a gnuplot data file; None is gnuplot's missing value, text is quoted."""
    def field(value: Any) -> str:
        if value is None:
            return "NaN"
        if isinstance(value, str):
            return '"%s"' % value.replace('"', "'")
        return "%.9g" % value
    return " ".join(field(value) for value in values)


def data_block(comment: str, lines: Sequence[str]) -> str:
    """A data set that gnuplot reads as one `index`, even if it is empty."""
    return "# %s\n%s\n\n\n" % (comment, "\n".join(lines or [data_line(None, None, None, None)]))
