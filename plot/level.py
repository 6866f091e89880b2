"""Table 3's level: the candidates that could give the paper's 3 to 5 MB/s, each with one free
number calibrated on the paper's best cell, and how well each predicts the 16 others."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import links
import paper
from calibrations import Calibration, calibrations
from ranks import spearman, spearman_p
from rows import Results, Row, group, group_by, numbers, select, variants
from section import (LEFT_OUT, MEGA, Figure, Section, data_block, data_line, file_name, measured,
                     median_of, numbered, point, run_counts, usable, whiskers, with_label)
from stats import Spread, holm, median
from tables import NONE, Column, Table, number

TITLE = "Level. What could hold Table 3 at 3 to 5 MB/s"
LEAD = ("The wire carries 11.7 MB/s, the paper's client took 3 to 5. Each candidate has one number "
        "that the paper does not state, calibrated on its best cell; the others are predicted.")
SCENARIO = "level"
FOUND = "find-"  # before a candidate's name: the section that calibrates it
CANDIDATES = {
    "share-table2": "Table 2's share", "share": "a smaller share",
    "look-one": "look, one record", "look-all": "look, all records",
    "work": "work on each byte", "rate": "fewer records",
    "share-look-one": "that share and look", "share-work": "that share and work"}
EXPLAINED_ERROR = 0.1  # of a candidate that explains the table: median error at most,
ALPHA = 0.05           # and p-value of its order
PANELS_BESIDE, PANEL_HEIGHT = 4, 270  # of the figure
PREDICTED = "the other cells"
COLUMNS = (Column("candidate", left=True), Column("its number", left=True), Column("interval"),
           Column("best"), Column("cells", PREDICTED), Column("error", PREDICTED),
           Column("bias", PREDICTED), Column("order", PREDICTED), Column("p", PREDICTED),
           Column("n"))

Cell = Tuple[int, int]


class Candidate(NamedTuple):
    """How well a candidate predicts the paper's cells without its best one. Errors are ours /
    paper - 1."""

    name: str
    found: Optional[Calibration]
    cells: Dict[Cell, Spread]  # ours, in bytes/s
    best: Optional[float]   # of them: in the paper's best cell
    errors: List[float]
    order: Optional[float]  # rank correlation with the paper's cells; None if ours are all alike
    p: float                # of the order, for all candidates; 1 without one
    runs: str

    @property
    def title(self) -> str:
        return CANDIDATES.get(self.name, self.name)

    @property
    def error(self) -> float:
        return median([abs(error) for error in self.errors])

    @property
    def bias(self) -> float:
        return median(self.errors)

    @property
    def explains(self) -> bool:
        return self.error <= EXPLAINED_ERROR and self.p <= ALPHA


def best_cell() -> Cell:
    claims = paper.table3()
    return max(claims, key=lambda cell: claims[cell])


def candidate(name: str, rows: Sequence[Row], known: Sequence[Calibration]) -> Optional[Candidate]:
    """None without a predicted cell."""
    claims, best = paper.table3(), best_cell()
    runs = {cell: members for cell, members in group(rows, ("workers", "concurrency")).items()
            if cell in claims and numbers(members, "bytes_per_s")}
    cells = {cell: measured(members, "bytes_per_s") for cell, members in runs.items()}
    predicted = sorted(cell for cell in cells if cell != best)
    if not predicted:
        return None
    ours = [cells[cell].median for cell in predicted]
    theirs = [claims[cell] for cell in predicted]
    order = spearman(ours, theirs)
    return Candidate(name, next((one for one in known if one.section == FOUND + name), None),
                     cells, median_of(cells.get(best)),
                     [own / claim - 1 for own, claim in zip(ours, theirs)], order,
                     1 if order is None else spearman_p(ours, theirs),
                     run_counts(runs.values())[4:])


def candidates(rows: Sequence[Row], known: Sequence[Calibration]) -> List[Candidate]:
    """In the order of CANDIDATES; the p-values are adjusted for their number."""
    sections = group_by(rows, "section")
    names = [name for name in CANDIDATES if name in sections] + sorted(
        name for name in sections if name not in CANDIDATES)
    made = [one for one in (candidate(name, sections[name], known) for name in names) if one]
    return [one._replace(p=p) for one, p in zip(made, holm([one.p for one in made]))]


# ---- the words ----


def percent(value: float) -> str:
    return "%+.0f %%" % (100 * value)


def flat_error() -> float:
    """Of the best cell's number in every other cell."""
    claims = paper.table3()
    top = claims[best_cell()]
    return median([top / claim - 1 for claim in claims.values() if claim != top])


def order_text(one: Candidate) -> str:
    return NONE if one.order is None else "%+.2f" % one.order


