"""Comparisons: verdicts, pairs, whole folders, and every input that deserves no verdict."""

import os

import plot_path
import compare
import fixtures
from compare_fixtures import Folders, repeats, run
from families import RANKS, Test
from stats import Interval


class Verdicts(Folders):
    def verdict(self, metric="time", **options):
        lines, code = self.lines()
        self.assertEqual(len({cell for cell, _ in lines}), 1)
        return next(line for (_, name), line in lines.items() if name == metric), code

    def test_slower_is_a_regression_and_faster_is_none(self):
        for factor, time, memory, worse in ((1.5, "slower", "more", True),
                                            (0.5, "faster", "less", False)):
            self.write(repeats(), repeats(factor=factor, seed=2))
            line, code = self.verdict()
            self.assertEqual((line["verdict"], line["regression"], code), (time, worse, int(worse)))
            self.assertTrue(line["interval"][0] <= factor <= line["interval"][1])
            self.assertLessEqual(line["p_holm"], 0.05)
            self.assertEqual(self.verdict("memory")[0]["verdict"], memory)
            self.assertEqual(self.verdict("throughput")[0]["verdict"], time)

    def test_lower_is_worse_where_more_is_better(self):
        self.write([fixtures.row(repeat=i, gb_per_cpu_s=2.0 + i / 100) for i in range(1, 7)],
                   [fixtures.row(repeat=i, gb_per_cpu_s=1.0 + i / 100) for i in range(1, 7)])
        line, code = self.verdict("cpu")
        self.assertEqual((line["verdict"], line["regression"], code), ("less", True, 1))

    def test_a_small_change_within_the_margin_is_no_difference(self):
        self.write(repeats(noise=0.001), repeats(noise=0.001, factor=1.02, seed=2))
        line, code = self.verdict()
        self.assertEqual((line["verdict"], code), ("within 5 %", 0))

    def test_the_margin_can_be_narrower(self):
        self.write(repeats(noise=0.001), repeats(noise=0.001, factor=1.02, seed=2))
        lines, code = self.lines(self.a, self.b, "--margin", "1")
        self.assertEqual((lines["table3/grid workers=6 concurrency=4", "time"]["verdict"], code),
                         ("slower", 1))

    def test_noise_is_inconclusive_and_never_equality(self):
        self.write(repeats(noise=0.3), repeats(noise=0.3, seed=2))
        line, code = self.verdict()
        self.assertEqual((line["verdict"], code), ("inconclusive", 0))

    def test_few_runs_have_no_verdict_however_far_apart(self):
        for n in (1, 2, 4):
            self.write(repeats(n), repeats(n, factor=50, seed=2))
            lines, code = self.lines()
            self.assertEqual(code, 0)
            self.assertEqual({line["verdict"] for line in lines.values()}, {"too few runs"})
            self.assertEqual({line["interval"] for line in lines.values()}, {None})
            self.assertIn("too few runs", run(self.a, self.b)[1])

    def test_few_runs_on_one_side_are_too_few(self):
        self.write(repeats(9), repeats(4, factor=9, seed=2))
        self.assertEqual(self.verdict()[0]["verdict"], "too few runs")

    def test_a_value_of_0_has_no_ratio(self):
        self.write([fixtures.row(repeat=i, gb_per_cpu_s=0.0) for i in range(1, 7)],
                   [fixtures.row(repeat=i) for i in range(1, 7)])
        self.assertEqual(self.verdict("cpu")[0]["verdict"], "not comparable")
        self.assertIn("a value of 0", run(self.a, self.b)[1])

    def test_measured_on_one_side_only(self):
        self.write(repeats(), repeats(seed=2, latency_us_p99=100.0))
        self.assertEqual(self.verdict("p99")[0]["verdict"], "not comparable")

    def test_clocks_that_differ_are_said(self):
        self.write(repeats(latency_us_p99=100.0), repeats(seed=2, **fixtures.CLOCKS_DIFFER))
        self.assertEqual(self.verdict("p99")[0]["verdict"], "not comparable")
        self.assertIn("B: 6 rows have no latencies: the clocks differ", run(self.a, self.b)[1])

    def test_measured_on_neither_side_has_no_line(self):
        self.write(repeats(), repeats(seed=2))
        self.assertNotIn("p99", {metric for _, metric in self.lines()[0]})

    def test_a_direction_takes_both_p_and_interval(self):
        time = compare.METRICS[0]
        wide, apart = Interval(0.9, 1.4, 0.95), Interval(1.2, 1.4, 0.95)
        self.assertEqual(compare.verdict(time, wide, 0.001, 0.05), "inconclusive")
        self.assertEqual(compare.verdict(time, apart, 0.2, 0.05), "inconclusive")
        self.assertEqual(compare.verdict(time, apart, 0.001, 0.05), "slower")
        self.assertEqual(compare.verdict(time, None, 0.001, 0.05), "inconclusive")

    def test_a_worse_line_within_the_margin_is_no_regression(self):
        """Significantly worse by 7 %: a regression at 5 %, none at 10 %."""
        self.write(repeats(noise=0.005), repeats(noise=0.005, factor=1.07, seed=2))
        self.assertEqual(run(self.a, self.b, "--metrics", "time")[0], 1)
        self.assertEqual(run(self.a, self.b, "--metrics", "time", "--margin", "10")[0], 0)

    def test_worse_by_less_than_the_margin_is_no_regression_either(self):
        """Significant, and too wide for equivalence, but the estimate is within the margin."""
        data = compare.Data("cell", compare.METRICS[0], [1.0], [1.0])
        for change, regression in ((1.04, False), (1.06, True)):
            method = compare.INDEPENDENT._replace(
                change=lambda b, a, told=change: told,
                interval=lambda b, a, confidence: Interval(1.01, 1.2, confidence))
            line = compare.judged(data, method, Test(0.001, 0.001, RANKS), 0.05)
            self.assertEqual((line.verdict, line.regression), ("slower", regression))


