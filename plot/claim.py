"""The papers' claims, from results/paper/claims.csv. A line compares two cells, holds every run of
a cell to a number, or the interval of their median. results/paper/README.md describes the
columns."""

import os
import re
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

import paper
from places import FULL, PAPER
from schema import CLIENT_KEYS, KIND_WORDS, SCREEN_KEYS, SWEEP_KEYS
from texts import Line, read_table

FILE = os.path.join(paper.FOLDER, "claims.csv")
COLUMNS = ("id", "claim", "machine", "what", "metric", "scenario", "subject", "direction", "margin",
           "against", "matters", "paper", "see")
REQUIRED = ("id", "what", "metric", "scenario", "direction", "see")
MACHINES = (PAPER, FULL)
BELOW, NOT_JUDGED = "below", "not-judged"
DIRECTIONS = ("less", "more", "at-least", "at-most", "equal", BELOW, NOT_JUDGED)
WHAT_MAX = 25                      # columns that a line's `what` has in the verdict table
OTHERS = "*"
RULE = re.compile(r"(\d*)n(?:\+(\d+))?$")  # 2n+2, where n is the number of processors

Value = Union[int, float, str]


class Claim(NamedTuple):
    """One line. `against` is cells (a selector), a number, or the name of a row's own key."""

    id: str
    text: str
    machines: Tuple[str, ...]  # that it is judged on; the first one counts
    what: str
    metric: str
    scenario: str
    subject: Dict[str, str]
    direction: str
    margin: float              # the bound of subject / against
    against: Union[Dict[str, str], float, str]
    matters: Optional[float]   # the smallest relative difference that matters
    paper: str
    see: str

    @property
    def exact(self) -> bool:
        """Whether every single run is judged, without statistics."""
        return not isinstance(self.against, dict) and self.direction != BELOW


# Every key that a selector may name.
KEYS = {key.name: key for key in SWEEP_KEYS + SCREEN_KEYS + CLIENT_KEYS}


def kind_of(key: str) -> str:
    """text, bool, int, number or object; text for a name that is no key."""
    return KIND_WORDS[KEYS[key].kind] if key in KEYS else "text"


def is_text(key: str) -> bool:
    """Whether a key holds text, so that a selector's value is compared as written."""
    return key in KEYS and kind_of(key) == "text"


def value_of(key: str, word: str, cpus: Optional[int]) -> Optional[Value]:
    """A selector's value as a row has it; None if it depends on an unknown number of
    processors."""
    if is_text(key):
        return word
    if kind_of(key) == "bool":
        return word == "true"
    rule = RULE.match(word)
    if not rule:
        return float(word)
    return None if cpus is None else int(rule.group(1) or 1) * cpus + int(rule.group(2) or 0)


# ---- parsing ----


