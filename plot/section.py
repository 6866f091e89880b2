"""What a report is made of: sections of paragraphs, tables and figures, built once and then shown
in a terminal, as Markdown, or by gnuplot."""

import re
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from rows import Results, Row, is_result, numbers, select
from stats import Spread, spread
from tables import Column, Table, number, span

LATENCY_COLUMNS = tuple(Column(head, name) for name in ("p50", "p99", "p99.9")
                        for head in ("median", "min..max"))
LEFT_OUT = "Left out"  # how the one line of a section begins that has no result
MEGA, KB_TO_MB = 1e-6, 1.024e-3


class Figure(NamedTuple):
    """`template`.gp of this folder draws `data`; `settings` become its variables."""

    name: str
    template: str
    size: Tuple[int, int]  # in SVG pixels; the PNG has twice as many
    settings: Dict[str, Union[str, float]]
    data: str
    title: str
    alt: str = ""    # what there is to see, in words, for those who cannot
    label: str = ""  # what sets this variant apart: its link, its options

    @property
    def caption(self) -> str:
        return with_label(self.title, self.label)


class Section(NamedTuple):
    """One experiment of the report. Titles are `Short name. The rest`; the short name is what
    other tables and the page's navigation link to."""

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
        """Whether all that it says is why it says nothing."""
        return not self.figures and all(isinstance(block, str) and block.startswith(LEFT_OUT)
                                        for block in self.blocks)


def usable(results: Results, scenario: str, **wanted: Any) -> List[Row]:
    """The rows of a scenario that count, but not those that only run one of its cells again."""
    return unlabelled([row for row in select(results.rows, scenario=scenario, **wanted)
                       if is_result(row)])


def unlabelled(rows: Sequence[Row]) -> List[Row]:
    """Without the cells that were run once more under a label, to be compared with themselves;
    all rows where every one has a label."""
    return [row for row in rows if not row.get("label")] or list(rows)


def left_out(title: str, results: Results, scenario: str) -> Section:
    """The section of an experiment without a single result: one line that says why."""
    rows = select(results.rows, scenario=scenario)
    why = "none of its %d rows counts (see the list of rows left out)" % len(rows) if rows \
        else "this folder has no row of scenario %s" % scenario
    return Section(title, ["%s: %s." % (LEFT_OUT, why)], [])


def measured(rows: Sequence[Row], key: str) -> Optional[Spread]:
    """The values of one key over a cell's runs."""
    return spread(numbers(rows, key))


def ratios_by_block(rows: Sequence[Row], others: Sequence[Row], key: str) -> Dict[int, float]:
    """The ratio of two cells in one key within each block (repeat): slow drift affects both."""
    below = {row["repeat"]: row[key] for row in others if row[key]}
    return {row["repeat"]: row[key] / below[row["repeat"]] for row in rows
            if row[key] and row["repeat"] in below}


def block_ratio(rows: Sequence[Row], others: Sequence[Row], key: str) -> Optional[Spread]:
    """The same as median and range."""
    return spread(list(ratios_by_block(rows, others, key).values()))


def latency_texts(rows: Sequence[Row]) -> List[str]:
    """Below LATENCY_COLUMNS: median and min..max of each quantile in ms."""
    found = [measured(rows, "latency_us_" + key) for key in ("p50", "p99", "p999")]
    return [text for one in found for text in (number(middle(one, 1e-3)), extent(one, 1e-3))]


def frames_per_cpu_s(rows: Sequence[Row]) -> Optional[Spread]:
    return spread([row["frames"] / row["cpu_s"] for row in rows if row["frames"] and row["cpu_s"]])


def middle(found: Optional[Spread], scale: float = 1) -> Optional[float]:
    """The median in another unit; None stays None."""
    return found.median * scale if found else None


def extent(found: Optional[Spread], scale: float = 1) -> str:
    """`min..max` in another unit."""
    return span(found.low * scale, found.high * scale) if found else span(None, None)


def narrower(found: Optional[Spread]) -> bool:
    """Whether the interval of the median says more than min..max; it does from 9 runs."""
    return bool(found and found.sure and (found.sure.low > found.low
                                          or found.sure.high < found.high))


def sure(found: Optional[Spread], scale: float = 1) -> str:
    """The interval of the median in another unit, where it is narrower than min..max."""
    return span(found.sure.low * scale, found.sure.high * scale) if narrower(found) else ""


def sure_note(found: Iterable[Optional[Spread]]) -> List[str]:
    """How far the printed intervals can be trusted to enclose the median of all such runs: two of
    n sorted values, by the binomial distribution, whatever that of the runs."""
    cells = [one for one in found if one]
    if any(map(narrower, cells)):
        return ["95 %: encloses the median of all such runs (exact, by order statistics)."]
    least = min((one.n for one in cells), default=1)
    return ["Min..max of %d runs encloses the median of all such runs with a probability of "
            "%.3g %%." % (least, 100 * (1 - 0.5 ** (least - 1)))] if least > 1 else []


def overlap(one: Optional[Spread], other: Optional[Spread]) -> bool:
    """Whether two cells' runs reach into each other: then their medians settle nothing."""
    return bool(one and other and one.low <= other.high and other.low <= one.high)


def run_counts(counts: Sequence[int]) -> str:
    """`n = 5` or `n = 4..5`: how many runs a cell has, for a caption."""
    counts = [count for count in counts if count] or [0]
    low, high = min(counts), max(counts)
    return "n = %d" % low if low == high else "n = %d..%d" % (low, high)


def shorten(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[:columns - 3] + "..."


def with_label(text: str, label: str) -> str:
    """A title, with what sets this variant apart."""
    return "%s (%s)" % (text, label) if label else text


def slug(text: str) -> str:
    """Text as a name that files and anchors may have."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


def file_name(name: str, label: str) -> str:
    """A figure's name: the plain one unless several variants need one each."""
    return "%s-%s" % (name, slug(label)) if slug(label) else name


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
    """A data set that gnuplot reads as one `index`; an empty one still counts as one."""
    return "# %s\n%s\n\n\n" % (comment, "\n".join(lines or [data_line(None, None, None, None)]))
