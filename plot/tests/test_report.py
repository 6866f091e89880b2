"""The report from made-up rows: the paper's values, ratios, figures, and what is left out."""

import glob
import os
import random
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from unittest import mock

import plot_path
import fixtures
import paper
import report
import tables
from section_fixtures import NEEDS_GNUPLOT, SVG_ONLY, Folder, run

SVG = "{http://www.w3.org/2000/svg}"


class Printed(Folder):
    def tables(self, made, *more, **how):
        """What is printed for these rows, without figures."""
        fixtures.write_folder(self.folder, made, **how)
        code, out, self.err = run(self.folder, "--no-figures", "--all", *more)
        self.assertEqual(code, 0, self.err)
        return out

    def page(self):
        return self.read("report.md")

    def line(self, text, *starts):
        """The fields of the first line that starts so."""
        for line in text.splitlines():
            if line.split()[:len(starts)] == list(starts):
                return line.split()
        self.fail("no line starts with %s in:\n%s" % (starts, text))


class Tables(Printed):
    def test_every_value_of_the_paper_is_there(self):
        out = self.tables(fixtures.everything())
        for claim in paper.table1().values():
            self.assertIn("%d/%d" % (claim.succeeded, claim.connections), out)
            self.assertIn(" %d " % claim.time_ms, out)
        for claim in paper.table2().values():
            self.assertIn("{:,.0f}".format(claim.peak_memory_kb), out)
            self.assertIn(" %d " % claim.time_ms, out)
        for claim in paper.table3().values():
            self.assertIn(" %.2f" % (claim / 1e6), out)

    def test_table1_medians_ranges_and_ratios(self):
        made = [fixtures.row(scenario="table1", section="async", connect="async", workers=6,
                             cell="workers=6", repeat=i + 1, connect_ms=time)
                for i, time in enumerate((25.0, 24.0, 50.0))]
        out = self.tables(made)
        self.assertEqual(self.line(out, "asynchronous", "(ConnectEx)", "6")[3:],
                         ["200/200", "200/200", "125", "25.0", "24.0..50.0", "0.200x", "3"])
        self.assertEqual(self.line(out, "asynchronous", "(ConnectEx)", "8")[3:],
                         ["200/200", "-", "131", "-", "-", "-", "0"])

    def test_connections_that_failed_are_seen(self):
        made = fixtures.table1_rows(2)
        made[0].update(connected=197, connect_failed=3, connect_errors={"refused": 3},
                       status="failed", reason="3 of 200 servers not connected")
        self.assertIn("197..200/200", self.tables(made))

    def test_what_failed_after_connecting_does_not_count(self):
        made = fixtures.table1_rows(2)
        made[0].update(connected=197, connect_failed=3, connect_errors={"refused": 3},
                       connections_failed=1, status="failed", reason="and one was reset")
        made[1].update(status="failed", audit="fail: bytes", reason="audit")
        self.assertNotIn("197", self.tables(made).split("left out")[0].split("do not count")[0])

    def test_table2_in_both_readings_with_the_ceiling(self):
        out = self.tables(fixtures.table2_rows())
        self.assertIn("read as one record per server: 30 servers, each sends 1 record of 1310.72 "
                      "kB", out)
        self.assertIn("read as many records per server", out)
        self.assertEqual(out.count("The same runs compared with the ceilings"), 2)
        self.assertIn("ring (paper 2)", out)
        self.assertIn("raw (ceiling)", out)

    def test_table2_shares_of_the_ceiling(self):
        made = [fixtures.timed(rate, 37.5, scenario="table2", section="one-record", scheme=scheme,
                               cell=scheme, servers=30, connected=30, frames_per_server=1)
                for scheme, rate in (("chain", 600), ("drain", 800), ("raw", 1200))]
        out = self.tables(made)
        self.assertEqual(self.line(out, "chain", "600")[:10],
                         ["chain", "600", "75", "%", "50", "%", "0.600", "75", "%", "50"])
        self.assertEqual(self.line(out, "chain", "(paper", "3)", "3365")[4:6], ["62.5", "0.0186x"])

    def test_table2_relations_beside_the_papers(self):
        made = [fixtures.timed(rate, 37.5, scenario="table2", section="one-record", scheme=scheme,
                               cell=scheme, servers=30, connected=30, committed_kb=memory,
                               peak_rss_kb=memory // 2)
                for scheme, rate, memory in (("fixed", 500, 80000), ("chain", 1000, 20000))]
        out = self.tables(made)
        self.assertIn("chain against fixed: time -50.0 % (paper -7.6 %); "
                      "memory -75.0 % (paper -25.8 %).", out)
        self.assertIn("Resident at most, kB: fixed 40,000, chain 10,000.",
                      " ".join(out.split()))
        self.assertIn("No result of drain and raw", out)

    def test_overlapping_ranges_are_called_so(self):
        made = [fixtures.timed(rate, 37.5, scenario="table2", section="one-record", scheme=scheme,
                               cell=scheme, repeat=repeat, servers=30, connected=30)
                for scheme, rates in (("fixed", (500, 700)), ("chain", (600, 800)))
                for repeat, rate in enumerate(rates, 1)]
        self.assertIn("ranges overlap", self.tables(made))

    def test_table3_is_the_papers_matrix(self):
        out = self.tables([fixtures.timed(521.1057, 100), fixtures.timed(
            1042.2, 100, section="ceiling", scheme="drain", cell="scheme=drain")])
        self.assertEqual([word for word in self.line(out, "W") if word != "W"],
                         ["C=%d" % limit for limit in (2, 4, 6, 8, 10, 12, 16)])
        self.assertEqual(self.line(out, "6", "paper"), ["6", "paper", "3.68", "5.21", "3.39"])
        below = out[out.index(" 6  paper"):].splitlines()
        self.assertEqual([" ".join(line.split()) for line in below[1:5]],
                         ["here 521", "min..max 521", "ratio 100x", "of drain 50 %"])
        self.assertEqual(below[1].index("521") + 3, below[0].index("5.21") + 4)  # under C=4
        self.assertIn("No result of raw", out)

    def test_all_tables_fit_a_terminal_and_so_does_a_wide_grid(self):
        wide = fixtures.table3_rows(1, grid=[(16, limit) for limit in range(1, 17)])
        for made in (fixtures.everything(), wide):
            out = self.tables(made)
            self.assertLessEqual(max(map(len, out.splitlines())), tables.WIDTH)
            self.assertIn("C=16", out)

    def test_intervals_of_medians_where_there_are_runs_enough(self):
        made = [fixtures.row(scenario="table1", section="async", connect="async", workers=6,
                             cell="workers=6", repeat=i, order=i, connect_ms=float(i))
                for i in range(1, 10)]
        out = self.tables(made)
        self.assertEqual(self.line(out, "95", "%"), ["95", "%", "2.00..8.00"])
        self.assertIn("95 %: confidence interval of the median", out)

    def test_few_runs_say_how_much_their_range_is_worth(self):
        out = self.tables(fixtures.everything())
        self.assertNotIn("95 %: confidence", out)
        self.assertIn("Min..max of 5 runs is a 93.8 % confidence interval of the median.", out)
        self.assertNotIn("Min..max", self.tables(fixtures.table1_rows(1)))

    def test_intervals_stand_in_all_three_tables(self):
        made = fixtures.table1_rows(9) + fixtures.table2_rows(9) + fixtures.table3_rows(9)
        out = self.tables(made)
        self.assertEqual(len(re.findall(r"^ +95 % ", out, re.MULTILINE)), 5 + 2 * 5 + 6)
        self.assertLessEqual(max(map(len, out.splitlines())), tables.WIDTH)

    def test_the_specification(self):
        out = self.tables(fixtures.spec_rows())
        self.assertEqual(self.line(out, "records", "per")[3:], ["500", "500", "500"])
        self.assertEqual(self.line(out, "records", "lost")[2:], ["0", "of", "5000", "0", "0"])
        self.assertEqual(self.line(out, "latency", "p99,")[3:], ["0.901", "0.901..0.902"])
        self.assertEqual(self.line(out, "client's", "CPU,")[6:], ["9.00", "9.00"])

    def test_a_report_without_latencies_says_why(self):
        out = self.tables([{**row, **fixtures.CLOCKS_DIFFER} for row in fixtures.spec_rows()])
        self.assertEqual(self.line(out, "latency", "p99,")[3:], ["-", "-"])
        self.assertIn("No latencies of 2 of 2 runs: the clocks differ.", out)

    def test_lost_records_are_seen(self):
        made = fixtures.spec_rows(1)
        made[0].update(frames=4990)
        self.assertEqual(self.line(self.tables(made), "records", "lost")[5], "10.0")

    def test_two_engines_are_two_tables(self):
        made = fixtures.table1_rows(2) + [dict(row, engine="uring", cell="u " + row["cell"])
                                          for row in fixtures.table1_rows(2)]
        out = self.tables(made)
        self.assertIn("Connection test (engine epoll)", out)
        self.assertIn("Connection test (engine uring)", out)

    def test_a_cell_run_again_under_a_label_is_no_other_cell(self):
        made = fixtures.table1_rows(2) + [dict(row, label="B", connect_ms=999.0, order=2)
                                          for row in fixtures.table1_rows(2)]
        out = self.tables(made)
        self.assertNotIn("label", out[out.index("Table 1. "):out.index("Connect.")])
        self.assertNotIn("999", out.split("Order of runs")[0])
        self.assertIn("(A/A comparison)", self.page())
        self.assertIn("999", self.tables(made[10:]))

    def test_the_absolute_numbers_caveat_comes_first(self):
        self.tables(fixtures.table1_rows())
        out = run(self.folder, "--no-figures")[1]
        self.assertLess(out.index("cannot be compared"), out.index("Table 1"))
        self.assertIn("Made-up CPU @ 1.00GHz, 2 CPUs, 8 GB", out)


class AnyInput(Printed):
    STRANGE = (None, 0, 1, -1, 1e-320, 1e-7, 1e17, 2**63, 10**400, "", "x|y<z>", [], {}, True,
               float("nan"), float("inf"))

    def test_no_change_of_a_row_makes_the_report_stumble(self):
        chance = random.Random(11)
        for _ in range(100):
            made = chance.sample(fixtures.everything(), 12)
            for row in made:
                for key in chance.sample(sorted(row), chance.choice((0, 0, 1, 2))):
                    row[key] = chance.choice(self.STRANGE)
            fixtures.write_folder(self.folder, made)
            code, _, err = run(self.folder, "--no-figures")
            self.assertIn(code, (0, 1), err)


class LeftOut(Printed):
    def test_a_missing_scenario_costs_one_line(self):
        out = self.tables(fixtures.table1_rows())
        lines = [line for line in out.splitlines() if "Left out" in line]
        self.assertFalse(any(line.startswith("Table 1.") for line in lines))
        self.assertIn("Table 3. Throughput in MB/s. Left out: this folder has no row of scenario "
                      "table3.", lines)

    def test_failed_skipped_and_unaudited_rows_are_listed_not_counted(self):
        made = fixtures.table1_rows(3)
        made[0].update(status="failed", reason="2 connections reset")
        made[5].update(audit="fail: 7 bytes short")
        made[10].update(status="skipped", reason="no such engine here")
        out = self.tables(made)
        self.assertIn("table1/async fanin-client workers=4 (1 row): failed: 2 connections reset",
                      out)
        self.assertIn("audit fail: 7 bytes short", out)
        self.assertIn("skipped: no such engine here", out)
        self.assertEqual(self.line(out, "asynchronous", "(ConnectEx)", "4")[-1], "0")
        self.assertIn("12 of 15 rows count", out)

    def test_a_scenario_of_which_nothing_counts(self):
        made = fixtures.table1_rows(1) + [fixtures.row(status="failed", reason="no")]
        self.assertIn("none of its 1 rows counts", self.tables(made))

    def test_nothing_that_counts_is_exit_1(self):
        fixtures.write_folder(self.folder, [fixtures.row(status="failed", reason="all gone")])
        code, out, err = run(self.folder)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("none of 1 rows counts", err)
        self.assertIn("all gone", err)

    def test_skipped_rows_are_a_line_for_each_scenario_and_reason(self):
        fixtures.write_folder(self.folder, [
            dict(row, status="skipped", reason="no link") for row in fixtures.everything()])
        code, out, err = run(self.folder)
        self.assertEqual((code, out, len(err.splitlines())), (1, "", 5))
        self.assertIn("  table1 (25 rows): skipped: no link", err)

    def test_empty_rows_are_exit_1(self):
        fixtures.write_folder(self.folder, [])
        self.assertEqual(run(self.folder)[0], 1)
        os.remove(os.path.join(self.folder, "rows.jsonl"))
        self.assertEqual(run(self.folder)[0], 1)

    def test_bad_lines_are_named_on_standard_error_and_in_the_report(self):
        out = self.tables(fixtures.table1_rows(1), tail=b'{"schema": 0}\n{"torn')
        for text in (out, self.err, self.page()):
            self.assertIn("rows.jsonl:6: schema is 0", text)
            self.assertIn("rows.jsonl:7: torn", text)

    def test_an_unfinished_sweep_says_so(self):
        out = self.tables(fixtures.table1_rows(1), run=dict(
            fixtures.RUN, state="interrupted", rows_written=5, rows_planned=50))
        self.assertIn("not complete (interrupted): 5 of 50 rows", out)

    def test_a_sweep_that_still_runs_says_how_far_it_is(self):
        out = self.tables(fixtures.table1_rows(1), tail=b'{"schema": 4, "scen', run=dict(
            fixtures.RUN, state="running", rows_written=0, rows_planned=50))
        self.assertIn("The sweep still runs, or was killed: 5 of 50 rows so far.", out)

    def test_a_busy_machine_is_called_busy(self):
        for load, said in (("4.32", True), (1.0, True), ("0.05", False), (None, False),
                           ("", False)):
            record = dict(fixtures.RUN, machine=dict(fixtures.RUN["machine"], load1=load))
            out = self.tables(fixtures.table1_rows(1), run=record)
            self.assertEqual("machine was busy" in out, said, load)
            self.assertEqual("machine was busy" in self.page(), said, load)

    def test_a_record_with_units_without_facts_and_of_strange_types(self):
        facts = {"cpu": "X", "memory_kb": "24684084 kB", "virtual": "yes"}
        for record, said in (({"machine": facts}, "X, 25 GB, virtual machine, Linux"),
                             ({}, "CPU not on record"), ({}, "seed not on record"),
                             ({"machine": [1], "seed": {}, "commit": 7}, "Commit 7")):
            self.assertIn(said, self.tables(fixtures.table1_rows(1), run=record))

    def test_wrong_use(self):
        for arguments in ((), ("/nonexistent-folder",), (self.folder, "--colour")):
            _, err = self.ran(report.main, *arguments, code=2)
            self.assertNotIn("Traceback", err)

    def test_a_place_that_cannot_be_written(self):
        fixtures.write_folder(self.folder, fixtures.table1_rows(1))
        _, err = self.ran(report.main, self.folder, "--no-figures", "--out",
                          os.path.join(self.folder, "rows.jsonl"), code=2)
        self.assertIn("--out", err)

    def test_a_reader_that_leaves_early(self):
        fixtures.write_folder(self.folder, fixtures.everything())
        command = "%s %s %s --no-figures | head -n 1" % (
            sys.executable, os.path.abspath(report.__file__), self.folder)
        ran = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60,
                             check=False)
        self.assertEqual(ran.stderr, "")
        self.assertTrue(ran.stdout.startswith("Summary. "))