class Whole(Folders):
    def test_a_run_against_itself_finds_nothing(self):
        fixtures.write_folder(self.a, fixtures.everything())
        lines, code = self.lines(self.a, self.a)
        self.assertEqual(code, 0)
        self.assertGreater(len(lines), 100)
        self.assertLessEqual({line["verdict"] for line in lines.values()},
                             {"inconclusive", "within 5 %", "too few runs"})
        self.assertIn("A and B are the same rows", run(self.a, self.a)[1])

    def test_two_runs_of_the_same_find_nothing(self):
        self.write(fixtures.table3_rows(5, seed=3), fixtures.table3_rows(5, seed=4))
        lines, code = self.lines()
        self.assertEqual(code, 0)
        self.assertLessEqual({line["verdict"] for line in lines.values()},
                             {"inconclusive", "within 5 %"})

    def test_fixed_against_chain_finds_the_memory(self):
        fixtures.write_folder(self.a, fixtures.everything())
        lines, code = self.lines(self.a, self.a, "--a", "scheme=fixed", "--b", "scheme=chain")
        self.assertEqual(code, 0)
        self.assertEqual({cell for cell, _ in lines}, {"table2/one-record", "table2/many-records"})
        for section in ("one-record", "many-records"):
            self.assertEqual(lines["table2/" + section, "memory"]["verdict"], "less")

    def test_the_other_way_round_it_is_a_regression(self):
        fixtures.write_folder(self.a, fixtures.everything())
        out, _ = self.ran(compare.main, self.a, self.a, "--a", "scheme=chain", "--b",
                          "scheme=fixed", code=1)
        self.assertIn("more (!)", out)
        self.assertIn("regressions: worse, and by more than 5 %", out)

    def test_more_lines_ask_for_more(self):
        """Holm: the same runs have a larger adjusted p in a longer list."""
        self.write(repeats(), repeats(factor=1.5, seed=2))
        one = self.lines(self.a, self.b, "--metrics", "time")[0]
        two = self.lines(self.a, self.b, "--metrics", "time,memory")[0]
        cell = "table3/grid workers=6 concurrency=4"
        self.assertAlmostEqual(two[cell, "time"]["p_holm"], 2 * one[cell, "time"]["p_holm"])

    def test_an_outlier_is_shown_and_stays(self):
        made = repeats()
        made[0]["elapsed_ms"] = 9000.0
        made[0]["bytes_per_s"] = made[0]["bytes"] / 9
        self.write(repeats(seed=2), made)
        lines, _ = self.lines()
        self.assertIn(9000.0, lines["table3/grid workers=6 concurrency=4", "time"]["b"])

    def test_text_fits_and_markdown_is_a_table(self):
        self.write(fixtures.everything(), fixtures.everything())
        _, text, _ = run(self.a, self.b)
        self.assertLessEqual(max(map(len, text.splitlines()[2:])), 100)
        _, page, _ = run(self.a, self.b, "--markdown")
        table = [line for line in page.splitlines() if line.startswith("|")]
        self.assertEqual({line.count("|") for line in table}, {9})

    def test_cells_are_named_in_order(self):
        self.write(fixtures.table3_rows(), fixtures.table3_rows())
        names = list(dict.fromkeys(cell for cell, _ in self.lines()[0]))
        self.assertLess(names.index("table3/grid workers=4 concurrency=4"),
                        names.index("table3/grid workers=16 concurrency=2"))

    def test_a_footnote_names_the_test_that_is_not_by_ranks(self):
        self.write(fixtures.everything(), fixtures.everything())
        self.assertIn("Welch's t-test of logarithms", run(self.a, self.b)[1])
        self.write(repeats(8), repeats(8, seed=2))
        self.assertNotIn("Welch", run(self.a, self.b)[1])


