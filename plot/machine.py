"""The run's record (run.json): the machine in one line, warnings, and all values."""

import math
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import hosts
from places import LOOPBACK, link_of
from rows import Results, Row, group, is_result
from section import run_counts

UNKNOWN = "not on record"
BUSY_SHARE = 0.5  # load average per CPU from which on the machine counts as busy


class Provenance(NamedTuple):
    """The origin of the numbers, repeated on each figure."""

    machine: str
    commit: str
    seed: str
    command: str


def facts(results: Results) -> Dict[str, Any]:
    """The machine's facts; {} if the record has none."""
    machine = results.run.get("machine")
    return machine if isinstance(machine, dict) else {}


def one_of(rows: Sequence[Row], key: str, otherwise: str = UNKNOWN) -> str:
    """The value of a key in all rows, or the list of its values."""
    return listed([row[key] for row in rows if row.get(key)]) or otherwise


def listed(found: Iterable[Any]) -> str:
    """The different ones of these values: `a, b and c`; "" without any."""
    values = list(dict.fromkeys(map(str, found)))
    return " and ".join(part for part in (", ".join(values[:-1]), values[-1]) if part) \
        if values else ""


def quantity(machine: Dict[str, Any], name: str) -> Optional[float]:
    """A fact as a number, with or without a unit; None if it is not a number."""
    try:
        return float(str(machine.get(name)).split()[0])
    except (ValueError, IndexError):
        return None


def memory(machine: Dict[str, Any]) -> str:
    """Main memory in GB."""
    kilobytes = quantity(machine, "memory_kb")
    return "%.0f GB" % (kilobytes * 1.024e-6) if kilobytes else ""


def line(results: Results) -> str:
    """The machine in one line; the operating system comes from the rows."""
    machine = facts(results)
    parts = [str(machine.get("cpu") or "CPU " + UNKNOWN),
             "%s CPUs" % machine["cpus"] if machine.get("cpus") else "", memory(machine),
             "virtual machine" if machine.get("virtual") == "yes" else "",
             one_of(results.rows, "os")]
    return ", ".join(part for part in parts if part)


def provenance(results: Results) -> Provenance:
    run = results.run
    return Provenance(line(results), str(run.get("commit") or one_of(results.rows, "version")),
                      str(run.get("seed", UNKNOWN)), str(run.get("command_line") or UNKNOWN))


def unfinished(results: Results) -> str:
    """The progress of a sweep that did not finish; "" if it did."""
    run = results.run
    if run.get("state", "done") == "done":
        return ""
    if run["state"] == "running":  # so it was when it began, and nobody has written an end since
        return "The sweep still runs, or was killed: %d of %s rows so far." % (
            len(results.rows), run.get("rows_planned", "?"))
    return "The sweep is not complete (%s): %s of %s rows." % (
        run["state"], run.get("rows_written", "?"), run.get("rows_planned", "?"))


def findings(results: Results) -> Dict[str, Dict[str, Any]]:
    """The results of the sweep's host checks by name; {} if the record has none."""
    noise = results.run.get("noise")
    found = noise.get("findings") if isinstance(noise, dict) else None
    return {name: finding for name, finding in (found if isinstance(found, dict) else {}).items()
            if isinstance(finding, dict)}


def noisy(results: Results) -> Dict[str, str]:
    return {name: str(finding.get("found", "")) for name, finding in findings(results).items()
            if finding.get("level") == "noisy"}


def busy(results: Results) -> str:
    """A warning if the machine was busy when the sweep began, else ""."""
    load, cpus = quantity(facts(results), "load1"), quantity(facts(results), "cpus")
    found = noisy(results).get("busy-cpus", "")
    if not found and load is not None and cpus and load >= BUSY_SHARE * cpus:
        found = "load %.2f on %d CPUs" % (load, cpus)
    if not found:
        return ""
    return ("The machine was busy when the sweep began (%s): expect wide ranges; small "
            "differences may be noise." % found)


