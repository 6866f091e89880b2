"""The table of verdicts, the comparisons behind it, and `--require`."""

from typing import Dict, List, Optional, Sequence, Tuple, Union

import attribution
import machine
from claim import Claim, load
from comparison import CONFIDENCE, RUNS_MIN, Comparison, Count, Evidence, Level
from places import FULL, PAPER, PAPERS_MACHINE
from rows import Results, Row, grouped
from section import Section, shorten
from stats import Interval
from tables import GAP, NONE, WIDTH, Column, Table, number, span, widths
from texts import WrongFile, short
from verdict import (ALPHA, CONFIRMED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED, PAPER_LINK, Place,
                     Verdict, alarm_line, alarms, counting, judge, on_machines, primary)

TITLE = "Claims. What the paper says, and what this run found"
EVIDENCE = "Comparisons. Every one behind the verdicts"
WORDS = (CONFIRMED, CONTRADICTED, INCONCLUSIVE, NOT_TESTED)
COLUMNS = (Column("id", left=True), Column("what decides", left=True), Column("verdict", left=True),
           Column("paper", "ratio or count"), Column("here", "ratio or count"),
           Column("%.0f %%" % (100 * CONFIDENCE), "ratio or count"), Column("n"), Column("p"),
           Column("see", left=True))
# In the summary, for a run that has the paper's machine.
BOTH = (Column("id", left=True), Column("claim", left=True),
        Column("verdict", PAPERS_MACHINE, left=True), Column("here", PAPERS_MACHINE),
        Column("verdict", "full speed", left=True), Column("here", "full speed"), Column("paper"))
LINES = (Column("id", left=True), Column("what", left=True), Column("against", left=True),
         Column("n"), Column("here"), Column("%.0f %%" % (100 * CONFIDENCE)),
         Column("holds", "p, not adjusted"), Column("denied", "p, not adjusted"))
METHOD = (
    "Ratios are first / second cell: Hodges-Lehmann estimates over runs (a run is one process) "
    "with the interval of the exact Mann-Whitney test; n: runs of the smaller cell, at least %d. "
    "The paper's absolute numbers are not judged." % RUNS_MIN,
    "p: adjusted by Holm over all claims tested on the machine and link; a claim with several "
    "comparisons is judged by its weakest. On each machine and link the chance of any false "
    "confirmation is at most %g %%, and that of any false contradiction too." % (100 * ALPHA),
    "What matters (results/paper/README.md) counts both ways: a difference that is clearly smaller "
    "contradicts, and none confirms whose estimate is smaller.")


# ---- numbers ----


def ratio_text(value: Optional[float]) -> str:
    """Three decimals near 1, where 0.998 and 1 must differ; otherwise three digits."""
    if value is None:
        return NONE
    if 0.98 <= value < 1.02:
        return "%.3f" % value
    return "%.2f" % value if 0.0995 <= value < 9.995 else "%.2g" % value if value < 1 \
        else number(value)


def effect_text(found: Optional[Evidence]) -> str:
    """A ratio, a difference with its sign, or what was counted."""
    if found is None:
        return NONE
    if isinstance(found, Level):
        return number(found.median)
    if isinstance(found, Count):
        low, high = "%.6g" % min(found.a), "%.6g" % max(found.a)
        return low if low == high else "%s..%s" % (low, high)
    return ratio_text(found.effect) if found.is_ratio else "%+.3g" % found.effect


def interval_text(found: Optional[Evidence]) -> str:
    """The interval of effect_text()."""
    if isinstance(found, Level) and found.interval:
        return span(found.interval.low, found.interval.high)
    if not isinstance(found, Comparison) or found.interval is None:
        return NONE
    interval: Interval = found.interval
    if not found.is_ratio:
        return "%+.2g..%+.2g" % (interval.low, interval.high)
    low, high = ratio_text(interval.low), ratio_text(interval.high)
    return low if low == high else "%s..%s" % (low, high)


def paper_text(claim: Claim) -> str:
    """The paper's two numbers as their ratio; one number as it stands."""
    first, sign, second = claim.paper.partition("/")
    try:
        return ratio_text(float(first) / float(second)) if sign else claim.paper or NONE
    except (ValueError, ZeroDivisionError):
        return claim.paper


def p_text(p: Optional[float]) -> str:
    return NONE if p is None else "<0.001" if p < 0.001 else "%.3f" % p


# ---- the verdict table ----


def line(one: Verdict) -> List[str]:
    shown = one.shown
    return [one.id, shown.claim.what if shown else NONE, one.word,
            paper_text(shown.claim) if shown else NONE, effect_text(shown), interval_text(shown),
            str(shown.n) if shown else NONE, p_text(one.p), one.see]


def sentence(one: Verdict) -> str:
    return "%s: %s. %s%s." % (one.id, one.text, one.word.capitalize(),
                              ": " + one.why if one.why else "")


def has_paper(verdicts: Sequence[Verdict]) -> bool:
    """Whether any row is of the paper's machine, so that full speed must be named, too."""
    return any(one.place.machine == PAPER for one in verdicts)