class ManyRuns(Folders):
    def test_an_approximation_is_named(self):
        self.write(repeats(31), repeats(31, seed=2))
        self.assertIn("p by the normal approximation", run(self.a, self.b)[1])
        self.write(repeats(30), repeats(30, seed=2))
        self.assertNotIn("approximation", run(self.a, self.b)[1])


class Bench(Folders):
    def rows(self, speed, memory=3000):
        made = []
        for repeat in range(1, 7):
            drift = repeat * 1.3
            for scheme, factor in (("raw", 1.0), ("slices", speed)):
                made.append(fixtures.row(
                    scenario="bench", section="slices", scheme=scheme, repeat=repeat,
                    cell="scheme=" + scheme, gb_per_cpu_s=drift * factor * (1 + repeat / 1000),
                    peak_rss_kb=memory if scheme == "slices" else 2000,
                    client="fanin-raw" if scheme == "raw" else "fanin-client"))
        return made

    def test_ratios_are_compared_and_drift_cancels_out(self):
        self.write(self.rows(0.9), self.rows(0.7))
        lines, code = self.lines(self.a, self.b, "--bench")
        self.assertEqual(lines["slices", "CPU: slices / raw"]["verdict"], "lower")
        self.assertEqual(lines["slices", "memory: slices / raw"]["verdict"], "within 5 %")
        self.assertEqual(code, 1)
        self.assertEqual(self.lines(self.b, self.a, "--bench")[1], 0)

    def test_more_memory_is_a_regression_too(self):
        self.write(self.rows(0.9), self.rows(0.9, memory=4000))
        line = self.lines(self.a, self.b, "--bench")[0]["slices", "memory: slices / raw"]
        self.assertEqual((line["verdict"], line["regression"]), ("higher", True))

    def test_it_takes_whole_folders_of_the_bench(self):
        self.write(self.rows(0.9), self.rows(0.9))
        self.assertIn("--bench compares whole folders",
                      self.refused(self.a, self.b, "--bench", "--metrics", "time"))
        self.write(repeats(), repeats())
        self.assertIn("no row has scenario=bench", self.refused(self.a, self.b, "--bench"))


