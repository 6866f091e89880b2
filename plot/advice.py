#!/usr/bin/env python3
"""Says what a search of fanin-sweep has found: the recommendation, against the runner-up and the
client's defaults, and the options to use it.

The search's own rows chose the finalists; of them only failures are told here. The finals ran in
blocks, one row of each finalist and of the client's defaults within seconds of each other, and a
ratio is taken block by block, so that a machine's slow drifts cancel out.
"""

import argparse
import json
import os
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ranks import paired_ratio, paired_ratio_interval
from rows import Results, Row, group, load_or_explain, numbers, run_command, select
from stats import Interval, equivalent, median
from tables import Column, Table, exact, number, span, to_text, wrap

PROGRAM = "plot/advice.py"
FINAL, DEFAULTS = "final", "defaults"  # labels of rows; the search's are "search"
ADVICE_FILE, ADVICE_SCHEMA = "advice.json", 1
KEPT_MIN = 0.9  # of the rate asked for; rows are short, so that their ends take some of it
CONFIDENCES = (0.95, 0.9)  # the second where there are too few blocks for the first


class Figure(NamedTuple):
    """A key of a row as it is shown."""

    key: str
    name: str
    head: str
    scale: float = 1.0
    more_is_better: bool = False


LATENCY = Figure("latency_us_p99", "p99 latency", "p99, ms", 1e-3)
CPU = Figure("cpu_s", "CPU time", "CPU s")
GB_PER_CPU = Figure("gb_per_cpu_s", "GB per CPU second", "GB/CPU s", 1.0, True)
RATE = Figure("bytes_per_s", "throughput", "MB/s", 1e-6, True)
MEMORY = Figure("peak_rss_kb", "peak memory", "MB", 1.024e-3)
SHOWN = (LATENCY, CPU, GB_PER_CPU, RATE, MEMORY)

# The first figure decides; where it does not, each of the others in turn.
CRITERIA = {
    "latency": (LATENCY, CPU, MEMORY),
    "cpu": (GB_PER_CPU, MEMORY),
    "throughput": (RATE, GB_PER_CPU, MEMORY),
    "memory": (MEMORY, CPU),
}

# Options of the client that a row tells how it used them.
ROW_KEYS = {"scheme": "scheme", "engine": "engine", "workers": "workers", "bind": "bind",
            "concurrency": "concurrency", "batch": "batch", "block": "block_bytes",
            "blocks": "blocks_per_receive", "processors": "processors",
            "pool-cap": "pool_cap_bytes", "pool-batch": "pool_batch"}
SHORT_HEADS = {"workers": "W", "concurrency": "C"}


# ---- candidates ----


class Candidate(NamedTuple):
    """A configuration in the finals. `options` are those that differ from the client's defaults,
    `said` all that its cell names; `runs` by block; `failures` in words."""

    options: Dict[str, str]
    said: Dict[str, str]
    runs: Dict[int, Row]
    failures: List[str]

    def name(self) -> str:
        """In words, short."""
        return " ".join("%s=%s" % pair for pair in self.options.items()) or "the client's defaults"

    def line(self) -> str:
        """What to type."""
        return " ".join(["fanin-client"] + ["--%s=%s" % pair for pair in self.options.items()])

    def middle(self, figure: Figure) -> Optional[float]:
        """The median over its runs; None where it was not measured."""
        values = numbers(self.runs.values(), figure.key)
        return median(values) if values else None


def options_of(row: Row) -> Dict[str, str]:
    """What a row's cell is named by, without the label."""
    pairs = (word.partition("=") for word in row["cell"].split(" ") if word)
    return {key: value for key, _, value in pairs if key != "label"}


def differing(said: Dict[str, str], row: Row, default: Optional[Row]) -> Dict[str, str]:
    """The options that make another run of it than the defaults: `engine=auto` does not."""
    return {key: value for key, value in said.items()
            if default is None or key not in ROW_KEYS
            or row.get(ROW_KEYS[key]) != default.get(ROW_KEYS[key])}


