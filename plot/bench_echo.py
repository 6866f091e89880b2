"""Echo servers side by side as bench_echo measured them: echo.jsonl in the bench's folder.

A line of JSON for each measurement: what one server did in one repeat of a load, or why a server
could not run here.
"""

import os
from typing import Any, Dict, List

from bench_link import json_lines

FILE = "echo.jsonl"


def is_measured(found: Any) -> bool:
    """Whether a parsed line holds what a ratio needs."""
    try:
        return (isinstance(found["load"], str) and isinstance(found["server"], str)
                and isinstance(found["repeat"], int) and found["messages"] > 0
                and found["server_cpu_s"] > 0)
    except (KeyError, TypeError):
        return False


def speeds(folder: str, load: str, server: str) -> Dict[int, float]:
    """Messages for each CPU second of the server, by repeat."""
    return {found["repeat"]: found["messages"] / found["server_cpu_s"]
            for found in json_lines(os.path.join(folder, FILE))
            if is_measured(found) and (found["load"], found["server"]) == (load, server)}


def ratios(folder: str, load: str, upper: str, lower: str) -> List[float]:
    """One for each repeat that has both servers."""
    over, under = speeds(folder, load, upper), speeds(folder, load, lower)
    return [over[repeat] / under[repeat] for repeat in sorted(set(over) & set(under))]


def reason(folder: str, *servers: str) -> str:
    """Why one of the servers could not run here; "" if none is known."""
    for found in json_lines(os.path.join(folder, FILE)):
        if isinstance(found, dict) and found.get("server") in servers and found.get("skipped"):
            return "%s: %s" % (found["server"], found["skipped"])
    return ""
