"""What run.json says about the run: the machine in a line, and the record in full."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from rows import Results, Row

UNKNOWN = "not on record"
BUSY_SHARE = 0.5  # of the CPUs, by the load average: from here on others disturb the measurement


class Provenance(NamedTuple):
    """What must stand on every picture, since pictures get separated from their page."""

    machine: str
    commit: str
    seed: str
    command: str


def facts(results: Results) -> Dict[str, Any]:
    """The machine's facts; {} if the record has none."""
    machine = results.run.get("machine")
    return machine if isinstance(machine, dict) else {}


def one_of(rows: Sequence[Row], key: str) -> str:
    """What all rows that ran say, or all that they say."""
    values = list(dict.fromkeys(str(row[key]) for row in rows if row.get(key)))
    return " and ".join(values) if values else UNKNOWN


def quantity(machine: Dict[str, Any], name: str) -> Optional[float]:
    """A fact as a number, whether or not a unit follows it; None if it is none."""
    try:
        return float(str(machine.get(name)).split()[0])
    except (ValueError, IndexError):
        return None


def memory(machine: Dict[str, Any]) -> str:
    """Main memory in GB."""
    kilobytes = quantity(machine, "memory_kb")
    return "%.0f GB" % (kilobytes * 1.024e-6) if kilobytes else ""


def line(results: Results) -> str:
    """The machine in a line; the rows know the operating system."""
    machine = facts(results)
    parts = [str(machine.get("cpu") or "CPU " + UNKNOWN),
             "%s CPUs" % machine["cpus"] if machine.get("cpus") else "", memory(machine),
             "virtual machine" if machine.get("virtual") == "yes" else "",
             one_of(results.rows, "os")]
    return ", ".join(part for part in parts if part)


def provenance(results: Results) -> Provenance:
    """What has to stand on a figure and at the head of a report."""
    run = results.run
    return Provenance(line(results), str(run.get("commit") or one_of(results.rows, "version")),
                      str(run.get("seed", UNKNOWN)), str(run.get("command_line") or UNKNOWN))


def unfinished(results: Results) -> str:
    """How far a sweep got that did not end by itself; "" for one that did."""
    run = results.run
    if run.get("state", "done") == "done":
        return ""
    return "The sweep is not complete (%s): %s of %s rows." % (
        run["state"], run.get("rows_written", "?"), run.get("rows_planned", "?"))


def busy(results: Results) -> str:
    """A warning if others used the machine when the sweep began; "" if they did not."""
    load, cpus = quantity(facts(results), "load1"), quantity(facts(results), "cpus")
    if load is None or not cpus or load < BUSY_SHARE * cpus:
        return ""
    return ("The machine was busy when the sweep began (load %.2f on %d CPUs): expect wide ranges, "
            "and trust no small difference." % (load, cpus))


def warnings(results: Results) -> List[str]:
    """What a reader must know before the first number."""
    return [text for text in (unfinished(results), busy(results)) if text]


def details(results: Results) -> List[str]:
    """The record, a line for each value; the scenarios' texts stay in run.json."""
    plain = {key: value for key, value in results.run.items()
             if not isinstance(value, (dict, list))}
    return ["%s: %s" % (name, value) for record in (plain, facts(results))
            for name, value in record.items() if value not in ("", None)]