def why_no_result(row: Row, figure: Optional[Figure] = None) -> Optional[str]:
    """None for a row that counts."""
    if row["status"] != "ok":
        return "%s: %s" % (row["status"], row.get("reason") or "no reason given")
    if row["audit"] != "pass" and not row["audit"].startswith("none"):
        return "audit %s" % row["audit"]
    return None if figure is None or row.get(figure.key) else "it has no %s" % figure.name


def candidates_of(rows: Sequence[Row], figure: Figure) -> List[Candidate]:
    """Everyone in the finals, the defaults first."""
    found = []
    default = next((row for row in select(rows, label=DEFAULTS) if row["status"] == "ok"), None)
    for runs in group(select(rows, label=(FINAL, DEFAULTS)), ("cell",)).values():
        said = options_of(runs[0])
        shown = next((row for row in runs if row["status"] == "ok"), runs[0])
        good = {row["repeat"]: row for row in runs if why_no_result(row, figure) is None}
        bad = [why_no_result(row, figure) or "" for row in runs if row["repeat"] not in good]
        found.append(Candidate(differing(said, shown, default), said, good, bad))
    return sorted(found, key=lambda each: (len(each.said) > 0, list(each.said.items())))


def failures_of(rows: Sequence[Row]) -> List[str]:
    """One line for each configuration with a row that is no result."""
    lines = []
    for (cell,), runs in group(rows, ("cell",)).items():
        bad = [why for why in map(why_no_result, runs) if why]
        if bad:
            lines.append("%s: %d of %d rows: %s" % (cell, len(bad), len(runs), bad[0]))
    return lines


# ---- judging ----


class Ratio(NamedTuple):
    """One candidate's figure over another's, block by block."""

    estimate: float
    interval: Optional[Interval]
    blocks: int

    def words(self) -> str:
        """With its interval."""
        if self.interval is None:
            return "%sx (%d blocks are too few for an interval)" % (number(self.estimate),
                                                                    self.blocks)
        return "%sx (%s at %s %%, %d blocks)" % (
            number(self.estimate), span(self.interval.low, self.interval.high),
            number(self.interval.confidence * 100), self.blocks)

    def verdict(self, margin: float) -> str:
        """What may be said of the two."""
        if self.interval is None:
            return "of which nothing can be said"
        if self.same(margin):
            return "equal within the margin"
        return "not told apart" if self.interval.low <= 1 <= self.interval.high else "they differ"

    def same(self, margin: float) -> bool:
        """Shown to be equal within the margin."""
        return equivalent(self.interval, margin)

    def untold(self, margin: float) -> bool:
        """Not shown to differ; with too few blocks for an interval the estimate must do."""
        if self.interval is not None:
            return self.interval.low <= 1 <= self.interval.high
        return 1 / (1 + margin) <= self.estimate <= 1 + margin


def ratio_of(one: Candidate, other: Candidate, figure: Figure) -> Optional[Ratio]:
    """None without a block in which both have the figure."""
    blocks = [block for block in sorted(set(one.runs) & set(other.runs))
              if one.runs[block].get(figure.key) and other.runs[block].get(figure.key)]
    if not blocks:
        return None
    upper, lower = ([each.runs[block][figure.key] for block in blocks] for each in (one, other))
    intervals = (paired_ratio_interval(upper, lower, confidence) for confidence in CONFIDENCES)
    return Ratio(paired_ratio(upper, lower), next(filter(None, intervals), None), len(blocks))


def best_first(candidates: Sequence[Candidate], figure: Figure) -> List[Candidate]:
    """By the median of a figure; who has none comes last."""
    def place(candidate: Candidate) -> Tuple[bool, float]:
        middle = candidate.middle(figure)
        return middle is None, (-1 if figure.more_is_better else 1) * (middle or 0)
    return sorted(candidates, key=place)


class Choice(NamedTuple):
    """Who is recommended; who is as good by the first figure; why, in sentences."""

    chosen: Candidate
    equals: List[Candidate]
    reasons: List[str]


