"""Made-up rows of the paper's machine, for the tests."""

import random
from typing import Any, Dict, List

import fixtures
import link_fixtures

# The paper's machine as the rows of scenario paper have it, where it could be had.
PAPER = {"machine": "paper", "calibrated": "rtt=9.91ms cpu-share=5.87%", "calibration_reason": "",
         "cpu_share": 0.0587, "cpu_share_asked": 0.0587, "cpu_period_ms": 40.0,
         "cpu_share_by": "cgroup v2", "cpu_share_reason": "", "cpu_share_used": 0.05,
         "throttled_periods": 40, "throttled_ms": 1200.0, "work": "none", "look": "wake"}
FAR = dict(link_fixtures.LAN, link="lan100-rtt9.91", link_asked="lan100-rtt9.91",
           link_options="--rate 100mbit --rtt 9.91ms", link_rtt_ms=9.91)
TIMES = {"fixed": 3640.0, "ring": 3560.0, "chain": 3360.0}


def on_paper(section: str, rows: List[Dict[str, Any]], link: Dict[str, Any] = link_fixtures.LAN,
             **changes: Any) -> List[Dict[str, Any]]:
    """The same rows in a section of scenario paper that repeats theirs."""
    return [dict(row, **{**link, **PAPER, **changes}, scenario="paper", section=section)
            for row in rows]


def paper_rows(repeats: int = 5, seed: int = 8, **changes: Any) -> List[Dict[str, Any]]:
    """Tables 1 to 3 near the paper's numbers."""
    jitter, made = random.Random(seed), []
    for row in fixtures.table1_rows(repeats):
        time = 2043.0 if row["connect"] == "sync" else 120.0
        made += on_paper("table1-%s" % row["section"], [
            dict(row, connect_ms=time * jitter.uniform(0.98, 1.02))], FAR, **changes)
    for row in fixtures.table2_rows(repeats):
        if row["section"] == "one-record" and row["scheme"] in TIMES:
            time = TIMES[row["scheme"]] * jitter.uniform(0.98, 1.02)
            made += on_paper("table2-one-record", [dict(
                row, bytes=39321600, size_min=1310720, size_max=1310720, elapsed_ms=time,
                bytes_per_s=39321600 / time * 1e3, committed_kb=79000)], **changes)
    for row in fixtures.table3_rows(repeats):
        if row["section"] == "grid":
            rate = 4e6 * jitter.uniform(0.98, 1.02)
            made += on_paper("table3-grid", [dict(
                row, bytes=28000000, elapsed_ms=28000000 / rate * 1e3, bytes_per_s=rate)],
                             **changes)
    return made


def calibration(key: str, **changes: Any) -> Dict[str, Any]:
    """An entry of run.json's calibrations."""
    known = {"rtt": ("round-trip", "connect_ms", 2043.0, "9.91ms", 9.91, 9.8, 10.0),
             "cpu-share": ("share", "elapsed_ms", 3640.0, "5.87%", 5.87, 5.6, 6.2)}
    section, metric, target, value, number, low, high = known.get(
        key, ("level", "bytes_per_s", 5211057.0, "20", 20.0, 19.0, 21.0))
    return dict({"scenario": "paper", "section": section, "key": key, "metric": metric,
                 "target": target, "from": "1", "to": "99", "value": value, "number": number,
                 "low": low, "high": high, "confidence": 0.9375, "runs": 12, "status": "ok",
                 "reason": ""}, **changes)


def run(*calibrations: Dict[str, Any]) -> Dict[str, Any]:
    """A run.json with these calibrations, or with those of round trip and share."""
    found = list(calibrations) or [calibration("rtt"), calibration("cpu-share")]
    return dict(fixtures.RUN, calibrations=found)
