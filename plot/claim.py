"""The paper's claims, from results/paper/claims.csv: a line compares two cells, or holds every run
of a cell to a number. results/paper/README.md describes the columns for those who add a line."""

import csv
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import paper
from schema import CLIENT_KEYS, KIND_WORDS, SWEEP_KEYS

FILE = os.path.join(paper.FOLDER, "claims.csv")
COLUMNS = ("id", "claim", "what", "metric", "scenario", "subject", "direction", "margin", "against",
           "matters", "paper", "see")
DIRECTIONS = ("less", "more", "at-least", "at-most", "equal")
BOUNDED = ("at-least", "at-most")  # directions that ask how much may be missing
WHAT_MAX = 25                      # columns that a line's `what` has in the verdict table
OTHERS = "*"
RULE = re.compile(r"(\d*)n(?:\+(\d+))?$")  # 2n+2, where n is the number of processors

Value = Union[int, float, str]


class Claim(NamedTuple):
    """One line. `against` is cells (a selector), a number, or the name of a row's own key."""

    line: int
    id: str
    text: str
    what: str
    metric: str
    scenario: str
    subject: Dict[str, str]
    direction: str
    margin: float             # the bound of subject / against
    against: Union[Dict[str, str], float, str]
    matters: Optional[float]  # the smallest relative difference worth a word
    paper: str
    see: str

    @property
    def exact(self) -> bool:
        """Whether every single run is judged, and nothing is left to chance."""
        return not isinstance(self.against, dict)


class WrongClaim(Exception):
    """file:line, what is wrong, and what would be right."""


# Every key that a selector may name.
KEYS = {key.name: key for key in SWEEP_KEYS + CLIENT_KEYS}


def kind_of(key: str) -> str:
    """text, bool, int, number or object; what no row has is text."""
    return KIND_WORDS[KEYS[key].kind] if key in KEYS else "text"


def is_text(key: str) -> bool:
    """Whether a key holds words: then a selector's value is compared as it is written."""
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


def selector(text: str, column: str) -> Dict[str, str]:
    """`KEY=VALUE KEY=VALUE`; ValueError says what is wrong with it."""
    chosen: Dict[str, str] = {}
    for part in text.split():
        key, sign, word = part.partition("=")
        if not sign or not word:
            raise ValueError("%s: `%s` is no KEY=VALUE" % (column, part))
        if key not in KEYS:
            raise ValueError("%s: no row has a key `%s`; results/README.md lists them"
                             % (column, key))
        if word == OTHERS and column == "subject":
            raise ValueError("subject: `%s` stands for any other value in `against` only" % part)
        check_value(key, word, column)
        chosen[key] = word
    if not chosen:
        raise ValueError("%s is empty: name the cell as KEY=VALUE" % column)
    return chosen


def check_value(key: str, word: str, column: str) -> None:
    """ValueError unless rows can have such a value."""
    if kind_of(key) == "bool":
        if word not in ("true", "false", OTHERS):
            raise ValueError("%s: %s is true or false, not `%s`" % (column, key, word))
    elif not is_text(key) and word != OTHERS and not RULE.match(word):
        number(word, "%s: %s" % (column, key))


def number(text: str, what: str) -> float:
    """A number above 0, or 0; ValueError names what it was to be."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError("%s: `%s` is no number from 0" % (what, text))
    return value


def against_of(text: str) -> Union[Dict[str, str], float, str]:
    """What the subject is held against."""
    if text.startswith("key:"):
        return metric_of(text[4:], "against")
    if text and "=" not in text:
        return number(text, "against (a number, key:NAME, or KEY=VALUE ...)")
    return selector(text, "against")


def metric_of(name: str, column: str) -> str:
    """The name of a key that holds a number."""
    if kind_of(name) in ("text", "object", "bool"):
        raise ValueError("%s: no row has a number `%s`; results/README.md lists the keys"
                         % (column, name))
    return name


def margin_of(text: str, direction: str) -> float:
    """The bound of subject / against, with the direction's own default."""
    if not text:
        if direction in BOUNDED:
            raise ValueError("margin is empty: %s wants the ratio that still counts, as 0.99"
                             % direction)
        return 1.0
    margin = number(text, "margin")
    if margin == 0:
        raise ValueError("margin is 0: it is a ratio, 1 for no change")
    return margin


def matters_of(text: str, direction: str) -> Optional[float]:
    """The smallest difference that matters: of `less` and `more` only."""
    if not text:
        return None
    if direction not in ("less", "more"):
        raise ValueError("matters is for the directions less and more; leave it empty")
    share = number(text, "matters")
    if not 0 < share < 1:
        raise ValueError("matters: `%s` must lie between 0 and 1, as 0.02 for 2 %%" % text)
    return share


def parse(fields: Dict[str, Any], line: int) -> Claim:
    """One line; ValueError says what is wrong with it."""
    for column in ("id", "what", "metric", "scenario", "direction", "see"):
        if not fields[column]:
            raise ValueError("%s is empty" % column)
    if len(fields["what"]) > WHAT_MAX:
        raise ValueError("what has %d characters; the table has room for %d"
                         % (len(fields["what"]), WHAT_MAX))
    direction = fields["direction"]
    if direction not in DIRECTIONS:
        raise ValueError("direction: `%s` must be one of %s" % (direction, ", ".join(DIRECTIONS)))
    against = against_of(fields["against"])
    margin = margin_of(fields["margin"], direction)
    if direction == "equal" and isinstance(against, dict) and margin <= 1:
        raise ValueError("margin: `equal` between two cells wants a ratio above 1, as 1.02, within "
                         "which they count as equal")
    subject = selector(fields["subject"], "subject")
    return Claim(line, fields["id"], fields["claim"], fields["what"],
                 metric_of(fields["metric"], "metric"), fields["scenario"], subject, direction,
                 margin, against, matters_of(fields["matters"], direction), fields["paper"],
                 fields["see"])


def numbered(text: str) -> List[Tuple[int, str]]:
    """The lines that hold something."""
    return [(line, content) for line, content in enumerate(text.splitlines(), 1)
            if content.strip() and not content.startswith("#")]


def split(content: str) -> List[str]:
    """A line's fields."""
    try:
        return [field.strip() for field in next(csv.reader([content], strict=True))]
    except csv.Error as error:
        raise ValueError("not CSV: %s; a field with a comma stands between two quotes"
                         % error) from None


def check_text(claims: List[Claim], claim: Claim) -> None:
    """A claim is told in words once, on its first line."""
    if not claim.text and all(other.id != claim.id for other in claims):
        raise ValueError("claim is empty: the first line of %s says it in words" % claim.id)


def load(path: str = FILE) -> List[Claim]:
    """All claims, in order. WrongClaim on the first line that is none; OSError."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrongClaim("%s:%d: not UTF-8" % (
            os.path.relpath(path), data.count(b"\n", 0, error.start) + 1)) from None
    claims: List[Claim] = []
    line, head = next(iter(numbered(text)), (1, ""))
    try:
        if not head or tuple(split(head)) != COLUMNS:
            raise ValueError("the first line names the columns: %s" % ",".join(COLUMNS))
        for line, content in numbered(text)[1:]:
            fields = split(content)
            if len(fields) != len(COLUMNS):
                raise ValueError("%d fields, must be %d: %s" % (len(fields), len(COLUMNS),
                                                               ",".join(COLUMNS)))
            claim = parse(dict(zip(COLUMNS, fields)), line)
            check_text(claims, claim)
            claims.append(claim)
    except ValueError as error:
        raise WrongClaim("%s:%d: %s" % (os.path.relpath(path), line, error)) from None
    return claims
