"""Finds what a comparison's two sides have in common: their rows, the cells that match, and other
differences between the sides."""

import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from rows import (OPTIONS, ROWS_FILE, Results, Row, clock_limited, group, is_result,
                  without_latency)
from texts import reading_order

MACHINE = ("host", "os", "version")  # of one side all rows must agree in these
# Rows that agree in all these keys are repeats of one cell. Cells that differ in the first group
# did different work.
WORKLOAD = ("source", "servers", "idle_servers", "frames_per_server", "flood_frames", "size_min",
            "size_max", "rate", "fleet", "login", "end_marker", "verify")
SETTINGS = ("client", "workers", "concurrency", "link_asked", "link_options",
            *(key for key in OPTIONS if key not in (*WORKLOAD, *MACHINE)))
PLACE = ("scenario", "section")
SHOWN_MAX = 6                        # values of a key in a message

Filter = Dict[str, str]


class Pair(NamedTuple):
    """One cell of A and the cell of B that it is compared with."""

    name: str
    a: List[Row]
    b: List[Row]


class Match(NamedTuple):
    """`differs`: the keys in which the sides differ, with their values in words. `alone`: how many
    cells of A and of B have no partner."""

    pairs: List[Pair]
    differs: Dict[str, str]
    alone: Tuple[int, int]


# ---- choosing rows ----


def parse_filter(option: str, texts: Sequence[str]) -> Filter:
    """Parses `KEY=VALUE,KEY=VALUE`; a comma belongs to the value unless KEY= follows. ValueError
    names the option."""
    found: Filter = {}
    for part in [p for text in texts for p in re.split(r",(?=[a-z_0-9]+=)", text)]:
        key, sign, value = part.partition("=")
        if not (sign and re.fullmatch(r"[a-z_0-9]+", key)):
            raise ValueError("%s %s: must be KEY=VALUE, such as scheme=chain" % (option, part))
        if found.setdefault(key, value) != value:
            raise ValueError("%s: %s is given twice, as %s and as %s"
                             % (option, key, found[key], value))
    return found