def number(text: str, what: str) -> float:
    """A number from 0; ValueError says which field has none."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError("%s: `%s` must be a number from 0" % (what, text))
    return value


def selector(text: str, column: str) -> Dict[str, str]:
    """`KEY=VALUE KEY=VALUE`; ValueError says what is wrong."""
    chosen: Dict[str, str] = {}
    for part in text.split():
        key, _, word = part.partition("=")
        if not word:
            raise ValueError("%s: `%s` must be KEY=VALUE" % (column, part))
        if key not in KEYS:
            raise ValueError("%s: no row has a key `%s`; results/README.md lists them"
                             % (column, key))
        if word == OTHERS and column == "subject":
            raise ValueError("subject: `%s` stands for any other value in `against` only" % part)
        if kind_of(key) == "bool" and word not in ("true", "false", OTHERS):
            raise ValueError("%s: %s is true or false, not `%s`" % (column, key, word))
        if kind_of(key) in ("int", "number") and word != OTHERS and not RULE.match(word):
            number(word, "%s: %s" % (column, key))
        chosen[key] = word
    if not chosen:
        raise ValueError("%s is empty: name the cell as KEY=VALUE" % column)
    return chosen


def metric_of(name: str, column: str) -> str:
    """The name of a key that holds a number."""
    if kind_of(name) not in ("int", "number"):
        raise ValueError("%s: no row has a number `%s`; results/README.md lists the keys"
                         % (column, name))
    return name


def against_of(text: str) -> Union[Dict[str, str], float, str]:
    """What the subject is compared with."""
    if text.startswith("key:"):
        return metric_of(text[4:], "against")
    if text and "=" not in text:
        return number(text, "against (a number, key:NAME, or KEY=VALUE ...)")
    return selector(text, "against")


def machines_of(text: str) -> Tuple[str, ...]:
    """`paper full`: the machines, the one that counts first; () for none."""
    names = tuple(text.split())
    for name in names:
        if name not in MACHINES:
            raise ValueError("machine: `%s` must be one of %s, or several with blanks between: the "
                             "first one counts" % (name, ", ".join(MACHINES)))
        if names.count(name) > 1:
            raise ValueError("machine: `%s` stands there twice" % name)
    return names


def margin_of(text: str, direction: str, exact: bool) -> float:
    """The bound of subject / against; 1 if the direction allows it to be left out."""
    if not text and direction in ("at-least", "at-most"):
        raise ValueError("margin is empty: %s needs the ratio that still counts, as 0.99"
                         % direction)
    margin = number(text, "margin") if text else 1.0
    if margin == 0:
        raise ValueError("margin is 0: it is a ratio, 1 for no change")
    if direction == "equal" and not exact and margin <= 1:
        raise ValueError("margin: `equal` between two cells needs a ratio above 1, as 1.02, within "
                         "which they count as equal")
    return margin


def matters_of(text: str, direction: str) -> Optional[float]:
    """The smallest difference that matters, for `less` and `more` only."""
    if not text:
        return None
    if direction not in ("less", "more"):
        raise ValueError("matters is for the directions less and more; leave it empty")
    share = number(text, "matters")
    if not 0 < share < 1:
        raise ValueError("matters: `%s` must lie between 0 and 1, as 0.02 for 2 %%" % text)
    return share


def parse(fields: Dict[str, str]) -> Claim:
    """One line; ValueError says what is wrong with it."""
    for column in REQUIRED if fields["direction"] != NOT_JUDGED else ("id", "what", "see"):
        if not fields[column]:
            raise ValueError("%s is empty" % column)
    if fields["direction"] == NOT_JUDGED:
        return Claim(fields["id"], fields["claim"], machines_of(fields["machine"]), fields["what"],
                     fields["metric"], fields["scenario"], {}, NOT_JUDGED, 1.0, 0.0, None,
                     fields["paper"], fields["see"])
    if len(fields["what"]) > WHAT_MAX:
        raise ValueError("what has %d characters; the table has room for %d"
                         % (len(fields["what"]), WHAT_MAX))
    direction = fields["direction"]
    if direction not in DIRECTIONS:
        raise ValueError("direction: `%s` must be one of %s" % (direction, ", ".join(DIRECTIONS)))
    against = against_of(fields["against"])
    if direction == BELOW and (not isinstance(against, float) or fields["margin"]):
        raise ValueError("below holds the interval of a median under a number: against is that "
                         "number, and margin is empty")
    margin = margin_of(fields["margin"], direction, not isinstance(against, dict))
    return Claim(fields["id"], fields["claim"], machines_of(fields["machine"]), fields["what"],
                 metric_of(fields["metric"], "metric"), fields["scenario"],
                 selector(fields["subject"], "subject"), direction, margin, against,
                 matters_of(fields["matters"], direction), fields["paper"], fields["see"])


def as_first(claim: Claim, first: Optional[Claim]) -> Claim:
    """The line with what the first one of its claim says for all of them: text and machines."""
    if first is None:
        for column, found, what in (("claim", claim.text, "says it in words"),
                                    ("machine", claim.machines, "names its machines, as `paper "
                                                                "full`")):
            if not found:
                raise ValueError("%s is empty: the first line of %s %s" % (column, claim.id, what))
        return claim
    if claim.machines and claim.machines != first.machines:
        raise ValueError("machine: `%s` is not that of the first line of %s, `%s`; leave it empty"
                         % (" ".join(claim.machines), claim.id, " ".join(first.machines)))
    return claim._replace(machines=first.machines)


def add_line(claims: List[Claim], line: Line) -> None:
    """Parses a line of a claim, its first one or another."""
    fields = line.fields()
    if len(fields) != len(COLUMNS):
        raise ValueError("%d fields, must be %d: %s" % (len(fields), len(COLUMNS),
                                                       ",".join(COLUMNS)))
    claim = parse(dict(zip(COLUMNS, fields)))
    claims.append(as_first(claim, next((one for one in claims if one.id == claim.id), None)))


def load(path: str = FILE) -> List[Claim]:
    """All claims, in order. WrongFile on the first wrong line; OSError."""
    lines = read_table(path) or [Line(path, 1, "")]
    claims: List[Claim] = []
    line = lines[0]
    try:
        if not line.text or tuple(line.fields()) != COLUMNS:
            raise ValueError("the first line names the columns: %s" % ",".join(COLUMNS))
        for line in lines[1:]:
            add_line(claims, line)
    except ValueError as error:
        raise line.wrong(error) from None
    return claims