def where(place: Place, with_machine: bool) -> str:
    """`on lan100`, `at full speed on lan100`, `on the paper's machine`."""
    return "at full speed " * (with_machine and place.machine == FULL) + place.on


def title_of(place: Place, first: bool, with_machine: bool = False) -> str:
    """The machine and network of a table, and whether its verdicts are the ones that count."""
    if place.machine == PAPER:
        return "On %s, %s" % (PAPERS_MACHINE, place.link)
    on = "At full speed, on" if with_machine else "On"
    if place.ran == PAPER_LINK:
        return "%s %s, the paper's kind of network" % (on, place.ran)
    if place.ran != place.asked:
        return "%s %s%s" % (on, place.link,
                            " (%s)" % place.reason.rstrip(".") if place.reason else "")
    return "%s %s" % (on, place.link) + (
        ", as there is no %s, the paper's kind of network" % PAPER_LINK if first else "")


def table(verdicts: Sequence[Verdict], told: Sequence[str], notes: Sequence[str],
          with_machine: bool) -> Table:
    """One place's verdicts; the claims in `told` already stand in words above."""
    words = [sentence(one) if one.id not in told else "%s: %s." % (one.id, one.why)
             for one in verdicts if one.id not in told or one.why]
    return Table(title_of(verdicts[0].place, not told, with_machine), COLUMNS,
                 [line(one) for one in verdicts], words + list(notes))


def lead(verdicts: Sequence[Verdict]) -> str:
    """The first sentence of the first screen."""
    held, with_machine = primary(verdicts), has_paper(verdicts)
    by_word = {word: [one.id for one in held.values() if one.word == word] for word in WORDS}
    text = "; ".join("%s: %s" % (word, " ".join(ids)) for word, ids in by_word.items() if ids)
    places = [one.place for one in held.values()]
    home = next((place for place in places if place.machine == PAPER), places[0])
    on = where(home, with_machine)
    strays = ["%s %s" % (one.id, where(one.place, with_machine)) for one in held.values()
              if where(one.place, with_machine) != on]
    return "Judged %s%s. %s." % (on, ", but " + ", ".join(strays) if strays else "",
                                 text[0].upper() + text[1:])


# ---- the paper's machine beside full speed ----


def evidence_rows(one: Verdict) -> List[Row]:
    """The rows behind a verdict, each once."""
    return list({id(row): row for found in one.all for row in found.rows}.values())


def judged_so(one: Verdict, on: str) -> str:
    """`contradicted at full speed (1.000, 95 % 0.999..1.001)`."""
    effect, interval = effect_text(one.shown), interval_text(one.shown)
    return "%s %s (%s%s)" % (one.word, on, effect, ", 95 %% %s" % interval
                             if interval not in (NONE, effect) else "")


def limits_of(one: Verdict, cpus: Optional[float]) -> Dict[str, List[Row]]:
    """What limited the rows behind a verdict."""
    return attribution.limited(evidence_rows(one), cpus)


def difference(found: Dict[str, Verdict], cpus: Optional[float]) -> str:
    """One sentence why a claim's verdicts on the two machines differ; "" if they do not."""
    if not {PAPER, FULL} <= set(found) or found[PAPER].word == found[FULL].word:
        return ""
    paper, full = found[PAPER], found[FULL]
    on_paper, at_full = "on " + PAPERS_MACHINE, "at full speed"
    if NOT_TESTED in (paper.word, full.word):
        one, on = (paper, on_paper) if paper.word == NOT_TESTED else (full, at_full)
        counts = ", so full speed counts" if counting(found) != paper else ""
        return "%s: not tested %s (%s)%s." % (one.id, on, one.why, counts)
    there, here = limits_of(paper, cpus), limits_of(full, cpus)
    if set(there) == set(here):
        return "%s: %s, %s; what limited the rows does not differ: %s." % (
            paper.id, judged_so(full, at_full), judged_so(paper, on_paper),
            attribution.limits_text(there))
    return "%s: %s, where %s; %s, where %s." % (
        paper.id, judged_so(full, at_full), attribution.limits_text(here),
        judged_so(paper, on_paper), attribution.limits_text(there))


def differences(results: Results) -> List[str]:
    """The sentences of difference(), in the order of the claims."""
    cpus = machine.quantity(machine.facts(results), "cpus")
    return list(filter(None, (difference(found, cpus)
                              for found in on_machines(verdicts_of(results)).values())))


def same_evidence(one: Optional[Verdict], shown: Optional[Evidence]) -> Optional[Evidence]:
    """The evidence of another machine for what is shown of the one that counts."""
    alike = [found for found in one.all if shown and found.claim == shown.claim
             and getattr(found, "rest", "") == getattr(shown, "rest", "")] if one else []
    return (alike or [one.shown if one else None])[0]


def both_line(found: Dict[str, Verdict]) -> List[str]:
    """A claim's line of the table for two machines."""
    held = counting(found)
    fields = [held.id, held.text]
    for name in (PAPER, FULL):
        one = found.get(name)
        fields += [one.word if one else NONE, effect_text(same_evidence(one, held.shown))]
    return fields + [paper_text(held.shown.claim) if held.shown else NONE]