class Pages(Printed):
    def test_the_page_has_the_tables_the_record_and_the_caveats(self):
        self.tables(fixtures.everything())
        page = self.page()
        for text in ("Made-up CPU", "`fanin-sweep scenarios/made_up.conf --seed 42`", "c0ffee1",
                     "closed-loop", "open-loop", "loopback", "same machine", "| 78,375 |",
                     "not asked for (--no-figures)"):
            self.assertIn(text, page)
        self.assertNotIn("![", page)

    def test_out_leaves_the_results_folder_alone(self):
        fixtures.write_folder(self.folder, fixtures.table1_rows())
        other = os.path.join(self.folder, "elsewhere", "deep")
        self.assertEqual(run(self.folder, "--no-figures", "--out", other)[0], 0)
        self.assertTrue(os.path.exists(os.path.join(other, "report.md")))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "report.md")))

    def test_without_gnuplot_there_are_still_tables(self):
        fixtures.write_folder(self.folder, fixtures.everything())
        with mock.patch.dict(os.environ, PATH=self.folder):
            out, err = self.ran(report.main, self.folder)
        self.assertIn("Table 3", out)
        self.assertEqual(len(err.splitlines()), 1)
        self.assertIn("gnuplot is not installed", err)
        self.assertIn("gnuplot is not installed", self.page())

    def fake_gnuplot(self, script):
        """A program of that name, first on PATH."""
        place = os.path.join(self.folder, "bin")
        os.makedirs(place)
        path = os.path.join(place, "gnuplot")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return mock.patch.dict(os.environ, PATH=place + os.pathsep + os.environ["PATH"])

    def test_a_gnuplot_that_is_too_old_or_strange(self):
        fixtures.write_folder(self.folder, fixtures.table1_rows())
        for said, wanted in (("gnuplot 4.6 patchlevel 6", "4.6 is too old"), ("hm", "its version")):
            with self.fake_gnuplot("echo '%s'\n" % said):
                _, err = self.ran(report.main, self.folder)
            self.assertIn(wanted, err)
            shutil.rmtree(os.path.join(self.folder, "bin"))

    def test_a_gnuplot_that_fails_says_what_it_said(self):
        fixtures.write_folder(self.folder, fixtures.table1_rows())
        with self.fake_gnuplot('[ "$1" = --version ] && echo gnuplot 5.4 && exit\n'
                               'echo "no such terminal" >&2; exit 1\n'):
            _, err = self.ran(report.main, self.folder, code=3)
        self.assertIn("figure5: gnuplot failed: no such terminal", err)
        self.assertNotIn("![", self.page())


