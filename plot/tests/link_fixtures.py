"""Made-up rows of runs over links, for the tests."""

import random
from typing import Any, Dict, List

import fixtures

LAN = {"link": "lan100", "link_asked": "lan100", "link_options": "--rate 100mbit --rtt 0.5ms",
       "link_reason": None, "link_rate_bits_per_s": 1e8, "link_rtt_ms": 0.5, "link_cpu_s": 0.01,
       "label": ""}
GIGABIT = dict(LAN, link="lan1000", link_asked="lan1000", link_rate_bits_per_s=1e9)
LOOPBACK = {"link": "loopback", "link_asked": "loopback", "link_options": "", "link_reason": None,
            "link_rate_bits_per_s": None, "link_rtt_ms": None, "link_cpu_s": None, "label": ""}
FALLBACK = dict(LOOPBACK, link_asked="lan100", link_reason="no user namespaces here")

SILENT = "fault=small-backlog:2%"


def on(link: Dict[str, Any], rows: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The same rows, run on this link."""
    return [dict(row, **link, cell="link=%s %s" % (link["link"], row["cell"])) for row in rows]


def connect_row(section: str, mode: str, **changes: Any) -> Dict[str, Any]:
    """200 servers, 6 workers, a round trip of 0.2 ms, nobody fails: what the factors share."""
    shared = dict(LAN, link="lan100-rtt0.2", link_asked="lan100-rtt0.2", link_rtt_ms=0.2)
    shared.update(scenario="connect", section=section, connect=mode, connect_timeout_ms=500)
    shared.update(changes)
    shared.setdefault("cell", "%s %s" % (mode, " ".join("%s=%s" % p for p in changes.items()
                                                        if p[0] not in ("repeat", "connect_ms"))))
    return fixtures.row(**shared)


def failed(kind: str, count: int) -> Dict[str, Any]:
    """The keys of a run in which so many connects failed."""
    return {"connected": 200 - count, "connect_failed": count, "connect_errors": {kind: count},
            "status": "failed", "reason": "%d servers not connected" % count}


def connect_rows(repeats: int = 3, seed: int = 5) -> List[Dict[str, Any]]:
    """Every factor; times near what round trips and waiting come to."""
    jitter, made = random.Random(seed), []
    for repeat in range(1, repeats + 1):
        for mode in ("async", "sync"):
            def add(section: str, time: float, mode: str = mode, **changes: Any) -> None:
                made.append(connect_row(section, mode, repeat=repeat, **changes,
                                        connect_ms=time * jitter.uniform(1, 1.2)))
            sync = mode == "sync"
            for trip in (0.2, 1, 10, 50):
                name = "lan100-rtt%g" % trip
                add("rtt", 200 * trip if sync else trip + 2, link=name, link_asked=name,
                    link_rtt_ms=trip)
            add("failing", 40 if sync else 2)
            add("failing", 40 if sync else 2, fleet="fault=refuse:2%", **failed("refused", 4))
            for section, limit in (("failing", 500), ("limit", 250), ("limit", 500),
                                   ("limit", 1000)):
                add(section, 40 + 4 * limit if sync else limit, fleet=SILENT,
                    **dict(failed("timeout", 4), connect_timeout_ms=limit))
            for workers in (4, 6, 8, 10, 16):
                add("workers", 40 if sync else 2, workers=workers)
            for servers in (10, 100, 1000, 10000):
                add("connections", servers * 0.25 if sync else 1 + servers * 0.02, servers=servers,
                    connected=servers)
    return made


def wire_rows(repeats: int = 3, seed: int = 6) -> List[Dict[str, Any]]:
    """Three links, three schemes and two ceilings: the wire hides what loopback shows."""
    jitter, made = random.Random(seed), []
    for repeat in range(1, repeats + 1):
        for link, least in ((LAN, 3186.0), (GIGABIT, 318.6), (LOOPBACK, 5.0)):
            for scheme, work in (("fixed", 30.0), ("ring", 32.0), ("chain", 25.0), ("drain", 6.0),
                                 ("raw", 5.0)):
                megabytes, time = 37.5, max(least * 1.01, work) * jitter.uniform(1, 1.05)
                made.append(dict(fixtures.timed(
                    megabytes / time * 1e3, megabytes, scenario="wire", section="", scheme=scheme,
                    cell="link=%s scheme=%s" % (link["link"], scheme), repeat=repeat, servers=30,
                    connected=30, frames_per_server=1, size_min=1250000, size_max=1250000,
                    client="fanin-raw" if scheme == "raw" else "fanin-client"), **link,
                    cpu_s=work / 1e3, gb_per_cpu_s=megabytes / work))
    return made