def both_table(verdicts: Sequence[Verdict], notes: Sequence[str] = ()) -> Table:
    """The verdicts on the paper's machine and at full speed side by side, a line a claim."""
    reached = any(one.place.machine == PAPER and one.word != NOT_TESTED
                  for one in primary(verdicts).values())
    made = Table("Verdicts; those %s count. Paper, here: the ratio or count that decides there" % (
        "on " + PAPERS_MACHINE if reached else "at full speed"), BOTH,
                 [both_line(found) for found in on_machines(verdicts).values()], notes)
    narrow = made._replace(rows=[[row[0], ""] + row[2:] for row in made.rows])
    room = WIDTH - sum(widths(narrow)) - len(GAP) * (len(BOTH) - 1) + len(BOTH[1].head)
    return made._replace(rows=[[row[0], shorten(row[1], room)] + row[2:] for row in made.rows])


# ---- the section ----


def judged_links(results: Results, title: str) -> Union[Section, List[List[Verdict]]]:
    """The verdicts of each place, or the section that says why there are none."""
    try:
        verdicts = verdicts_of(results)
    except (WrongFile, OSError) as error:
        return Section(title, ["Left out: %s." % error], [])
    return list(grouped(verdicts, lambda one: one.place).values()) \
        or Section(title, ["Left out: no row is of a machine that a claim is judged on."], [])


def build(results: Results) -> Section:
    """The verdicts; one line if there is nothing to judge or the claims cannot be read."""
    found = judged_links(results, TITLE)
    if isinstance(found, Section):
        return found
    notes = METHOD + (alarm_line(alarms(results)),)
    verdicts = [one for members in found for one in members]
    with_machine = has_paper(verdicts)
    blocks: List[Union[str, Table]] = [both_table(verdicts, differences(results))] * with_machine
    told: List[str] = []
    for members in found:
        blocks.append(table(members, told, () if told else notes, with_machine))
        told += [one.id for one in members]
    return Section(TITLE, blocks, [], lead(verdicts))


# ---- every comparison ----


def evidence_line(one: Verdict, found: Evidence) -> List[str]:
    start = [one.id, found.claim.what]
    if isinstance(found, Level):
        return start + ["below %g" % found.bound, str(found.n), effect_text(found),
                        interval_text(found), NONE, NONE]
    if isinstance(found, Count):
        return start + ["%d of %d runs broke it" % (found.broken, found.n), str(found.n),
                        effect_text(found), NONE, NONE, NONE]
    return start + [short(found.rest), str(found.n), effect_text(found), interval_text(found),
                    p_text(found.holds), p_text(found.denied)]


def build_evidence(results: Results) -> Section:
    found = judged_links(results, EVIDENCE)
    if isinstance(found, Section):
        return found
    blocks: List[Union[str, Table]] = []
    with_machine = any(map(has_paper, found))
    for members in found:
        lines = [evidence_line(one, each) for one in members for each in one.all]
        if lines:
            blocks.append(Table(title_of(members[0].place, False, with_machine), LINES, lines, [
                "Holds: the chance of such runs if the claim were just false; denied: if it were "
                "just true, or false by less than matters."]))
    return Section(EVIDENCE, blocks or ["Left out: no claim has two cells to compare."], [])


# ---- for the command ----


LAST: List[Tuple[Results, List[Verdict]]] = []  # of verdicts_of(): three sections ask for them


def verdicts_of(results: Results) -> List[Verdict]:
    """All verdicts of a folder; judged once. WrongFile; OSError."""
    if not LAST or LAST[0][0] is not results:
        cpus = machine.quantity(machine.facts(results), "cpus")
        LAST[:] = [(results, judge(results, load(), int(cpus) if cpus else None))]
    return LAST[0][1]


def required(text: str) -> List[str]:
    """The ids of `--require A2,A5`. ValueError names unknown ones; WrongFile."""
    known = list(dict.fromkeys(claim.id for claim in load()))
    asked = [part.strip() for part in text.split(",") if part.strip()]
    strangers = [part for part in asked if part not in known]
    if strangers or not asked:
        raise ValueError("--require: no claim %s; there are %s"
                         % (", ".join(strangers) or "named", ", ".join(known)))
    return asked


def unmet(results: Results, ids: Sequence[str]) -> List[str]:
    """A line for each of the claims that is not confirmed where it counts."""
    verdicts = verdicts_of(results)
    found, with_machine = on_machines(verdicts), has_paper(verdicts)
    lines = []
    for name in ids:
        one = counting(found[name]) if name in found else None
        if one is None:
            lines.append("%s is %s: the folder has no rows" % (name, NOT_TESTED))
        elif one.word != CONFIRMED:
            lines.append("%s is %s %s%s%s" % (
                name, one.word, where(one.place, with_machine), ": " + one.why if one.why else "",
                instead_words(found[name])))
    return lines


def instead_words(found: Dict[str, Verdict]) -> str:
    """Why the first machine of a claim does not count for it; "" if it does."""
    first = found.get(counting(found).machines[0])
    if first is None or first == counting(found):
        return ""
    return " (%s %s: %s)" % (NOT_TESTED, where(first.place, True), first.why)
