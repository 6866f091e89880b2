#!/usr/bin/env python3
"""Reads a results folder: rows.jsonl, checked line by line (row_check.py), and run.json.

A row that fails a check is left out and named as `rows.jsonl:LINE: what` on standard error. The
other rows stay usable, because an interrupted sweep is valid as far as it got.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # missing under PYTHONSAFEPATH
    import own_python  # first: nothing else may come from the user's settings

import argparse
import csv
import json
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from places import is_connection_test, seen_by_tables, why_not_on_machine
from row_check import SCHEMA, Row, is_number, is_of_screens, shown, wrong_client, wrong_row
from schema import CLIENT_KEYS, SCREEN_KEYS
from stats import median, median_interval
from tables import number, span
from texts import PLAIN, UTF16, WrongFile, reading_order, split

NO_AUDIT = "none: "    # begins an audit that could not be made, and why
ROWS_FILE, RUN_FILE = "rows.jsonl", "run.json"
SAME_REASON_MAX = 3    # lines that are named one by one


class OtherSchema(Exception):
    """The folder was written by a version with another schema: which one, and what to do."""


class Results(NamedTuple):
    """The rows of one results folder that passed their checks."""

    folder: str
    rows: List[Row]
    run: Dict[str, Any]
    problems: List[str]  # one message per line or file that was left out

    @property
    def seen(self) -> List[Row]:
        """The rows as tables and claims see them: those of scenario paper as of what it repeats."""
        return seen_by_tables(self.rows)


# ---- loading ----


def no_constant(name: str) -> None:
    """Refuses NaN and Infinity, which JSON does not have but Python's reader accepts."""
    raise ValueError("%s is not a JSON number" % name)


def parse_line(data: bytes) -> Tuple[Optional[Row], Optional[str]]:
    """The row, or the reason why there is none."""
    try:
        row = json.loads(data.decode("utf-8"), parse_constant=no_constant)
    except UnicodeDecodeError:
        return None, ("is in UTF-16; " if data.startswith(UTF16) else "not UTF-8; ") + PLAIN
    except json.JSONDecodeError as error:
        if not data.endswith((b"\n", b"\r")):
            return None, "torn: the line does not end (an interrupted sweep?)"
        return None, "not JSON: %s at column %d" % (error.msg, error.colno)
    except (ValueError, RecursionError) as error:
        return None, "not JSON: %s" % (str(error).split(";")[0] or "nested too deeply")
    why = wrong_row(row)
    return (None, why) if why else (row, None)


def run_identity(row: Row) -> Tuple[Any, ...]:
    """The keys that no two rows may share: a repeat of a cell, at its place in the plan."""
    keys = ("scenario", "section", "client", "cell", "label", "repeat", "order")
    return tuple(row.get(key) for key in keys)


def parse_rows(lines: Iterable[bytes]) -> Tuple[List[Row], List[str]]:
    """All sound rows in file order, and a message for each line left out."""
    rows, problems, seen = [], [], {}
    for number, data in enumerate(lines, 1):
        if not data.strip():
            continue
        row, why = parse_line(data)
        if row is not None and row["status"] == "ok":
            first = seen.setdefault(run_identity(row), number)
            why = "same cell and repeat as line %d" % first if first != number else None
        if why:
            problems.append("%s:%d: %s; row left out" % (ROWS_FILE, number, why))
        else:
            rows.append(row)
    return rows, problems


def load_run(folder: str) -> Tuple[Dict[str, Any], List[str]]:
    """run.json, or {} and the reason; rows without it are still usable."""
    try:
        with open(os.path.join(folder, RUN_FILE), "rb") as file:
            run = json.loads(file.read().decode("utf-8-sig"), parse_constant=no_constant)
    except OSError as error:
        return {}, ["%s: %s; the machine is not on record" % (RUN_FILE, error.strerror)]
    except (ValueError, RecursionError):
        return {}, ["%s: not JSON; the machine is not on record" % RUN_FILE]
    if not isinstance(run, dict):
        return {}, ["%s: not a JSON object; the machine is not on record" % RUN_FILE]
    return run, []