class Pairs(Folders):
    """Runs of one repeat ran side by side; here each repeat is twice as slow as the one before."""

    def drifting(self, n, factor=1.3):
        made = []
        for repeat in range(1, n + 1):
            for scheme, share in (("fixed", 1.0), ("chain", factor)):
                seed = repeat + 100 * (scheme == "chain")
                made += repeats(1, seed, share * 2 ** repeat, 0.005, scheme=scheme, repeat=repeat)
        fixtures.write_folder(self.a, made)
        return (self.a, self.a, "--metrics", "time", "--a", "scheme=fixed", "--b", "scheme=chain")

    def verdict(self, *arguments):
        lines, code = self.lines(*arguments)
        line, = lines.values()
        return line, code

    def test_drift_hides_from_independent_runs_what_pairs_show(self):
        arguments = self.drifting(8)
        self.assertEqual(self.verdict(*arguments)[0]["verdict"], "inconclusive")
        line, code = self.verdict(*arguments, "--paired")
        self.assertEqual((line["verdict"], line["test"], code), ("slower", "signed ranks", 1))
        self.assertTrue(line["interval"][0] <= 1.3 <= line["interval"][1])
        self.assertLess(line["interval"][1] - line["interval"][0], 0.1)

    def test_equal_cells_are_equivalent(self):
        line, _ = self.verdict(*self.drifting(8, factor=1.0), "--paired")
        self.assertEqual(line["verdict"], "within 5 %")

    def test_five_pairs_are_too_few(self):
        line, _ = self.verdict(*self.drifting(5), "--paired")
        self.assertEqual(line["verdict"], "too few runs")

    def test_a_repeat_that_one_side_lacks_is_no_pair(self):
        arguments = self.drifting(8)
        with open(os.path.join(self.a, "rows.jsonl"), "rb") as file:
            lines = file.read().splitlines(keepends=True)
        with open(os.path.join(self.a, "rows.jsonl"), "wb") as file:
            file.write(b"".join(lines[1:]))
        self.assertEqual(len(self.verdict(*arguments, "--paired")[0]["a"]), 7)

    def test_no_common_repeat(self):
        fixtures.write_folder(self.a, [fixtures.row(repeat=i, scheme=scheme)
                                       for scheme, start in (("fixed", 1), ("chain", 11))
                                       for i in range(start, start + 8)])
        line, code = self.verdict(self.a, self.a, "--paired", "--metrics", "time", "--a",
                                  "scheme=fixed", "--b", "scheme=chain")
        self.assertEqual((line["verdict"], code), ("not comparable", 0))

    def test_the_footnote_says_pairs(self):
        out = run(*self.drifting(8), "--paired")[1]
        self.assertIn("within repeats", out)
        self.assertIn("signed", out)

    def test_a_folder_spelled_in_two_ways_is_one(self):
        first, _, *more = self.drifting(8)
        link = os.path.join(self.folder, "link")
        os.symlink(first, link)
        wanted = run(first, first, *more, "--paired")
        for other in (first + os.sep, os.path.join(first, "..", os.path.basename(first)), link):
            found = run(first, other, *more, "--paired")
            self.assertEqual(found[0], wanted[0], found[2])
            self.assertEqual([line.split("A (")[0] for line in found[1].splitlines()[2:]],
                             [line.split("A (")[0] for line in wanted[1].splitlines()[2:]])

    def test_two_sweeps_have_no_pairs(self):
        self.write(repeats(), repeats(seed=2))
        self.assertIn("--paired needs one folder", self.refused(self.a, self.b, "--paired"))


