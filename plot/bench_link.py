"""The link as the bench measured it: what fanin-lan --check wrote into the bench's folder.

link-NAME.jsonl has a line of JSON for each check; link-NAME.txt has fanin-lan's messages.
"""

import json
import os
from typing import Any, Dict, List

DIRECTIONS = ("up", "down")

Check = Dict[str, Any]


def both_ways(check: Check) -> float:
    """Bits per second that the link carried in both directions at once."""
    return sum(check[direction]["both_ways_bits_per_s"] for direction in DIRECTIONS)


def core_share(check: Check) -> float:
    """The share of a processor for the full rate. A check on a busy machine carries less; its share
    is raised in proportion, so that a link does not look cheap because it carried little."""
    asked = sum(check[direction]["rate_asked_bits_per_s"] for direction in DIRECTIONS)
    return check["link_cpu_share"] * max(1, asked / both_ways(check))


def is_check(found: Any) -> bool:
    """Whether a parsed line holds the measurements that the figures need."""
    try:
        return found["check"] == "link" and found["link_cpu_share"] > 0 and both_ways(found) > 0
    except (KeyError, TypeError):
        return False


def json_lines(path: str) -> List[Any]:
    """The values of a file with one a line; lines that hold none are left out."""
    found = []
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
    except (OSError, UnicodeDecodeError):
        return []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def checks(folder: str, name: str) -> List[Check]:
    """The checks of one link; lines that hold none are left out."""
    return list(filter(is_check, json_lines(os.path.join(folder, "link-%s.jsonl" % name))))


def last_message(path: str, program: str) -> str:
    """The last line that a program wrote into its log; "" if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            said = [line.strip() for line in file if line.startswith(program + ": ")]
    except OSError:
        return ""
    return said[-1][len(program) + 2:] if said else ""


def reason(folder: str, name: str) -> str:
    """Why fanin-lan could not measure; "" if it gave no reason or did not run."""
    return last_message(os.path.join(folder, "link-%s.txt" % name), "fanin-lan")