def load(folder: str) -> Results:
    """Reads the folder. OSError if rows.jsonl cannot be read, OtherSchema; other problems are
    listed."""
    run, run_problems = load_run(folder)
    found = run.get("schema", SCHEMA)
    if found != SCHEMA:
        raise OtherSchema("has schema %s, and this report reads schema %d; run the report of the "
                          "version that wrote it: commit %s, by its %s"
                          % (shown(found), SCHEMA, run.get("commit", "unknown"), RUN_FILE))
    with open(os.path.join(folder, ROWS_FILE), "rb") as file:
        rows, problems = parse_rows(split(file.read()))
    return Results(folder, rows, run, problems + run_problems)


def load_or_explain(program: str, folder: str) -> Tuple[Optional[Results], int]:
    """For commands: the results and 0, or None and the exit code after a line on standard error."""
    if not os.path.isdir(folder):
        print("%s: %s: no such folder; give one that fanin-sweep wrote" % (program, folder),
              file=sys.stderr)
        return None, 2
    try:
        results = load(folder)
    except OSError as error:
        print("%s: %s: %s; no rows, so nothing to report"
              % (program, os.path.join(folder, ROWS_FILE), error.strerror), file=sys.stderr)
        return None, 1
    except OtherSchema as error:
        print("%s: %s: %s" % (program, folder, error), file=sys.stderr)
        return None, 1
    for problem in in_short(results.problems):
        print(problem, file=sys.stderr)
    return results, 0


def in_short(problems: Sequence[str]) -> List[str]:
    """The problems, where many lines have the same reason only the first few and a count."""
    listed: List[str] = []
    for reason, same in grouped(problems, lambda text: text.partition(": ")[2]).items():
        listed += same[:SAME_REASON_MAX]
        more = len(same) - SAME_REASON_MAX
        listed += ["%s: %d more lines: %s" % (ROWS_FILE, more, reason)] * (more > 0)
    return listed


# ---- selecting ----


def is_connect_result(row: Row) -> bool:
    """Whether only connects failed, in a connection test: there it is the result."""
    return is_connection_test(row) and row["status"] == "failed" \
        and not (is_of_screens(row) or wrong_client(row)) \
        and row["connect_failed"] > 0 and row["connections_failed"] == 0


def is_result(row: Row) -> bool:
    """Whether the row passed its audit, on its machine. All others are listed, never averaged."""
    return (row["status"] == "ok" or is_connect_result(row)) and is_audited(row) \
        and not why_not_on_machine(row)


def is_audited(row: Row) -> bool:
    """Whether its audit passed. Of screens or viewers that are not ours nothing can be audited, and
    what the eye saw in their windows counts nevertheless."""
    return row["audit"] == "pass" or is_of_screens(row) and not is_all_ours(row) \
        and row["audit"].startswith(NO_AUDIT)


def is_all_ours(row: Row) -> bool:
    """Whether our viewer showed our own painted screens, so that a row of screens has an audit."""
    return row["viewer"] == "monitor" and "device=" not in row["fleet"]


def why_excluded(row: Row) -> str:
    if row["status"] != "ok":
        return "%s: %s" % (row["status"], row.get("reason") or "no reason given")
    return why_not_on_machine(row) or "audit %s" % row["audit"]


def clock_limited(rows: Iterable[Row]) -> List[Row]:
    """The rows whose clocks are known less well than their latencies would need."""
    return [row for row in rows if row.get("clock_limited")]


def without_latency(rows: Iterable[Row]) -> Dict[str, List[Row]]:
    """The rows whose clocks did not allow latencies, by what they say of it."""
    return grouped([row for row in rows if row.get("latency_reason")],
                   lambda row: row["latency_reason"])


def select(rows: Iterable[Row], **wanted: Any) -> List[Row]:
    """Rows whose keys have the wanted values; a tuple means any of its values."""
    def fits(row: Row) -> bool:
        return all(row.get(key) in (value if isinstance(value, tuple) else (value,))
                   for key, value in wanted.items())
    return [row for row in rows if fits(row)]