def as_asked(value: Any) -> str:
    """A row's value as a user would type it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return "%g" % value if isinstance(value, float) and value.is_integer() else str(value)


def chosen(rows: Sequence[Row], option: str, wanted: Filter) -> List[Row]:
    """The rows with these values. ValueError names an unknown key, or an unknown value and those
    that exist."""
    for key, value in wanted.items():
        known = list(dict.fromkeys(as_asked(row[key]) for row in rows if key in row))
        if not known:
            raise ValueError("%s: no row has the key %s; results/README.md lists them"
                             % (option, key))
        if value not in known:
            raise ValueError("%s: no row has %s=%s; there is %s"
                             % (option, key, value, cut_list(known)))
    found = [row for row in rows
             if all(key in row and as_asked(row[key]) == value for key, value in wanted.items())]
    if not found:
        raise ValueError("%s: no row has all of %s"
                         % (option, ", ".join("%s=%s" % pair for pair in wanted.items())))
    return found


def cut_list(names: Sequence[str]) -> str:
    """The first names of a list, for a message."""
    return ", ".join([*names[:SHOWN_MAX], *["..."] * (len(names) > SHOWN_MAX)])


def values(rows: Sequence[Row], key: str) -> str:
    return cut_list(list(dict.fromkeys(as_asked(row.get(key)) or '""' for row in rows)))


def asked_keys(a: Filter, b: Filter) -> Set[str]:
    """The keys in which the two filters differ. ValueError if only one side names a key, since the
    other would have several cells for one."""
    for key in sorted(set(a) ^ set(b)):
        raise ValueError("%s is named by --%s alone; name it on both sides, or with --only"
                         % (key, "a" if key in a else "b"))
    return {key for key in a if a[key] != b[key]}


# ---- pairing cells ----


def setting_apart(a: Sequence[Row], b: Sequence[Row], keys: Sequence[str]) -> Set[str]:
    """Keys with one value in all of A and another in all of B: these tell the sides apart, not the
    cells of one side."""
    def single(rows: Sequence[Row], key: str) -> Optional[Tuple[Any]]:
        found = {row.get(key) for row in rows}
        return (found.pop(),) if len(found) == 1 else None
    ones = [(key, single(a, key), single(b, key)) for key in keys]
    return {key for key, one, other in ones if one and other and one != other}


def match(a: Sequence[Row], b: Sequence[Row], asked: Set[str]) -> Match:
    """Pairs the cells, scenario by scenario and section by section."""
    apart = asked | setting_apart(a, b, PLACE)
    place = [key for key in PLACE if key not in apart]
    ours, theirs = group(a, place), group(b, place)
    pairs: List[Pair] = []
    sides: Dict[str, Tuple[List[Row], List[Row]]] = {}
    alone = [0, 0]
    for where in dict.fromkeys([*ours, *theirs]):
        section = match_section(ours.get(where, []), theirs.get(where, []), apart)
        pairs += section.pairs
        alone = [n + more for n, more in zip(alone, section.alone)]
        for key in section.apart if section.pairs else ():
            before = sides.setdefault(key, ([], []))
            before[0].extend(ours[where])
            before[1].extend(theirs[where])
    differs = {key: "%s against %s" % (values(one, key), values(other, key))
               for key, (one, other) in sides.items()}
    pairs.sort(key=lambda pair: reading_order(pair.name))
    return Match(pairs, differs, (alone[0], alone[1]))


class Section(NamedTuple):
    """The match of one section."""

    pairs: List[Pair]
    apart: List[str]
    alone: Tuple[int, int]


def match_section(a: Sequence[Row], b: Sequence[Row], apart: Set[str]) -> Section:
    """Pairs the cells of one section; a section that one side lacks has none."""
    if a and b:
        apart = apart | setting_apart(a, b, WORKLOAD + SETTINGS)
    keys = [key for key in WORKLOAD + SETTINGS if key not in apart]
    ours, theirs = group(a, keys), group(b, keys)
    shared = [cell for cell in ours if cell in theirs]
    return Section(named([(ours[cell], theirs[cell]) for cell in shared], apart), sorted(apart),
                   (len(ours) - len(shared), len(theirs) - len(shared)))


def named(cells: Sequence[Tuple[List[Row], List[Row]]], apart: Set[str]) -> List[Pair]:
    """Pairs with their names: place and axes, without the keys in which the sides differ. Pairs
    that would share a name also get the keys in which they differ."""
    firsts = [a[0] for a, _ in cells]
    names = [plain_name(row, apart) for row in firsts]
    for twins in [[i for i, n in enumerate(names) if n == name] for name in dict.fromkeys(names)]:
        telling = [key for key in SETTINGS + WORKLOAD if key not in apart
                   and len({firsts[i].get(key) for i in twins}) > 1]
        for i in twins:
            names[i] = " ".join([names[i]] + ["%s=%s" % (key, as_asked(firsts[i].get(key)))
                                              for key in telling])
    return [Pair(name, a, b) for name, (a, b) in zip(names, cells)]


def plain_name(row: Row, apart: Set[str]) -> str:
    """`table3/grid workers=6 concurrency=4`."""
    where = "/".join(str(row[key]) for key in PLACE if row[key] and key not in apart)
    axes = [word for word in row["cell"].split() if word.partition("=")[0] not in apart]
    return " ".join([where] + axes if where else axes) or "(all)"


# ---- other differences ----


def mixtures(rows: Sequence[Row], side: str) -> List[str]:
    """The machines or versions that one side mixes, for instance after a resume elsewhere."""
    return ["%s mixes rows of %s %s; choose one with --%s %s=..."
            % (side, key, " and ".join(as_asked(value) for value in found), side.lower(), key)
            for key, found in ((key, list(dict.fromkeys(row[key] for row in rows)))
                               for key in MACHINE) if len(found) > 1]


def record(results: Results, *path: str) -> Any:
    """A value of run.json, or None."""
    found: Any = results.run
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


RECORDED = (("machine", "cpu"), ("machine", "cpus"), ("machine", "memory_kb"),
            ("machine", "kernel"), ("machine", "virtual"), ("machine", "tcp_congestion_control"),
            ("flavour",), ("compiler",))


def surroundings(a: Results, b: Results, pairs: Sequence[Pair]) -> List[str]:
    """Other differences between the folders: machine, kernel, flavour, scenario text."""
    if not (a.run and b.run):
        return ["without both records (run.json) machine and flavour are unknown"]
    found = ["%s differs: %s against %s" % (" ".join(path), record(a, *path), record(b, *path))
             for path in RECORDED if record(a, *path) != record(b, *path)]
    for name in dict.fromkeys(pair.a[0]["scenario"] for pair in pairs):
        texts = record(a, "scenarios", name, "text"), record(b, "scenarios", name, "text")
        if None not in texts and texts[0] != texts[1]:
            found.append("scenario %s differs in its text" % name)
    for side, results, rows in (("A", a, [row for pair in pairs for row in pair.a]),
                                ("B", b, [row for pair in pairs for row in pair.b])):
        if record(results, "state") not in (None, "done"):
            found.append("%s's sweep is not finished: %s" % (side, record(results, "state")))
        for link in dict.fromkeys(as_asked(row.get("link_asked")) for row in rows):
            status, reason = (record(results, "links", link, key) for key in ("status", "reason"))
            if status not in (None, "ok"):
                found.append("%s's link %s: %s%s" % (side, link, status,
                                                     " (%s)" % reason if reason else ""))
    return found


def uncounted(results: Results, side: str) -> List[str]:
    """How many rows are not results or have no latencies, and how many lines are not rows."""
    lost = len([row for row in results.rows if not is_result(row)])
    torn = len([p for p in results.problems if p.startswith(ROWS_FILE + ":")])
    limited = len(clock_limited(results.rows))
    counts = ((lost, "rows are not results (failed, skipped, or the audit did not pass)"),
              (torn, "lines of %s were left out" % ROWS_FILE),
              (limited, "rows are clock-limited: the clocks' error is over 10 % of p50, or not "
                        "known"))
    counts += tuple((len(rows), "rows have no latencies: " + reason)
                    for reason, rows in without_latency(results.rows).items())
    return ["%s: %d %s" % (side, count, what) for count, what in counts if count]
