"""Where a row ran: on which machine and which link, and whether on those that were asked for.

A machine is a name that a scenario gives to a set of factors (`machine = paper`). A section of
scenario paper is named after the scenario and section that it repeats on the paper's machine, as
table2-one-record; tables and claims see its rows as rows of those.
"""

from typing import Any, Dict, List, Sequence

Row = Dict[str, Any]

LOOPBACK = "loopback"
FULL, PAPER = "full", "paper"  # machines: this one at full speed; the paper's
PAPER_SCENARIO = "paper"
REPEATED = ("table1", "table2", "table3")  # scenarios that scenario paper repeats
CONNECTION_TESTS = ("table1", "connect")
PAPERS_MACHINE = "the paper's machine"


def machine_of(row: Row) -> str:
    """The machine that a row was meant for; FULL if it names none."""
    return row.get("machine") or FULL


def at_full_speed(rows: Sequence[Row]) -> List[Row]:
    return [row for row in rows if machine_of(row) == FULL]


def is_on_hosts(row: Row) -> bool:
    """Whether a launcher started the row's servers on other computers."""
    return bool(row.get("hosts"))


def link_of(row: Row) -> str:
    """What lies between client and servers: a link's name, loopback if the row names none; `4 hosts
    by slurm` if the servers are on other computers."""
    if is_on_hosts(row):
        return "%d host%s by %s" % (row["hosts"], "" if row["hosts"] == 1 else "s",
                                    row.get("launcher") or "an unknown launcher")
    return row.get("link") or LOOPBACK


def link_asked_of(row: Row) -> str:
    """What the scenario asked for there. No other place stands in for a fleet on hosts."""
    return link_of(row) if is_on_hosts(row) else row.get("link_asked") or link_of(row)


def fell_back(row: Row) -> bool:
    """Whether a row was meant for another link than the one it ran on."""
    return link_asked_of(row) != link_of(row)


def why_not_on_machine(row: Row) -> str:
    """Why a row that names a machine did not run on it: "" if it did, or names none."""
    if machine_of(row) == FULL:
        return ""
    why = row.get("calibration_reason") or row.get("cpu_share_reason")
    if not why and fell_back(row):
        why = "link %s instead of %s: %s" % (link_of(row), row["link_asked"],
                                             row.get("link_reason") or "no reason given")
    return "not on machine %s: %s" % (machine_of(row), why) if why else ""


def as_repeated(row: Row) -> Row:
    """The row as one of the scenario and section that its section repeats on its machine; the row
    itself if its section repeats none."""
    scenario, _, section = str(row.get("section")).partition("-")
    if row["scenario"] != PAPER_SCENARIO or machine_of(row) == FULL or scenario not in REPEATED:
        return row
    return dict(row, scenario=scenario, section=section)


def seen_by_tables(rows: Sequence[Row]) -> List[Row]:
    return [as_repeated(row) for row in rows]


def is_connection_test(row: Row) -> bool:
    """Whether a refused connect is a measurement there, on whichever machine."""
    return row["scenario"] in CONNECTION_TESTS or (
        row["scenario"] == PAPER_SCENARIO
        and not set(CONNECTION_TESTS).isdisjoint(str(row.get("section")).split("-")))


def share_text(share: float) -> str:
    """`5.87 % of a processor`."""
    return "%.3g %% of a processor" % (100 * share)


def factors_text(row: Row) -> str:
    """What a row's machine has besides its link: share of a processor, and unless it only connects
    work and look; "" if no more than this one at full speed."""
    work, look = row.get("work") or "none", row.get("look") or "wake"
    parts = [share_text(row["cpu_share"])] if row.get("cpu_share") else []
    if is_connection_test(row):
        return ", ".join(parts)
    parts += ["work %s" % work] * (work != "none") + ["look %s" % look] * (look != "wake")
    return ", ".join(parts)