def as_good(candidates: Sequence[Candidate], figure: Figure, margin: float) \
        -> Tuple[List[Candidate], List[str]]:
    """The best by a figure with those that nothing sets apart from it, and of each in words how
    it compares."""
    ranked = best_first(candidates, figure)
    kept, words = ranked[:1], []
    for other in ranked[1:]:
        found = ratio_of(other, ranked[0], figure)
        if found is None or not (found.same(margin) or found.untold(margin)):
            continue
        kept.append(other)
        words.append("%s, %s, %s" % (other.name(), found.words(), found.verdict(margin)))
    return kept, words


def choose(candidates: Sequence[Candidate], figures: Sequence[Figure], margin: float) -> Choice:
    """The first figure decides; among those that are as good each of the others in turn, and at
    last how few options it takes."""
    field, words = as_good(candidates, figures[0], margin)
    equals, reasons = list(field), []
    if words:
        reasons.append("Best in %s: %s. Against it: %s." % (figures[0].name, field[0].name(),
                                                            "; ".join(words)))
    for figure in figures[1:]:
        before = len(field)
        if before > 1:
            field, _ = as_good(field, figure, margin)
        if len(field) < before:
            reasons.append("Of these %d, best in %s%s: %s." % (
                before, figure.name, "" if len(field) == 1 else " and not told apart",
                "; ".join(each.name() for each in field)))
    if len(field) > 1:
        field = sorted(field, key=lambda each: len(each.options))
        reasons.append("Nothing else tells them apart; with the fewest options, the simplest: %s."
                       % field[0].name())
    return Choice(field[0], [each for each in equals if each is not field[0]], reasons)


class Advice(NamedTuple):
    """All that is said."""

    figures: Sequence[Figure]
    margin: float
    candidates: List[Candidate]  # best first
    choice: Choice
    runner_up: Optional[Candidate]
    defaults: Optional[Candidate]
    repeated: Optional[Candidate]  # the defaults again, as a finalist of the search
    failures: List[str]
    untried: List[str]


def advise(rows: Sequence[Row], figures: Sequence[Figure], margin: float,
           untried: Sequence[str] = ()) -> Advice:
    """ValueError, with the reason, when there is nothing to recommend."""
    everyone = candidates_of(rows, figures[0])
    sound = [each for each in everyone if each.runs and not each.failures]
    if not everyone:
        raise ValueError("no finals were run; %s" % (
            failures_of(rows) or ["a longer --budget, or --resume, would come to them"])[0])
    if not sound:
        raise ValueError("every finalist failed, for instance %s: %s"
                         % (everyone[0].name(), everyone[0].failures[0]))
    defaults = next((each for each in sound if not each.said), None)
    repeated = next((each for each in sound if each.said and not each.options), None)
    running = [each for each in sound if each is not (defaults and repeated)]
    choice = choose(running, figures, margin)
    ranked = best_first(running, figures[0])
    others = [each for each in ranked if each is not choice.chosen]
    rivals = [each for each in others if each is not defaults]
    return Advice(figures, margin, ranked, choice, (rivals or others or [None])[0], defaults,
                  defaults and repeated, failures_of(rows), list(untried))


# ---- saying ----


def traffic_in_words(row: Row) -> str:
    """What the advice is for."""
    sizes = "%s B" % exact(row["size_min"]) if row["size_min"] == row["size_max"] else \
        "%s to %s B" % (exact(row["size_min"]), exact(row["size_max"]))
    rate = "%s a second" % exact(row["rate"]) if row["rate"] else "as fast as they are taken"
    return "%s servers, frames of %s, %s, over %s" % (exact(row["servers"]), sizes, rate,
                                                       row["link"])


def scaled(value: Optional[float], figure: Figure) -> Optional[float]:
    """As its head has it."""
    return None if value is None else value * figure.scale


