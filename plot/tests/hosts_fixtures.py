"""Made-up rows of fleets on hosts, and what the hosts said of themselves."""

import random
from typing import Any, Dict, List, Sequence

import plot_path
import fixtures


def address_of(host: int) -> str:
    return "10.1.0.%d" % (host + 1)


def recorded(hosts: int = 4, servers: int = 200) -> List[Dict[str, Any]]:
    """run.json's hosts: lab1, lab2, ...; one fleet."""
    return [{"host": "lab%d" % (host + 1), "address": address_of(host), "port": 7000,
             "count": servers // hosts, "process": "%016x" % (host + 1), "pid": 4242,
             "commit": "c0ffee1", "version": "1", "kernel": "6.1.0-made-up",
             "cpu": "Made-up_CPU_@_1.00GHz", "cpus": 8, "memory_mb": 32768, "interface": "eth0",
             "mtu": 1500, "speed_mbit": 10000, "congestion": "cubic", "descriptors": 1048576,
             "clock": "synchronised"} for host in range(hosts)]


def run() -> Dict[str, Any]:
    """The record of a run on 4 hosts."""
    return dict(fixtures.RUN, hosts=recorded())


def keys(hosts: int) -> Dict[str, Any]:
    """What a row of a fleet on so many hosts has more than others."""
    return {"launcher": "slurm", "hosts": hosts, "host_lost": "", "processes": hosts,
            "start": "together", "start_spread_us": 800.0, "clock_offset_us_max": 1500.0,
            "clock_error_us_max": 15.0, "clock_limited": False,
            "host_us": {address_of(host): 100000 for host in range(hosts)}}


def on_hosts(**changes: Any) -> Dict[str, Any]:
    """One row of a fleet on hosts, 4 unless changed."""
    return fixtures.row(**{**keys(changes.get("hosts") or 4), **changes})


def grid(hosts: int = 4, runs: int = 20, slow: Sequence[float] = (), seed: int = 7,
         **changes: Any) -> List[Dict[str, Any]]:
    """Runs of one cell; `slow` are factors of the first hosts' times."""
    jitter, made = random.Random(seed), []
    for number in range(1, runs + 1):
        times = {address_of(host): int(
            1e5 * jitter.uniform(0.98, 1.02) * (slow[host] if host < len(slow) else 1))
            for host in range(hosts)}
        made.append(on_hosts(hosts=hosts, repeat=number, order=number, host_us=times,
                             start_spread_us=800.0 + 20 * number, **changes))
    return made


def live() -> List[Dict[str, Any]]:
    """Rows of the specification's rate, with latencies, on 4 hosts."""
    return [dict(made, **keys(4)) for made in fixtures.spec_rows(3)]