def paused(results: Results) -> str:
    """A warning if clients did not run for a while of their rows, else ""."""
    pauses = [row.get("paused_ms") or 0 for row in results.rows if is_result(row)]
    count = sum(pause > 0 for pause in pauses)
    if not count:
        return ""
    return ("%d of %d rows were measured by a client that did not run for a while (paused_ms, up "
            "to %.0f ms): their rates are too low." % (count, len(pauses), max(pauses)))


def warnings(results: Results) -> List[str]:
    """What a reader must know before the first number."""
    return [text for text in (unfinished(results), busy(results), paused(results)) if text]


def took(results: Results) -> str:
    """How long the sweep ran, in the largest unit that fits; "" if not on record."""
    seconds = quantity(results.run, "actual_s")
    if not seconds or not math.isfinite(seconds):
        return ""
    return "%.0f s" % seconds if seconds < 120 else "%.0f min" % (seconds / 60)


def summary(results: Results) -> List[Tuple[str, str]]:
    """The head of the page: names and values of machine and run."""
    machine, origin = facts(results), provenance(results)
    counted = [row for row in results.rows if is_result(row)]
    cells = group(counted, ("scenario", "section", "client", "cell", "link", "label"))
    processor = ", ".join(part for part in (
        str(machine.get("cpu") or UNKNOWN),
        "%s CPUs" % machine["cpus"] if machine.get("cpus") else "") if part)
    kind = ", ".join(part for part in (
        memory(machine), "virtual" if machine.get("virtual") == "yes" else "") if part)
    when = " ".join(str(results.run.get("started_utc") or "").rstrip("Z").split("T"))
    values = (("processor", processor), ("memory", kind), ("system", one_of(results.rows, "os")),
              ("between client and servers", listed(map(link_of, results.rows)) or LOOPBACK),
              ("hosts", hosts.names(results)),
              ("run", ", ".join(part for part in (when and when + " UTC", took(results)) if part)),
              ("rows that count", "%d of %d, %s a cell" % (
                  len(counted), len(results.rows), run_counts(cells.values()))),
              ("noise", ", ".join(noisy(results)) or ("none found" if findings(results) else "")),
              ("commit", origin.commit), ("seed", origin.seed))
    return [(name, value) for name, value in values if value]


def origin_facts(results: Results) -> List[Tuple[str, str]]:
    """What is needed to repeat the run."""
    run, origin = results.run, provenance(results)
    values = (("command", origin.command), ("commit", origin.commit), ("seed", origin.seed),
              ("compiler", run.get("compiler")), ("started, UTC", run.get("started_utc")),
              ("ended, UTC", run.get("ended_utc")), ("rows planned", run.get("rows_planned")),
              ("rows written", run.get("rows_written")), ("hosts", hosts.names(results)))
    return [(name, str(value)) for name, value in values if value not in ("", None)]


def flat(name: str, value: Any) -> List[str]:
    """A value of the record as lines; nested values have both names."""
    if isinstance(value, dict):
        return [text for key, inner in value.items()
                for text in flat("%s.%s" % (name, key) if name else str(key), inner)]
    if isinstance(value, list):
        if any(isinstance(part, dict) for part in value):
            return [text for number, part in enumerate(value, 1)
                    for text in flat("%s.%d" % (name, number), part)]
        value = "; ".join(str(part) for part in value)
    return ["%s: %s" % (name, value)] if value not in ("", None) else []


def budget(results: Results) -> Dict[str, Any]:
    """The time budget without its cells, which the tables have."""
    recorded = results.run.get("budget")
    return {key: value for key, value in recorded.items() if key != "cells"} \
        if isinstance(recorded, dict) else {}


def details(results: Results) -> List[str]:
    """The record, a line for each value, without the scenarios' texts."""
    run = {key: value for key, value in results.run.items()
           if key not in ("scenarios", "machine", "noise", "budget")}
    noise = {name: "%s: %s" % (finding.get("level"), finding.get("found"))
             for name, finding in findings(results).items()}
    return flat("", run) + flat("budget", budget(results)) + flat("noise", noise) \
        + flat("", facts(results))