def table_of(advice: Advice, rows: Sequence[Row]) -> Table:
    """The finalists, best first."""
    keys = list(dict.fromkeys(key for each in advice.candidates for key in each.said))
    figures = [figure for figure in SHOWN
               if any(each.middle(figure) is not None for each in advice.candidates)]
    columns = [Column(SHORT_HEADS.get(key, key), left=True) for key in keys]
    figures.sort(key=lambda figure: figure is not advice.figures[0])
    columns += [Column(figures[0].head), Column("min..max")]
    columns += [Column(figure.head) for figure in figures[1:]] + [Column("n")]
    lines: List[Optional[List[str]]] = []
    for each in advice.candidates:
        values = [v * advice.figures[0].scale
                  for v in numbers(each.runs.values(), advice.figures[0].key)]
        name = [each.said.get(key, "default" if i == 0 else "") for i, key in enumerate(keys)]
        middles = [number(scaled(each.middle(figure), figure)) for figure in figures]
        lines.append(name + [middles[0], span(min(values), max(values))] + middles[1:]
                     + [str(len(each.runs))])
    shown = next(iter(advice.choice.chosen.runs.values()))
    notes = ["Medians of the finals; %d rows searched before."
             % len([row for row in rows if row["label"] not in (FINAL, DEFAULTS)])]
    if not keys:
        columns, lines = [Column("candidate", left=True)] + columns, [
            ["default"] + (line or []) for line in lines]
    return Table("Finals: " + traffic_in_words(shown), columns, lines, notes)


def comparison_in_words(advice: Advice, what: str, other: Candidate) -> str:
    """The chosen one against another, in the figure that decides and those that follow it."""
    parts = []
    for figure in advice.figures:
        found = ratio_of(advice.choice.chosen, other, figure)
        if found is not None:
            parts.append("%s %s, %s" % (figure.name, found.words(),
                                        found.verdict(advice.margin)))
    return "Against %s: %s." % (what, "; ".join(parts) or "no block has both")


def overload(advice: Advice) -> List[str]:
    """Said where even the advised one is behind the rate."""
    runs = list(advice.choice.chosen.runs.values())
    rates = numbers(runs, "frames_per_s")
    if not runs[0]["rate"] or not rates or median(rates) >= KEPT_MIN * runs[0]["rate"]:
        return []
    return ["It does not keep up: %s of %s frames a second, so that latency grows as long as it "
            "lasts." % (exact(median(rates)), exact(runs[0]["rate"]))]


def doubt(advice: Advice) -> List[str]:
    """Said where nothing shows that the defaults would not do as well."""
    if advice.defaults is None or advice.defaults is advice.choice.chosen:
        return []
    found = ratio_of(advice.choice.chosen, advice.defaults, advice.figures[0])
    if found is not None and found.interval is not None and (
            found.same(advice.margin) or not found.interval.low <= 1 <= found.interval.high):
        return []
    return ["That it has a better %s than the defaults is not shown. More blocks (--repeat, or a "
            "longer --budget) or a calmer machine (fanin-sweep --check) would tell."
            % advice.figures[0].name]


def paragraphs(advice: Advice) -> List[str]:
    """Everything below the table but the option line."""
    chosen, figure = advice.choice.chosen, advice.figures[0]
    said = ["Recommended: %s. What counts first is %s." % (chosen.name(), figure.name)]
    said += advice.choice.reasons
    if advice.runner_up is not None:
        said.append(comparison_in_words(
            advice, "the runner-up (%s)" % advice.runner_up.name(), advice.runner_up))
    if advice.defaults is None:
        said.append("The client's defaults failed, so there is nothing to say against them.")
    elif advice.defaults not in (chosen, advice.runner_up):
        said.append(comparison_in_words(advice, "the client's defaults", advice.defaults))
    said += doubt(advice) + overload(advice)
    if advice.repeated is not None and advice.defaults is not None:
        found = ratio_of(advice.repeated, advice.defaults, figure)
        said.append("The search came to the defaults, too, so they ran twice: %s of the one over "
                    "the other %s, which is the noise here."
                    % (figure.name, found.words() if found else "not known"))
    said += ["No result: " + line for line in advice.failures]
    if advice.untried:
        said.append("Not tried, for want of time: %s." % ", ".join(advice.untried))
    return said


def in_text(advice: Advice, rows: Sequence[Row]) -> str:
    """For a terminal."""
    text = to_text(table_of(advice, rows)) + "\n"
    text += "\n".join(wrap(line) for line in paragraphs(advice))
    return text + "\n\n  %s\n" % advice.choice.chosen.line()