class BadInput(Folders):
    def test_no_such_folder(self):
        fixtures.write_folder(self.a, repeats())
        for pair in ((self.a, self.b), (self.b, self.a)):
            self.assertIn("no such folder", self.refused(*pair))

    def test_a_folder_without_rows(self):
        fixtures.write_folder(self.a, repeats())
        os.makedirs(self.b)
        self.assertIn("no rows", self.refused())

    def test_empty_results(self):
        self.write(repeats(), [])
        self.assertIn("has no usable row: it is empty", self.refused())

    def test_an_older_schema(self):
        self.write([dict(row, schema=1) for row in repeats()], repeats())
        self.assertIn("has no usable row: rows.jsonl:1: schema is 1", self.refused())
        self.assertIn("has no usable row", self.refused(self.a, self.b, "--force"))

    def test_records_of_different_schemas(self):
        self.write(repeats(), repeats(seed=2), dict(fixtures.RUN, schema=99))
        self.assertIn(self.b + ": has schema 99", self.refused())
        self.assertIn("has schema 99", self.refused(self.a, self.b, "--force"))

    def test_no_result_among_the_rows(self):
        self.write(repeats(), [fixtures.row(status="failed", reason="x")])
        self.assertIn("has 1 rows, but none is a result", self.refused())

    def test_torn_and_hand_edited_lines_cost_only_themselves(self):
        bad = [fixtures.row(repeat=20, elapsed_ms=-1, bytes_per_s=1),
               fixtures.row(repeat=21, connect_ms=0), fixtures.row(repeat=22, bytes_per_s=9e12)]
        fixtures.write_folder(self.a, repeats() + bad, fixtures.as_lines(repeats())[:100])
        fixtures.write_folder(self.b, repeats(seed=2))
        out, err = self.ran(compare.main, self.a, self.b)
        self.assertEqual(len(err.splitlines()), 4, err)
        self.assertIn("A: 4 lines of rows.jsonl were left out", out)

    def test_not_a_number(self):
        fixtures.write_folder(self.a, repeats(5), fixtures.as_lines(
            [fixtures.row(repeat=9)]).replace(b'"elapsed_ms": 100.0', b'"elapsed_ms": NaN'))
        fixtures.write_folder(self.b, repeats(seed=2))
        _, err = self.ran(compare.main, self.a, self.b)
        self.assertIn("NaN is not a JSON number", err)

    def test_mixed_machines_are_refused_unless_chosen_or_forced(self):
        mixed = repeats(host="one") + repeats(host="other")
        self.write(mixed, repeats(host="one", seed=2))
        self.assertIn("A mixes rows of host one and other; choose one with --a host=...",
                      self.refused())
        self.assertEqual(run(self.a, self.b, "--force")[0], 0)
        out, err = self.ran(compare.main, self.a, self.b, "--a", "host=other", "--b", "host=one")
        self.assertIn("6/6", out)

    def test_a_value_that_is_no_value(self):
        self.write(repeats(), repeats(seed=2, pool_batch=[1, 2]))
        _, err = self.ran(compare.main, self.a, self.b, code=2)
        self.assertIn("`pool_batch` is [1, 2]: must be a whole number", err)

    def test_no_key_of_a_row_makes_it_stumble(self):
        """Every key replaced by other kinds of value: left out or compared, never a trace."""
        fixtures.write_folder(self.a, repeats())
        keys = list(fixtures.row())
        for value in (None, "", "x", -1, 0, 1e300, True, [], {}):
            fixtures.write_folder(self.b, repeats(seed=2) + [
                fixtures.row(**{"repeat": 9 + place, "bytes_per_s": 1e9, key: value})
                for place, key in enumerate(keys)])
            code, _, err = run(self.a, self.b, "--force")
            self.assertIn(code, (0, 1, 2), value)
            self.assertNotIn("Traceback", err)

    def test_filters_that_match_nothing_say_what_there_is(self):
        self.write(fixtures.table2_rows(), fixtures.table2_rows())
        for option in ("--a", "--b"):
            other = "--b" if option == "--a" else "--a"
            self.assertIn("%s: no row has scheme=chian; there is fixed, ring, chain" % option,
                          self.refused(self.a, self.b, option, "scheme=chian", other,
                                       "scheme=ring"))
        self.assertIn("--only: no row has the key skeem",
                      self.refused(self.a, self.b, "--only", "skeem=x"))
        self.assertIn("no row has all of",
                      self.refused(self.a, self.b, "--only", "scheme=raw,client=fanin-client"))

    def test_filters_that_make_no_sense(self):
        self.write(fixtures.table2_rows(), fixtures.table2_rows())
        for filters, words in ((("--a", "scheme"), "--a scheme: must be KEY=VALUE"),
                               (("--a", "scheme=ring"), "scheme is named by --a alone"),
                               (("--b", "scheme=ring"), "scheme is named by --b alone"),
                               (("--only", "scheme=ring", "--only", "scheme=chain"),
                                "scheme is given twice"),
                               (("--metrics", "speed"), "--metrics: 'speed' is none of time"),
                               (("--metrics", ""), "--metrics: '' is none of time"),
                               (("--metrics", "p99"), "no row of the matched cells measured p99")):
            self.assertIn(words, self.refused(self.a, self.b, *filters))

    def test_wrong_use(self):
        for arguments in ((), (self.a,), (self.a, self.b, "--json", "--markdown"),
                          (self.a, self.b, "--margin", "0"), (self.a, self.b, "--margin", "x"),
                          (self.a, self.b, "--margin", "nan"), (self.a, self.b, "--what")):
            self.assertEqual(run(*arguments)[0], 2, arguments)

    def test_help_teaches(self):
        out, _ = self.ran(compare.main, "--help")
        for words in ("examples:", "verdicts:", "exit codes:"):
            self.assertIn(words, out)