@NEEDS_GNUPLOT
class Pictures(Printed):
    NAMES = ("figure5", "table2", "table3-heatmap", "table3-lines")

    def draw(self, made, **how):
        fixtures.write_folder(self.folder, made, **how)
        with SVG_ONLY:
            code, _, err = run(self.folder)
        self.assertEqual((code, [line for line in err.splitlines() if "no terminal" not in line]),
                         (0, []))
        return os.path.join(self.folder, "figures")

    def text_of(self, path):
        root = ElementTree.parse(path).getroot()
        return root, " ".join(text for text in root.itertext())

    def test_every_figure_exists_parses_and_says_where_it_is_from(self):
        fixtures.write_folder(self.folder, fixtures.everything())
        self.assertEqual(run(self.folder)[::2], (0, ""))
        place = os.path.join(self.folder, "figures")
        for name in self.NAMES:
            root, text = self.text_of(os.path.join(place, name + ".svg"))
            self.assertEqual(root.tag, SVG + "svg")
            for wanted in ("c0ffee1", "seed 42", "n = 5", "Made-up CPU", "made_up.conf"):
                self.assertIn(wanted, text, name)
            self.assertIn("#ffffff", [rect.get("fill") for rect in root.iter(SVG + "rect")])
            with open(os.path.join(place, name + ".png"), "rb") as file:
                self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
            self.assertIn("](figures/%s.svg)" % name, self.page())

    def test_figure5_draws_the_papers_numbers_and_can_be_drawn_again(self):
        place = self.draw(fixtures.table1_rows())
        path = os.path.join(place, "figure5.svg")
        os.remove(path)
        subprocess.run(["gnuplot", "figure5.gp"], cwd=place, check=True, timeout=60)
        _, text = self.text_of(path)
        for wanted in ("125", "135", "sync 2043", "async 125", "the paper", "this run"):
            self.assertIn(wanted, text)

    def test_folder_and_scenario_have_names_of_any_language(self):
        named = "Gr\u00f6\u00dfe \u6d4b\u8bd5 (1)"
        self.folder = os.path.join(self.folder, named + " 'x' \"y\"")
        other = fixtures.row(scenario=named, status="skipped", reason="no")
        place = self.draw(fixtures.table1_rows() + [other],
                          run=dict(fixtures.RUN, command_line="fanin-sweep " + named))
        self.assertIn(named, self.text_of(os.path.join(place, "figure5.svg"))[1])
        self.assertIn(named, self.page())

    def test_one_cell_is_enough(self):
        place = self.draw([fixtures.row(), fixtures.table1_rows(1)[0], fixtures.table1_rows(1)[4],
                           fixtures.table2_rows(1)[2]])
        self.assertEqual(len(glob.glob(os.path.join(place, "*.svg"))), 4)

    def test_a_full_grid(self):
        place = self.draw(fixtures.table3_rows(2, grid=fixtures.FULL_GRID))
        _, text = self.text_of(os.path.join(place, "table3-lines.svg"))
        for limit in (2, 4, 6, 8, 10, 12):
            self.assertIn("C=%d" % limit, text)

    def test_two_engines_are_two_figures(self):
        made = fixtures.table1_rows(1) + [dict(row, engine="uring", cell="u " + row["cell"])
                                          for row in fixtures.table1_rows(1)]
        place = self.draw(made)
        self.assertTrue(os.path.exists(os.path.join(place, "figure5-engine-epoll.svg")))
        self.assertTrue(os.path.exists(os.path.join(place, "figure5-engine-uring.svg")))

    def test_a_machine_with_an_awkward_name(self):
        record = dict(fixtures.RUN, commit='x"; system("false"); "', command_line="a <b> & `c` \\",
                      machine={"cpu": 'CPU "<&>" \\ `id` %s {/x_y}\n$(id)', "cpus": 2})
        place = self.draw(fixtures.table1_rows(1), run=record)
        _, text = self.text_of(os.path.join(place, "figure5.svg"))
        self.assertIn('CPU "<&>"', text)


class OneSection(Folder):
    """--section, which a page takes its tables from."""

    def setUp(self):
        super().setUp()
        fixtures.write_folder(self.folder, fixtures.table1_rows(1))

    def test_only_what_was_asked_for_is_printed_and_nothing_written(self):
        before = sorted(os.listdir(self.folder))
        code, out, err = run(self.folder, "--section", "Table 1", "--section", "Claims")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("Table 1. Connection test", out)
        self.assertNotIn("Table 2. ", out)
        self.assertEqual(before, sorted(os.listdir(self.folder)))

    def test_the_summary_is_the_screen_that_a_run_ends_with(self):
        _, out, _ = run(self.folder, "--section", "Summary")
        _, screen, _ = run(self.folder, "--no-figures")
        self.assertEqual(out, screen[:screen.index("Report: ")])

    def test_a_section_that_there_is_not(self):
        _, err = self.ran(report.main, self.folder, "--section", "Table 9", code=2)
        self.assertIn("unknown section 'Table 9'; known: Summary, ", err)