def ratio_as_object(advice: Advice, other: Optional[Candidate]) -> Optional[Dict[str, Any]]:
    """The chosen one against another, for a program; null without one."""
    if other is None or other is advice.choice.chosen:
        return None
    found = ratio_of(advice.choice.chosen, other, advice.figures[0])
    low, high, confidence = (found and found.interval) or (None, None, None)
    return {"options": other.options, "ratio": found and found.estimate, "low": low, "high": high,
            "confidence": confidence, "blocks": found.blocks if found else 0}


def candidate_as_object(candidate: Candidate) -> Dict[str, Any]:
    """Its options and medians, for a program."""
    return dict({"options": candidate.options, "blocks": len(candidate.runs)},
                **{figure.key: candidate.middle(figure) for figure in SHOWN})


def as_object(advice: Advice) -> Dict[str, Any]:
    """advice.json."""
    return {
        "schema": ADVICE_SCHEMA,
        "figure": advice.figures[0].key,
        "margin": advice.margin,
        "recommended": candidate_as_object(advice.choice.chosen),
        "command": advice.choice.chosen.line(),
        "reasons": advice.choice.reasons,
        "equals": [each.options for each in advice.choice.equals],
        "against_runner_up": ratio_as_object(advice, advice.runner_up),
        "against_defaults": ratio_as_object(advice, advice.defaults),
        "finalists": [candidate_as_object(each) for each in advice.candidates],
        "failures": advice.failures,
        "untried": advice.untried,
    }


# ---- the command ----

ABOUT = """Says what the search of an advice has found, in a folder that fanin-sweep wrote for a
scenario with the key `advise`: the recommendation against the runner-up and the client's defaults.
fanin-sweep calls it at its end. Writes DIR/advice.json, too."""
EPILOGUE = """Two candidates are equal where the interval of their ratio lies within the margin;
where it only holds 1 they are not told apart. Among those the next figure decides: CPU time,
memory, and at last the number of options; so nothing is advised for a difference that may be
chance.

exit codes: 0 there is a recommendation; 1 nothing to recommend; 2 wrong use"""


def options(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=ABOUT, epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", help="results folder of an advice")
    parser.add_argument("--criterion", choices=["auto"] + list(CRITERIA), default="auto",
                        help="auto: latency of frames at a rate, else cpu")
    parser.add_argument("--margin", type=float, default=5, metavar="PERCENT",
                        help="what differs by less is equal (default 5)")
    parser.add_argument("--untried", default="", metavar="K,K,...",
                        help="axes that the search did not come to")
    parser.add_argument("--quiet", action="store_true", help="only write advice.json")
    asked = parser.parse_args(arguments)
    if not 0 < asked.margin <= 100:
        parser.error("--margin takes percent above 0, at most 100")
    return asked


def figures_for(criterion: str, rows: Sequence[Row]) -> Sequence[Figure]:
    """What decides, as fanin-sweep takes it."""
    rated = any(row.get("rate") for row in rows)
    return CRITERIA[criterion if criterion != "auto" else "latency" if rated else "cpu"]


def conclude(results: Results, asked: argparse.Namespace) -> None:
    """ValueError, with the reason, when there is nothing to recommend; OSError if it cannot be
    written."""
    advice = advise(results.rows, figures_for(asked.criterion, results.rows), asked.margin / 100,
                    [key for key in asked.untried.split(",") if key])
    with open(os.path.join(results.folder, ADVICE_FILE), "w", encoding="utf-8") as file:
        json.dump(as_object(advice), file, indent=1)
        file.write("\n")
    if not asked.quiet:
        print(in_text(advice, results.rows), end="")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    asked = options(arguments)
    results, code = load_or_explain(PROGRAM, asked.folder)
    if results is None:
        return code
    try:
        conclude(results, asked)
    except ValueError as error:
        print("%s: %s: nothing to recommend: %s" % (PROGRAM, asked.folder, error),
              file=sys.stderr)
        return 1
    except OSError as error:
        print("%s: cannot write %s: %s" % (PROGRAM, error.filename, error.strerror),
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