def grouped(items: Iterable[Any], key: Callable[[Any], Any]) -> Dict[Any, List[Any]]:
    """Items by their keys, in order of first appearance."""
    found: Dict[Any, List[Any]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def group(rows: Iterable[Row], keys: Sequence[str]) -> Dict[Tuple[Any, ...], List[Row]]:
    """Rows by the values of `keys`."""
    return grouped(rows, lambda row: tuple(row.get(key) for key in keys))


def group_by(rows: Iterable[Row], key: str) -> Dict[Any, List[Row]]:
    """Rows by the value of one key."""
    return grouped(rows, lambda row: row.get(key))


def numbers(rows: Iterable[Row], key: str) -> List[float]:
    """The measured values of a key, without nulls."""
    return [row[key] for row in rows if row.get(key) is not None]


# Options that change the meaning of a number: rows that differ in one of them never share a median.
# Workers and concurrency are left out, because a cell's name has them; the seed changes nothing.
OPTIONS = (*dict.fromkeys(key.name for key in CLIENT_KEYS + SCREEN_KEYS if key.writer == "OPTION"
                          and key.name not in ("workers", "concurrency", "seed")),
           "gate", "servers", "idle_servers", "end_marker", "fleet", "link", "launcher", "hosts",
           "label", "version", "host", "os", "machine", "cpu_share_asked", "cpu_period_ms")


def variants(rows: Sequence[Row], axes: Sequence[str]) -> List[Tuple[str, List[Row]]]:
    """Splits rows so that no cell of a table mixes different options, such as two engines, or two
    machines after a resume: [(label, rows)], usually one pair with the label ""."""
    cells = group(rows, axes).values()
    differing = [key for key in OPTIONS if key not in axes
                 and any(len({repr(row.get(key)) for row in cell}) > 1 for cell in cells)]
    return [(", ".join("%s %s" % pair for pair in zip(differing, values)), members)
            for values, members in group(rows, differing).items()]


# ---- cells ----

# The name of a cell; `variant` is what else sets it apart (two engines, two machines).
CELL_KEYS = ("scenario", "section", "client", "cell", "label", "link")
FIGURES = ("connect_ms", "elapsed_ms", "bytes_per_s", "gb_per_cpu_s", "peak_rss_kb",
           "latency_us_p99")
CELL_CONFIDENCE = 0.9  # of 5 runs it is 0.9375; fewer runs cannot give it


def cell_rows(rows: Sequence[Row], figures: Sequence[str],
              columns: Callable[[str, Sequence[float]], Row]) -> List[Row]:
    """One line for each cell, with the columns of each figure of its results."""
    lines = []
    for variant, members in variants([row for row in rows if is_result(row)], CELL_KEYS):
        for names, runs in group(members, CELL_KEYS).items():
            line = dict(zip(CELL_KEYS, names), variant=variant, runs=len(runs))
            for figure in figures:
                line.update(columns(figure, numbers(runs, figure)))
            lines.append(line)
    return sorted(lines, key=lambda line: reading_order(
        " ".join(str(line[key]) for key in (*CELL_KEYS, "variant"))))


def data_columns(figure: str, values: Sequence[float]) -> Row:
    """For CSV: how many runs measured it, their median, and its exact interval (null below 5 runs)
    with the confidence that it has."""
    low, high, confidence = median_interval(values, CELL_CONFIDENCE) or (None, None, None)
    columns = (("n", len(values)), ("median", median(values) if values else None), ("low", low),
               ("high", high), ("confidence", confidence))
    return {"%s_%s" % (figure, name): value for name, value in columns}


def text_column(figure: str, values: Sequence[float]) -> Row:
    """For a page: `median (low..high)`, three digits each."""
    found = median_interval(values, CELL_CONFIDENCE)
    reach = " (%s)" % span(found.low, found.high) if found else ""
    return {figure: number(median(values)) + reach if values else None}


# ---- the command ----

ABOUT = """Checks a results folder and exports its rows, or its cells with medians and intervals.

Lines of rows.jsonl that are torn, of another schema, or hold impossible numbers are named on
standard error and left out."""
EPILOGUE = """examples:
  plot/rows.py out/latest                                      how many rows, how many count
  plot/rows.py out/latest --csv > rows.csv                     every key, for a spreadsheet
  plot/rows.py out/latest --markdown --keys cell,repeat,elapsed_ms,bytes_per_s
  plot/rows.py out/latest --cells --csv > cells.csv            a line for each cell: KEY_median, ...
  plot/rows.py out/latest --cells --markdown --keys elapsed_ms,peak_rss_kb

A cell's interval is for its median, exact, of 90 % or more (KEY_confidence; 5 runs: 93.75 %); with
fewer than 5 runs it has none. Only results count: status ok, audit pass.

exit codes: 0 done; 1 no usable row; 2 wrong use"""
MARKDOWN_KEYS = ("scenario", "section", "client", "cell", "repeat", "status", "audit", "connect_ms",
                 "elapsed_ms", "bytes_per_s", "peak_rss_kb", "buffer_threads")


def plain(value: Any) -> str:
    """A value for a spreadsheet: null is empty, an object is JSON."""
    if value is None:
        return ""
    if isinstance(value, (dict, list, bool)):
        return json.dumps(value, sort_keys=True)
    return str(value)


def write_markdown(rows: Sequence[Row], keys: Sequence[str], out: Any) -> None:
    """One table; values are escaped so that they stay within their cell."""
    def cell(value: Any) -> str:
        return " ".join(plain(value).replace("|", "\\|").split())
    out.write("| %s |\n|%s\n" % (" | ".join(keys), " --- |" * len(keys)))
    for row in rows:
        out.write("| %s |\n" % " | ".join(cell(row.get(key)) for key in keys))


def options(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="plot/rows.py", description=ABOUT, epilog=EPILOGUE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", help="results folder that fanin-sweep wrote")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="every row as CSV on standard output")
    form.add_argument("--markdown", action="store_true", help="every row as a Markdown table")
    parser.add_argument("--cells", action="store_true",
                        help="one line for each cell instead of each row, as Markdown unless --csv")
    parser.add_argument("--keys", metavar="K,K,...",
                        help="only these keys, in this order; with --cells: its figures")
    return parser.parse_args(arguments)


def chosen_keys(rows: Sequence[Row], asked: Optional[str], default: Sequence[str]) -> List[str]:
    """The keys to export; ValueError names one that no row has."""
    known = list(dict.fromkeys(key for row in rows for key in row))
    if asked is None:
        return list(default) or known
    keys = [key.strip() for key in asked.split(",") if key.strip()]
    unknown = [key for key in keys if key not in known]
    if unknown or not keys:
        raise ValueError("--keys: no row has the key %s; results/README.md lists them"
                         % (unknown or ["''"])[0])
    return keys


def chosen_figures(rows: Sequence[Row], asked: Optional[str]) -> List[str]:
    """The keys to summarise; ValueError names one that is not a number."""
    figures = chosen_keys(rows, asked, FIGURES)
    for figure in figures:
        for value in numbers(rows, figure):
            if not is_number(value):
                raise ValueError("--keys: %s has no median: its values are not numbers but, for "
                                 "instance, %s" % (figure, shown(value)))
    return figures


def export(rows: Sequence[Row], asked: argparse.Namespace) -> int:
    """Writes rows or cells to standard output. ValueError if the keys are wrong."""
    markdown = asked.markdown or asked.cells and not asked.csv
    if asked.cells:
        rows = cell_rows(rows, chosen_figures(rows, asked.keys),
                         text_column if markdown else data_columns)
        keys = list(rows[0]) if rows else []
    else:
        keys = chosen_keys(rows, asked.keys, MARKDOWN_KEYS if markdown else ())
    if not rows:
        print("plot/rows.py: %s: none of its rows is a result (status ok, audit pass)"
              % asked.folder, file=sys.stderr)
        return 1
    if markdown:
        write_markdown(rows, keys, sys.stdout)
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows(
            [keys, *([plain(row.get(key)) for key in keys] for row in rows)])
    return 0


def main(arguments: Optional[Sequence[str]] = None) -> int:
    asked = options(arguments)
    results, code = load_or_explain("plot/rows.py", asked.folder)
    if results is None:
        return code
    if not results.rows:
        print("plot/rows.py: %s: no usable row" % asked.folder, file=sys.stderr)
        return 1
    if not (asked.csv or asked.markdown or asked.cells):
        print("%s: %d rows, %d of them results (status ok, audit pass), %d lines left out"
              % (asked.folder, len(results.rows), len([r for r in results.rows if is_result(r)]),
                 len([p for p in results.problems if p.startswith(ROWS_FILE)])))
        return 0
    try:
        return export(results.rows, asked)
    except ValueError as error:
        print("plot/rows.py: %s" % error, file=sys.stderr)
        return 2


def run_command(command: Any) -> int:
    """Runs a main(). Exit code 0 if the reader closes the pipe early (`| head`), 2 if a file of the
    paper's is wrong, 3 if the output cannot be written, 130 on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # what the terminal lacks
    try:
        code = command()
        sys.stdout.flush()
        return code
    except WrongFile as error:
        print("%s: %s" % (sys.argv[0], error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0
        print("%s: cannot write the output: %s" % (sys.argv[0], error.strerror), file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(run_command(main))
