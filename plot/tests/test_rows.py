"""Every way in which a results folder can be wrong: a message that names the line, no trace."""

import csv
import io
import json
import os
import subprocess
import sys
import unittest
import unittest.mock

import plot_path
import fixtures
import row_check
import rows
from schema import CLIENT_KEYS, SWEEP_KEYS


def run(*arguments):
    return fixtures.run_main(rows.main, *arguments)


class Output(fixtures.FolderTest):
    def piped(self, where):
        """The exit code and the words of an export that goes there."""
        fixtures.write_folder(self.folder, [fixtures.row()])
        with open(where, "w", encoding="utf-8") as out:
            done = subprocess.run([sys.executable, rows.__file__, self.folder, "--csv"], stdout=out,
                                  stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr

    @unittest.skipUnless(os.path.exists("/dev/full"), "this system has no /dev/full")
    def test_a_full_disk_is_told_in_one_line(self):
        code, said = self.piped("/dev/full")
        self.assertEqual((code, len(said.splitlines())), (3, 1), said)
        self.assertIn("cannot write the output: No space left on device", said)

    def test_ctrl_c_leaves_no_trace(self):
        self.assertEqual(rows.run_command(unittest.mock.Mock(side_effect=KeyboardInterrupt)), 130)

    def test_otherwise_nothing_is_said(self):
        self.assertEqual(self.piped(os.devnull), (0, ""))


class Lines(unittest.TestCase):
    """A good row on line 1, the row under test on line 2."""

    def problem(self, line):
        """The one problem that a second line makes."""
        data = fixtures.as_lines([fixtures.row()]) + line
        found, problems = rows.parse_rows(data.splitlines(keepends=True))
        self.assertEqual(len(found), 1, problems)
        self.assertEqual(len(problems), 1)
        self.assertTrue(problems[0].startswith("rows.jsonl:2: "), problems[0])
        self.assertNotIn("\n", problems[0])
        return problems[0]

    def changed(self, **changes):
        return self.problem(fixtures.as_lines([fixtures.row(**dict({"repeat": 2}, **changes))]))

    def without(self, key):
        row = fixtures.row(repeat=2)
        del row[key]
        return self.problem(fixtures.as_lines([row]))

    def test_a_torn_last_line(self):
        self.assertIn("torn", self.problem(fixtures.as_lines([fixtures.row(repeat=2)])[:200]))

    def test_a_broken_line_in_the_middle_costs_only_itself(self):
        good = [fixtures.row(repeat=repeat) for repeat in (1, 2)]
        data = fixtures.as_lines(good[:1]) + b'{"schema": 1,,}\n' + fixtures.as_lines(good[1:])
        found, problems = rows.parse_rows(data.splitlines(keepends=True))
        self.assertEqual([row["repeat"] for row in found], [1, 2])
        self.assertIn("rows.jsonl:2: not JSON", problems[0])

    def test_bytes_that_are_no_text(self):
        self.assertIn("not UTF-8", self.problem(b'{"a": "\xff"}\n'))

    def test_json_that_is_not_a_row(self):
        for line in (b"[1]\n", b"7\n", b"null\n", b'"row"\n'):
            self.assertIn("not a JSON object", self.problem(line))
        self.assertIn("not JSON", self.problem(b"[" * 100000 + b"\n"))
        self.assertIn("rows.jsonl:2", self.problem(b'{"schema": ' + b"9" * 5000 + b"}\n"))

    def test_another_schema(self):
        self.assertIn("schema is 0", self.changed(schema=0))
        self.assertIn("schema is 1", self.changed(schema=1))
        self.assertIn("schema is true", self.changed(schema=True))
        self.assertIn("schema is null", self.without("schema"))

    def test_numbers_that_json_does_not_have(self):
        def line(word):
            return fixtures.as_lines([fixtures.row(repeat=2)]).replace(
                b'"connect_ms": 20.0', b'"connect_ms": ' + word)
        for word in (b"NaN", b"Infinity", b"-Infinity"):
            self.assertIn(word.decode() + " is not a JSON number", self.problem(line(word)))
        self.assertIn("`connect_ms`", self.problem(line(b"1e999")))

    def test_times_above_0_only(self):
        for value in (0, 0.0, -1.5):
            self.assertIn("`connect_ms` is", self.changed(connect_ms=value))
            self.assertIn("`elapsed_ms` is", self.changed(elapsed_ms=value, bytes_per_s=1))

    def test_kinds(self):
        for key, value in (("workers", "6"), ("workers", 6.5), ("workers", True), ("bytes", -1),
                           ("scheme", None), ("servers", 0), ("errors", []), ("repeat", 0),
                           ("cell", 7), ("rate", None), ("bytes_per_s", 0),
                           ("peak_rss_kb", 0), ("size_max", 10**400),
                           ("switches_voluntary", 1e30)):
            self.assertIn("`%s` is" % key, self.changed(**{key: value}), (key, value))

    def test_each_missing_key_is_named(self):
        for key in ("scenario", "cell", "workers", "elapsed_ms", "peak_rss_kb", "errors",
                    "bottleneck"):
            self.assertIn("has no `%s`" % key, self.without(key))

    def test_values_that_contradict(self):
        self.assertIn("`status` is \"fine\"", self.changed(status="fine"))
        self.assertIn("`bytes_per_s` is not", self.changed(bytes_per_s=2e9))
        self.assertIn("is not servers", self.changed(connected=150))

    def test_no_quantile_lies_above_a_higher_one(self):
        for low, high in (("latency_us_p999", "latency_us_max"), ("latency_us_min",
                          "latency_us_p50"), ("connect_us_p99", "connect_us_max")):
            self.assertIn("`%s` is above `%s`" % (low, high),
                          self.changed(**{low: 570.0, high: 563.0}))
        alike = fixtures.row(latency_us_min=563.0, latency_us_p50=563.0, latency_us_p99=563.0)
        self.assertIsNone(row_check.disorder(alike, row_check.QUANTILES))

    def test_a_clock_may_be_behind(self):
        found, problems = rows.parse_rows([fixtures.as_lines([fixtures.row(
            clock_offset_ns_before=-3600 * 10**9, clock_offset_ns_after=-1)])])
        self.assertEqual((len(found), problems), (1, []))

    def test_the_same_repeat_twice(self):
        self.assertIn("same cell and repeat as line 1",
                      self.problem(fixtures.as_lines([fixtures.row()])))

    def test_a_failed_row_need_not_have_measured_anything(self):
        row = {key.name: fixtures.row()[key.name] for key in SWEEP_KEYS}
        row.update(status="skipped", reason="no io_uring here")
        found, problems = rows.parse_rows(fixtures.as_lines([row]).splitlines(keepends=True))
        self.assertEqual((len(found), problems), (1, []))
        self.assertFalse(rows.is_result(found[0]))
        self.assertEqual(rows.why_excluded(found[0]), "skipped: no io_uring here")

    def test_blank_lines_say_nothing(self):
        found, problems = rows.parse_rows([b"\n", fixtures.as_lines([fixtures.row()]), b"  \n"])
        self.assertEqual((len(found), problems), (1, []))

    def test_null_is_unmeasured_where_the_schema_allows_it(self):
        found, problems = rows.parse_rows([fixtures.as_lines([fixtures.row(
            latency_us_p50=None, frames=None, frames_per_s=None, buffer_predicted_bytes=None,
            request=None)])])
        self.assertEqual((len(found), problems), (1, []))

    def test_the_schema_knows_every_key_of_a_whole_row(self):
        known = [key.name for key in SWEEP_KEYS + CLIENT_KEYS]
        self.assertEqual(sorted(known), sorted(set(known)))
        self.assertEqual(sorted(known), sorted(fixtures.row()))


class Choosing(unittest.TestCase):
    def test_only_audited_successes_are_results(self):
        self.assertTrue(rows.is_result(fixtures.row()))
        for changes in ({"status": "failed"}, {"status": "skipped"}, {"audit": "fail: 3 bytes"},
                        {"audit": "none: foreign servers"}):
            self.assertFalse(rows.is_result(fixtures.row(**changes)))

    def test_a_failed_audit_is_the_reason(self):
        self.assertEqual(rows.why_excluded(fixtures.row(audit="fail: 3 bytes short")),
                         "audit fail: 3 bytes short")

    def test_groups_keep_their_order(self):
        cells = rows.group(fixtures.table1_rows(2), ("connect", "workers"))
        self.assertEqual(list(cells)[0], ("async", 4))
        self.assertTrue(all(len(members) == 2 for members in cells.values()))

    def test_different_options_never_share_a_median(self):
        made = [fixtures.row(engine=engine, repeat=repeat)
                for engine in ("epoll", "uring") for repeat in (1, 2)]
        split = rows.variants(made, ("workers", "concurrency"))
        self.assertEqual([(label, len(members)) for label, members in split],
                         [("engine epoll", 2), ("engine uring", 2)])

    def test_axes_may_differ(self):
        self.assertEqual([label for label, _ in rows.variants(fixtures.table3_rows(2)[:10],
                                                              ("workers", "concurrency"))], [""])


class Command(fixtures.FolderTest):
    def test_a_count_by_default(self):
        fixtures.write_folder(self.folder, fixtures.spec_rows() + [fixtures.row(status="failed")],
                              b"{")
        out, err = self.ran(rows.main, self.folder)
        self.assertIn("3 rows, 2 of them results", out)
        self.assertIn("rows.jsonl:4: torn", err)

    def test_csv_has_every_key_and_survives_a_comma(self):
        fixtures.write_folder(self.folder, [fixtures.row(host='a,b "c"', errors={"reset": 2})])
        code, out, _ = run(self.folder, "--csv")
        lines = list(csv.DictReader(io.StringIO(out)))
        self.assertEqual(code, 0)
        self.assertEqual(set(lines[0]), set(fixtures.row()))
        self.assertEqual(lines[0]["host"], 'a,b "c"')
        self.assertEqual(json.loads(lines[0]["errors"]), {"reset": 2})
        self.assertEqual(lines[0]["pool_cap_bytes"], "")

    def test_markdown_with_chosen_keys(self):
        fixtures.write_folder(self.folder, [fixtures.row(host="a|b")])
        code, out, _ = run(self.folder, "--markdown", "--keys", "host,workers")
        self.assertEqual((code, out), (0, "| host | workers |\n| --- | --- |\n| a\\|b | 6 |\n"))

    def test_an_unknown_key(self):
        fixtures.write_folder(self.folder, [fixtures.row()])
        _, err = self.ran(rows.main, self.folder, "--csv", "--keys", "wrkers", code=2)
        self.assertIn("wrkers", err)

    def test_no_such_folder_is_wrong_use(self):
        _, err = self.ran(rows.main, os.path.join(self.folder, "nowhere"), code=2)
        self.assertEqual(len(err.splitlines()), 1)

    def test_a_folder_without_rows(self):
        self.assertEqual(run(self.folder)[0], 1)
        fixtures.write_folder(self.folder, [])
        _, err = self.ran(rows.main, self.folder, code=1)
        self.assertIn("no usable row", err)

    def test_no_line_vanishes_whatever_ends_it(self):
        made = [fixtures.row(repeat=repeat) for repeat in (1, 2, 3)]
        for data in (fixtures.as_lines(made).replace(b"\n", b"\r"),
                     fixtures.as_lines(made).replace(b"\n", b"\r\n"),
                     fixtures.as_lines(made)[:-1],
                     b"\xef\xbb\xbf" + fixtures.as_lines(made),
                     fixtures.as_lines([dict(row, host="a\u2028b\x85c") for row in made])):
            fixtures.write_folder(self.folder, [], data)
            found = rows.load(self.folder)
            self.assertEqual(found.problems, [])
            self.assertEqual([row["repeat"] for row in found.rows], [1, 2, 3])

    def test_a_byte_that_is_no_text_costs_its_line_and_is_named(self):
        made = [fixtures.as_lines([fixtures.row(repeat=repeat)]) for repeat in (1, 2, 3)]
        for wrong in (b"\0", b"\f", b"\x1a"):
            fixtures.write_folder(self.folder, [], made[0] + wrong + b"".join(made[1:]))
            found = rows.load(self.folder)
            self.assertEqual([row["repeat"] for row in found.rows], [1, 3])
            self.assertIn("rows.jsonl:2: not JSON", found.problems[0])
        fixtures.write_folder(self.folder, [], made[0].decode().encode("utf-16"))
        self.assertIn("rows.jsonl:1: is in UTF-16", rows.load(self.folder).problems[0])

    def test_a_record_may_begin_with_a_mark(self):
        fixtures.write_folder(self.folder, [fixtures.row()])
        with open(os.path.join(self.folder, "run.json"), "rb+") as file:
            record = file.read()
            file.seek(0)
            file.write(b"\xef\xbb\xbf" + record)
        self.assertEqual(rows.load(self.folder).problems, [])

    def test_a_broken_record_is_named_and_passed_over(self):
        fixtures.write_folder(self.folder, [fixtures.row()])
        for text in ("{", "[]", "NaN", '"text"'):
            with open(os.path.join(self.folder, "run.json"), "w", encoding="utf-8") as file:
                file.write(text)
            _, err = self.ran(rows.main, self.folder)
            self.assertTrue(err.startswith("run.json: "), err)
        os.remove(os.path.join(self.folder, "run.json"))
        self.assertIn("run.json: ", run(self.folder)[2])

    def test_a_folder_of_another_schema(self):
        for schema, shown in ((2, "2"), ("3", '"3"'), (None, "null")):
            fixtures.write_folder(self.folder, [fixtures.row(schema=schema)] * 50,
                                  run=dict(fixtures.RUN, schema=schema))
            code, out, err = run(self.folder)
            self.assertEqual((code, out, len(err.splitlines())), (1, "", 1), err)
            self.assertIn("%s: has schema %s, and this report reads schema %d; run the report of "
                          "the version that wrote it: commit c0ffee1"
                          % (self.folder, shown, rows.SCHEMA), err)

    def test_many_lines_of_one_reason_are_told_in_short(self):
        fixtures.write_folder(self.folder, [fixtures.row(schema=1, repeat=r) for r in range(1, 51)]
                              + [fixtures.row(), fixtures.row(status="fine")])
        code, _, err = run(self.folder)
        told = err.splitlines()
        self.assertEqual(code, 0)
        self.assertEqual(len(told), rows.SAME_REASON_MAX + 2, told)
        self.assertIn("rows.jsonl: 47 more lines: schema is 1", told[-2])
        self.assertIn('rows.jsonl:52: `status` is "fine"', told[-1])

    def test_wrong_use(self):
        for arguments in ((), (self.folder, "--csv", "--markdown"), (self.folder, "--xml")):
            self.assertEqual(run(*arguments)[0], 2)

    def test_help_teaches(self):
        out, _ = self.ran(rows.main, "--help")
        self.assertIn("examples:", out)
        self.assertIn("exit codes:", out)


class Cells(fixtures.FolderTest):
    def cells(self, made, *arguments):
        """The lines of --cells --csv."""
        fixtures.write_folder(self.folder, made)
        out, err = self.ran(rows.main, self.folder, "--cells", "--csv", *arguments)
        return list(csv.DictReader(io.StringIO(out)))

    def test_a_cell_has_its_median_and_an_exact_interval(self):
        times = (10.0, 40.0, 20.0, 50.0, 30.0)
        line, = self.cells([fixtures.row(repeat=i, connect_ms=t) for i, t in enumerate(times, 1)])
        self.assertEqual((line["runs"], line["connect_ms_n"]), ("5", "5"))
        self.assertEqual([float(line["connect_ms_" + name])
                          for name in ("median", "low", "high", "confidence")],
                         [30, 10, 50, 0.9375])

    def test_too_few_runs_have_a_median_but_no_interval(self):
        for n in (1, 4):
            line, = self.cells([fixtures.row(repeat=i) for i in range(1, n + 1)])
            self.assertEqual(line["elapsed_ms_median"], "100.0")
            self.assertEqual([line["elapsed_ms_" + name] for name in ("low", "high", "confidence")],
                             ["", "", ""])

    def test_what_was_not_measured_is_not_counted(self):
        line, = self.cells([fixtures.row(repeat=i) for i in range(1, 6)])
        self.assertEqual((line["latency_us_p99_n"], line["latency_us_p99_median"]), ("0", ""))

    def test_only_results_count(self):
        line, = self.cells([fixtures.row(repeat=1), fixtures.row(repeat=2, audit="fail: 3 bytes"),
                            fixtures.row(repeat=3, status="failed")])
        self.assertEqual(line["runs"], "1")

    def test_mixed_machines_never_share_a_cell(self):
        lines = self.cells([fixtures.row(repeat=i, host=host)
                            for i, host in enumerate(("one", "other"), 1)])
        self.assertEqual([(line["variant"], line["runs"]) for line in lines],
                         [("host one", "1"), ("host other", "1")])

    def test_cells_come_in_reading_order(self):
        lines = self.cells([fixtures.row(order=i, cell="workers=%d" % workers, workers=workers)
                            for i, workers in enumerate((16, 4, 10, 6), 1)])
        self.assertEqual([line["cell"] for line in lines],
                         ["workers=%d" % workers for workers in (4, 6, 10, 16)])

    def test_figures_are_chosen_and_must_be_numbers(self):
        line, = self.cells([fixtures.row()], "--keys", "cpu_s")
        self.assertIn("cpu_s_median", line)
        self.assertNotIn("elapsed_ms_median", line)
        for key in ("host", "errors"):
            _, err = self.ran(rows.main, self.folder, "--cells", "--keys", key, code=2)
            self.assertIn("%s has no median" % key, err)

    def test_markdown_is_the_default(self):
        fixtures.write_folder(self.folder, [fixtures.row(repeat=i, connect_ms=10.0 + i)
                                            for i in range(1, 6)])
        out, _ = self.ran(rows.main, self.folder, "--cells", "--keys", "connect_ms,latency_us_p99")
        self.assertTrue(out.startswith("| scenario | section |"), out)
        self.assertIn("| 5 | 13.0 (11.0..15.0) |  |", out)
        self.assertEqual(out, run(self.folder, "--cells", "--markdown", "--keys",
                                  "connect_ms,latency_us_p99")[1])

    def test_no_result_at_all(self):
        fixtures.write_folder(self.folder, [fixtures.row(status="failed")])
        code, out, err = run(self.folder, "--cells")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("none of its rows is a result", err)
