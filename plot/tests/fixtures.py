"""Writes results folders for the tests, with made-up numbers, and runs commands on them."""

import contextlib
import io
import json
import os
import random
import tempfile
import unittest
from typing import Any, Callable, Dict, List, Optional, Tuple

import plot_path
from rows import SCHEMA
from schema import KEYS

RUN = {
    "schema": SCHEMA, "commit": "c0ffee1", "seed": 42, "state": "done",
    "command_line": "fanin-sweep scenarios/made_up.conf --seed 42",
    "machine": {"cpu": "Made-up CPU @ 1.00GHz", "cpus": 2, "memory_kb": 8000000,
                "kernel": "Linux 0.0-made-up"},
}


# Of keys that no test is about.
OTHERS = {"count": 0, "integer": 0, "from1": 1, "number": 0.0, "time": 1.0, "positive": 1.0,
          "flag": False, "tally": {}, "status": "ok"}


def row(**changes: Any) -> Dict[str, Any]:
    """One valid row, with these keys changed."""
    made: Dict[str, Any] = {key.name: None if key.null else OTHERS.get(key.kind, "")
                            for key in KEYS}
    made.update({
        "schema": SCHEMA, "scenario": "table3", "section": "grid",
        "cell": "workers=6 concurrency=4",
        "client": "fanin-client", "repeat": 1, "order": 1, "time_utc": "2001-01-01T00:00:00Z",
        "sweep_overhead_ms": 12.5, "fleet": "", "fleet_rss_kb": 5000, "exit_code": 0, "label": "",
        "link": "loopback", "link_asked": "loopback", "link_options": "", "link_reason": None,
        "link_rate_bits_per_s": None, "link_rtt_ms": None, "link_cpu_s": None,
        "version": "c0ffee1", "host": "made-up", "os": "Linux 0.0-made-up", "status": "ok",
        "reason": "", "audit": "pass", "engine": "epoll", "gate": "user", "scheme": "chain",
        "bind": "late", "workers": 6, "concurrency": 4, "batch": 16, "servers": 200,
        "connect": "async", "connect_timeout_ms": 5000, "stall_timeout_ms": 10000,
        "frames_per_server": 10, "size_min": 256, "size_max": 100000, "rate": 0, "source": "tape",
        "seed": 42, "verify": "full", "request": "", "end_marker": "\r\n", "block_bytes": 8192,
        "blocks_per_receive": 4, "pool_cap_bytes": None, "frame_bytes_max": 1048576,
        "processors": 0, "work": "none", "look": "wake", "pool_batch": 64,
        "idle_servers": 0, "flood_frames": 0, "login": None,
        "target": "127.0.0.1:20000", "ready_rss_kb": 3500, "buffer_turn_waits": 0,
        "connected": 200, "connect_failed": 0, "connect_errors": {},
        "addresses": {"ipv4": 200}, "addresses_failed": "", "login_errors": {},
        "logged_in": None, "login_timeout_ms": 5000, "reconnect": False,
        "reconnect_delay_ms_min": 100, "reconnect_delay_ms_max": 10000, "reconnect_tries": 0,
        "reconnects": 0, "reconnect_attempts": 0, "outage_ms_max": None, "discarded_bytes": 0,
        "undelivered_bytes": 0, "frames_missed": 0, "connect_ms": 20.0,
        "connect_us_min": 50.0, "connect_us_p50": 90.0, "connect_us_p90": 150.0,
        "connect_us_p99": 400.0, "connect_us_max": 500.0, "elapsed_ms": 100.0,
        "paused_ms": 0.0, "interrupted_by": None,
        "bytes": 100000000, "frames": 2000, "frames_per_s": 20000.0,
        "latency_us_min": None, "latency_us_p50": None, "latency_us_p90": None,
        "latency_us_p99": None, "latency_us_p999": None, "latency_us_max": None,
        "latency_reason": "", "negative_latencies": None, "clock_offset_ns_before": None,
        "clock_offset_ns_after": None, "clock_offset_ns_error": None, "clock_step_ns": None,
        "peak_rss_kb": 20000, "base_rss_kb": 3000,
        "buffer_peak_bytes": 4000000, "buffer_predicted_bytes": None, "buffer_cap_waits": 0,
        "worker_threads": 6, "buffer_threads": 1, "total_threads": 8, "cpu_s": 0.1,
        "cpu_user_s": 0.04, "cpu_system_s": 0.06, "gb_per_cpu_s": 1.0, "switches_voluntary": 10,
        "switches_involuntary": 2, "copies_per_byte": 1.0, "scanned_per_byte": 1.0,
        "receive_calls": 4000, "receive_empty": 0, "hand_overs": None, "receives_per_frame": 2.0,
        "pool_blocks": 500, "blocks_lost": 0, "connections_failed": 0, "errors": {}, "refusal": "",
        "server_bytes": 100000000, "server_frames": 2000, "server_cpu_s": 0.05,
        "bottleneck": "client",
    })
    made.update(changes)
    if "bytes_per_s" not in changes:
        known = isinstance(made["elapsed_ms"], (int, float)) and made["elapsed_ms"]
        made["bytes_per_s"] = made["bytes"] / made["elapsed_ms"] * 1000 if known else None
    return made


def timed(megabytes_per_s: float, megabytes: float, **changes: Any) -> Dict[str, Any]:
    """A row that received so many MB at such a rate."""
    return row(bytes=int(megabytes * 1e6), elapsed_ms=megabytes / megabytes_per_s * 1e3,
               gb_per_cpu_s=megabytes_per_s / 1e3, **changes)