def answer(made: Sequence[Candidate]) -> str:
    """Which candidate explains the table, or how far the best ones come."""
    explaining = [one for one in made if one.explains]
    level = min(explaining or made, key=lambda one: one.error)
    if explaining:
        return "%s explains Table 3: its median error is %.0f %%, its rank correlation %s " \
            "(p = %s)." % (upper(level.title), 100 * level.error, order_text(level),
                           number(level.p))
    order = max(made, key=lambda one: (-one.p, one.order or -1))
    return "None does. Closest in level: %s, with a median error of %.0f %% (the best cell's " \
        "number in every cell: %.0f %%). Closest in order: %s, with a rank correlation of %s " \
        "(p = %s)." % (level.title, 100 * level.error, 100 * flat_error(), order.title,
                       order_text(order), number(order.p))


def upper(text: str) -> str:
    return text[0].upper() + text[1:]


def line(one: Candidate) -> List[str]:
    found = one.found
    return [one.title, found.value or NONE if found else NONE,
            (found.interval if found else "") or NONE,
            number(one.best * MEGA) if one.best else NONE, str(len(one.errors)),
            "%.0f %%" % (100 * one.error), percent(one.bias), order_text(one),
            NONE if one.order is None else number(one.p), one.runs]


def unfound(known: Sequence[Calibration]) -> List[str]:
    """The candidates whose number was not found: nothing is judged on them."""
    return ["%s: no number gives the paper's best cell: %s." % (
        upper(CANDIDATES.get(one.section[len(FOUND):], one.section)),
        (one.reason or "no reason given").rstrip(".")) for one in known if not one.value]


def table(label: str, made: Sequence[Candidate]) -> Table:
    claims = paper.table3()
    return Table(
        with_label("Table 3's level by candidate; best cell in MB/s, the paper's is %s" % number(
            max(claims.values()) * MEGA), label), COLUMNS, [line(one) for one in made], [
                "Error: median of |ours / paper - 1| of the cells that were not calibrated on; "
                "bias: with its sign. The best cell's number in every cell would have an error of "
                "%.0f %%: a candidate at which all cells are alike comes to that." % (
                    100 * flat_error()),
                "Order: Spearman's rank correlation of these cells with the paper's; p: the chance "
                "that shuffled cells correlate as well, adjusted for the number of candidates. A "
                "candidate explains the table with an error of at most %.0f %% and p at most %g."
                % (100 * EXPLAINED_ERROR, ALPHA)])


# ---- the figure ----


def panel(one: Candidate) -> str:
    """The predicted cells, then the one that was calibrated on."""
    claims, best = paper.table3(), best_cell()
    def block(what: str, cells: Sequence[Cell]) -> str:
        return data_block("%s, %s: the paper's MB/s, ours, min, max" % (one.title, what), [
            data_line(claims[cell] * MEGA, *point(one.cells.get(cell), MEGA)) for cell in cells])
    return block("predicted", sorted(set(one.cells) - {best})) + block("calibrated", [best])


def figure(label: str, made: Sequence[Candidate]) -> Figure:
    claims = [claim * MEGA for claim in paper.table3().values()]
    settings = {
        "PANELS": len(made), "PAPER_LOW": min(claims) - 0.3, "PAPER_HIGH": max(claims) + 0.3,
        "OURS_MAX": max(claims + [cell.high * MEGA for one in made for cell in one.cells.values()]),
        "RUNS": whiskers([range(cell.n) for one in made for cell in one.cells.values()]),
        **numbered("PANEL", [upper(one.title) for one in made]),
        **numbered("SCORE", ["error %.0f %%, order %s" % (100 * one.error, order_text(one))
                             for one in made])}
    rows = (len(made) + PANELS_BESIDE - 1) // PANELS_BESIDE
    return Figure(file_name("level", label), "level", (960, 130 + PANEL_HEIGHT * rows), settings,
                  "".join(map(panel, made)), "What could hold Table 3 at 3 to 5 MB/s?",
                  "A panel for each candidate: our MB/s over the paper's, cell by cell, with a "
                  "line where both are equal. " + answer(made), label)


# ---- the section ----


def build(results: Results) -> Section:
    known = calibrations(results, SCENARIO)
    notes = links.off_machine_notes(select(results.rows, scenario=SCENARIO)) + unfound(known)
    section = Section(TITLE, notes, [], LEAD)
    axes = ("section", "workers", "concurrency")
    for label, members in variants(usable(results, SCENARIO), axes):
        made = candidates(members, known)
        if made:
            section.blocks.extend([answer(made), table(label, made)])
            section.figures.append(figure(label, made))
    if not any(isinstance(block, Table) for block in section.blocks):
        why = " ".join(section.blocks) or "this folder has no row of scenario %s." % SCENARIO
        return Section(TITLE, ["%s: %s" % (LEFT_OUT, why)], [])
    return section