# Of a live row whose clocks allow no latencies.
CLOCKS_DIFFER = {**{"latency_us_" + name: None for name in ("min", "p50", "p90", "p99", "p999",
                                                            "max")},
                 "latency_reason": "the clocks differ"}


def table1_rows(repeats: int = 5, seed: int = 1) -> List[Dict[str, Any]]:
    """Async at four numbers of workers, sync at 6."""
    jitter, made = random.Random(seed), []
    for repeat in range(1, repeats + 1):
        for mode, workers, time in (("async", 4, 12.0), ("async", 6, 10.0), ("async", 8, 11.0),
                                    ("async", 10, 13.0), ("sync", 6, 40.0)):
            made.append(row(scenario="table1", section=mode, connect=mode, workers=workers,
                            concurrency=4, cell="workers=%d" % workers, repeat=repeat,
                            connect_ms=time * jitter.uniform(0.9, 1.2)))
    return made


def table2_rows(repeats: int = 5, seed: int = 2) -> List[Dict[str, Any]]:
    """Both readings, three schemes and two ceilings."""
    jitter, made = random.Random(seed), []
    for repeat in range(1, repeats + 1):
        for section, frames, size in (("one-record", 1, 1310720), ("many-records", 26, 50000)):
            for scheme, rate, rss, threads in (("fixed", 700, 90000, 30), ("ring", 750, 85000, 30),
                                               ("chain", 1100, 50000, 1), ("drain", 1500, 4000, 0),
                                               ("raw", 1600, 3500, 0)):
                made.append(timed(
                    rate * jitter.uniform(0.9, 1.1), 39.3216, scenario="table2", section=section,
                    scheme=scheme, cell="scheme=%s" % scheme, repeat=repeat, servers=30,
                    connected=30, frames_per_server=frames, size_min=size, size_max=size,
                    client="fanin-raw" if scheme == "raw" else "fanin-client",
                    buffer_threads=threads, peak_rss_kb=int(rss * jitter.uniform(0.97, 1.03)),
                    committed_kb=int(1.1 * rss)))
    return made


PAPER_GRID = [(w, c) for w in (4, 6, 8, 10, 12, 16) for c in sorted({2, 4, w})]
FULL_GRID = [(w, c) for w in (4, 6, 8, 10, 12, 16) for c in (2, 4, 6, 8, 10, 12, 16) if c <= w]


def table3_rows(repeats: int = 5, seed: int = 3,
                grid: Optional[List] = None) -> List[Dict[str, Any]]:
    """The grid, and both ceilings."""
    jitter, made = random.Random(seed), []
    for repeat in range(1, repeats + 1):
        for workers, limit in grid or PAPER_GRID:
            rate = 900 + 60 * (limit == 4) - 12 * abs(workers - 6) - 8 * max(0, limit - 4)
            made.append(timed(rate * jitter.uniform(0.95, 1.05), 200, workers=workers,
                              concurrency=limit, repeat=repeat,
                              cell="workers=%d concurrency=%d" % (workers, limit)))
        for scheme, rate in (("drain", 1250), ("raw", 1400)):
            made.append(timed(rate * jitter.uniform(0.95, 1.05), 200, section="ceiling",
                              scheme=scheme, cell="scheme=%s" % scheme, repeat=repeat,
                              client="fanin-raw" if scheme == "raw" else "fanin-client"))
    return made


def spec_rows(repeats: int = 2) -> List[Dict[str, Any]]:
    """500 records a second."""
    return [row(scenario="spec", section="", cell="rate=500", repeat=repeat, rate=500,
                source="live", frames_per_server=25, frames=5000, elapsed_ms=10000.0,
                frames_per_s=500.0, bytes=250000000, cpu_s=0.9, latency_us_min=60.0,
                latency_us_p50=180.0, latency_us_p90=300.0, latency_us_p99=900.0 + repeat,
                latency_us_p999=2000.0, latency_us_max=4000.0, negative_latencies=0,
                clock_offset_ns_before=-2000, clock_offset_ns_after=1000,
                clock_offset_ns_error=50000, clock_step_ns=0) for repeat in range(1, repeats + 1)]


def everything() -> List[Dict[str, Any]]:
    return table1_rows() + table2_rows() + table3_rows() + spec_rows()


def as_lines(rows: List[Dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(made).encode() + b"\n" for made in rows)


def write_folder(folder: str, rows: List[Dict[str, Any]], tail: bytes = b"",
                 run: Optional[Dict[str, Any]] = None) -> str:
    """A results folder with these rows, then raw bytes as they are."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "rows.jsonl"), "wb") as file:
        file.write(as_lines(rows) + tail)
    with open(os.path.join(folder, "run.json"), "w", encoding="utf-8") as file:
        json.dump(RUN if run is None else run, file)
    return folder


class FolderTest(unittest.TestCase):
    """A test with a temporary folder of its own."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def ran(self, main: Callable, *arguments: str, code: int = 0) -> Tuple[str, str]:
        """A command's standard output and standard error; its exit code must be this."""
        ended, out, err = run_main(main, *arguments)
        self.assertEqual(ended, code, err)
        return out, err


def run_main(main: Callable, *arguments: str) -> Tuple[int, str, str]:
    """A command's exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(arguments))
        except SystemExit as end:
            code = end.code
    return code, out.getvalue(), err.getvalue()
