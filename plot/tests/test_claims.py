"""Verdicts from made-up rows whose truth is known."""

import random
import tempfile
import unittest
from unittest import mock

import plot_path
import claims
import fixtures
import report
import terminal
import texts
import verdict
from claims_fixtures import HIGH, LESS, LOW, folder, judged, one_verdict, parsed, runs
from rows import Results


SMALL = LESS % (1, "s", "s", "0.02")


class Words(unittest.TestCase):
    def test_confirmed(self):
        found = one_verdict(LOW, HIGH)
        self.assertEqual(found.word, "confirmed")
        self.assertAlmostEqual(found.shown.effect, 10.2 / 12.2, places=3)
        self.assertLess(found.shown.interval.high, 1)
        self.assertAlmostEqual(found.p, 1 / 252)

    def test_contradicted_the_other_way(self):
        found = one_verdict(HIGH, LOW)
        self.assertEqual((found.word, found.why), ("contradicted", ""))

    def test_no_difference_needs_a_margin(self):
        same = [value + 0.001 for value in LOW]
        self.assertEqual(one_verdict(LOW, same, LESS % (1, "s", "s", "")).word, "inconclusive")
        found = one_verdict(LOW, same, LESS % (1, "s", "s", "0.1"))
        self.assertEqual(found.word, "contradicted")
        self.assertIn("no difference that matters (10 %)", found.why)

    def test_a_real_difference_below_what_matters_is_none(self):
        """Just below 1 in every run: the noise at 1 decides nothing."""
        for ratio in (0.9995, 1.0, 1.0005):
            found = one_verdict([value * ratio for value in LOW], LOW, SMALL)
            self.assertNotEqual(found.word, "confirmed")
            steady = one_verdict([100.0 * ratio + 0.001 * i for i in range(6)],
                                 [100.0 + 0.001 * i for i in range(6)], SMALL)
            self.assertEqual((steady.word, steady.why),
                             ("contradicted", "no difference that matters (2 %)"))

    def test_a_real_difference_that_may_be_too_small_is_inconclusive(self):
        ring = [100.0 + 0.6 * place for place in range(6)]
        for ratio, told in ((0.970, ("confirmed", "")), (0.984, (
                "inconclusive", "real, but the difference may be less than matters (2 %)"))):
            found = one_verdict([ratio * value for value in ring], ring, SMALL)
            self.assertEqual((found.word, found.why), told, ratio)

    def test_more_is_the_mirror_of_less(self):
        more = SMALL.replace(",less,", ",more,")
        near, far = [100.05 + 0.001 * i for i in range(6)], [105.0 + 0.1 * i for i in range(6)]
        base = [100.0 + 0.001 * i for i in range(6)]
        self.assertEqual(one_verdict(near, base, more).why, "no difference that matters (2 %)")
        self.assertEqual(one_verdict(far, base, more).word, "confirmed")

    def test_no_ratio_is_often_confirmed_and_often_contradicted(self):
        dice, known, trials = random.Random(7), parsed(SMALL), 60
        for ratio in (0.9995, 0.99, 0.985, 0.98):
            for scatter in (0.003, 0.01):
                words = []
                for _ in range(trials):
                    chain, ring = ([100 * factor * dice.lognormvariate(0, scatter)
                                    for _ in range(8)] for factor in (ratio, 1))
                    words.append(verdict.judge(Results(
                        "made-up", runs(chain) + runs(ring, scheme="ring"), fixtures.RUN, []),
                        known, 2)[0].word)
                both = min(words.count("confirmed"), words.count("contradicted"))
                self.assertLess(both, trials * 0.3, (ratio, scatter))

    def test_ties_are_inconclusive(self):
        self.assertEqual(one_verdict([10.0] * 5, [10.0] * 5, LESS % (1, "s", "s", "")).word,
                         "inconclusive")

    def test_overlap_is_inconclusive(self):
        found = one_verdict([10.0, 12.05, 12.15, 12.25, 12.6], HIGH)
        self.assertEqual(found.word, "inconclusive")

    def test_too_few_runs(self):
        found = one_verdict(LOW[:4], HIGH)
        self.assertEqual(found.word, "inconclusive")
        self.assertIn("n = 4 < 5", found.why)
        self.assertIsNone(found.p)
        found = one_verdict(LOW[:1], HIGH[:1])
        self.assertIn("n = 1 < 5", found.why)

    def test_null_is_not_a_run(self):
        line, ring = LESS % (1, "s", "s", ""), runs(HIGH, scheme="ring")
        self.assertEqual(judged(runs(LOW[:4]) + runs([None], repeat=6) + ring, line)[0].why,
                         "n = 4 < 5: a / b")
        nothing = judged(runs([None] * 5) + ring, line)[0]
        self.assertEqual(nothing.word, "not tested")
        self.assertIn("elapsed_ms was not measured", nothing.why)

    def test_zero_makes_a_difference_not_a_ratio(self):
        line = "B1,waits less,full,waits,buffer_cap_waits,table2,scheme=chain,less,,scheme=ring,,,T"
        made = [dict(one, buffer_cap_waits=place) for place, one in enumerate(runs(LOW))]
        made += [dict(one, buffer_cap_waits=50) for one in runs(HIGH, scheme="ring")]
        found = judged(made, line)[0]
        self.assertEqual((found.word, found.shown.is_ratio), ("confirmed", False))
        self.assertEqual(claims.effect_text(found.shown), "-48")

    def test_missing_and_uncounted_cells(self):
        found = judged(runs(LOW), LESS % (1, "s", "s", ""))[0]
        self.assertEqual((found.word, found.why),
                         ("not tested", "no row of table2 with section=s scheme=ring"))
        bad = runs(HIGH, scheme="ring", audit="fail: bytes")
        found = judged(runs(LOW) + bad, LESS % (1, "s", "s", ""))[0]
        self.assertEqual(found.why,
                         "none of the 5 rows of table2 with section=s scheme=ring counts")

    def test_mixed_options_are_refused(self):
        mixed = runs(LOW) + runs(LOW, engine="uring") + runs(HIGH, scheme="ring")
        found = judged(mixed, LESS % (1, "s", "s", ""))[0]
        self.assertEqual(found.word, "not tested")
        self.assertIn("differ in engine (epoll, uring)", found.why)

    def test_equal_between_cells(self):
        line = "B1,alike,full,a / b,elapsed_ms,table2,scheme=chain,equal,%s,scheme=ring,,,Table 2"
        close = [value * 1.01 for value in LOW]
        for margin, against, word in (("1.1", close, "confirmed"), ("1.01", close, "inconclusive"),
                                      ("1.1", HIGH, "contradicted")):
            self.assertEqual(one_verdict(LOW, against, line % margin).word, word)


class Counts(unittest.TestCase):
    LINE = "B1,one thread,full,threads,buffer_threads,table2,scheme=chain,equal,,%s,,1,Table 2"

    def test_every_run(self):
        found = judged(runs(LOW), self.LINE % 1)[0]
        self.assertEqual((found.word, found.p), ("confirmed", None))

    def test_one_run_contradicts_however_few(self):
        made = runs(LOW[:2]) + runs([10.0], buffer_threads=2, repeat=3)
        found = judged(made, self.LINE % 1)[0]
        self.assertEqual((found.word, found.why),
                         ("contradicted", "1 of 3 runs break it"))

    def test_too_few_runs_confirm_nothing(self):
        self.assertEqual(judged(runs(LOW[:3]), self.LINE % 1)[0].word, "inconclusive")

    def test_against_a_key_of_the_row(self):
        self.assertEqual(judged(runs(LOW, buffer_threads=30), self.LINE % "key:servers")[0].word,
                         "confirmed")


class Several(unittest.TestCase):
    REST = "B1,best,paper full,a / rest,bytes_per_s,table3,workers=2n+2,more,,workers=*,,,Table 3"

    def grid(self, rates, repeats=6):
        jitter, made = random.Random(3), []
        for workers, rate in rates.items():
            for repeat in range(1, repeats + 1):
                made.append(fixtures.timed(rate * jitter.uniform(0.98, 1.02), 200, workers=workers,
                                           repeat=repeat, cell="workers=%d" % workers))
        return made

    def test_a_peak_must_beat_every_other_cell(self):
        self.assertEqual(judged(self.grid({4: 900, 6: 1000, 8: 900}), self.REST)[0].word,
                         "confirmed")
        self.assertEqual(judged(self.grid({4: 900, 6: 1000, 8: 1000}), self.REST)[0].word,
                         "inconclusive")
        found = judged(self.grid({4: 900, 6: 1000, 8: 1100}), self.REST)[0]
        self.assertEqual((found.word, found.shown.rest), ("contradicted", "workers=8"))

    def test_the_rule_of_thumb_follows_the_machine(self):
        made = self.grid({4: 900, 6: 1000, 8: 900})
        self.assertEqual(judged(made, self.REST, cpus=3)[0].word, "contradicted")
        self.assertIn("no row of table3 with workers=18", judged(made, self.REST, cpus=8)[0].why)
        self.assertIn("not on record", judged(made, self.REST, cpus=None)[0].why)

    def test_rivals_come_in_a_readers_order_however_the_sweep_shuffled_them(self):
        made = self.grid({16: 900, 6: 1000, 4: 900, 10: 900})
        compared = judged(made, self.REST)[0].all
        self.assertEqual([one.rest for one in compared],
                         ["workers=4", "workers=10", "workers=16"])

    def test_no_rival_no_peak(self):
        self.assertIn("no other cell", judged(self.grid({6: 1000}), self.REST)[0].why)

    def test_one_comparison_of_several_decides(self):
        lines = [LESS % (1, "s", "s", ""), LESS % (1, "t", "t", "")]
        good = runs(LOW) + runs(HIGH, scheme="ring")
        tie = runs(LOW, section="t") + runs(LOW, section="t", scheme="ring")
        self.assertEqual(judged(good + tie, *lines)[0].word, "inconclusive")
        self.assertEqual(judged(good, *lines)[0].word, "not tested")

    def test_rivals_speak_together(self):
        """Five runs a cell against seven rivals: no single comparison is clear enough."""
        lines = [self.REST.replace("B1", "B%d" % place) for place in range(1, 8)]
        made = self.grid({workers: 1000 if workers == 6 else 1100
                          for workers in (2, 4, 6, 8, 10, 12, 16)}, repeats=5)
        found = judged(made, *lines)[0]
        self.assertGreater(7 * 6 * min(one.denied for one in found.all), verdict.ALPHA)
        self.assertEqual(found.word, "contradicted")

    def test_holm_over_the_claims(self):
        lines = [LESS % (place, "s", "s", "") for place in range(1, 14)]
        made = runs(LOW) + runs(HIGH, scheme="ring")
        self.assertEqual({one.word for one in judged(made, *lines[:12])}, {"confirmed"})
        self.assertEqual({one.word for one in judged(made, *lines)}, {"inconclusive"})


class FalseAlarms(unittest.TestCase):
    def test_at_most_alpha_where_nothing_differs(self):
        jitter = random.Random(11)
        lines = [LESS % (place, "s%d" % place, "s%d" % place, "") for place in range(1, 4)]
        lines += [Several.REST.replace("B1", "B9").replace("2n+2", "2")]
        known, trials = parsed(*lines), 150
        false = {"confirmed": 0, "contradicted": 0}

        def drawn(**keys):
            return runs([jitter.lognormvariate(3, 0.2) for _ in range(5)], **keys)
        for _ in range(trials):
            made = []
            for section in ("s1", "s2", "s3"):
                made += drawn(section=section) + drawn(section=section, scheme="ring")
            for workers in (2, 4, 6):
                made += drawn(scenario="table3", workers=workers, cell="w%d" % workers)
            words = {one.word for one in verdict.judge(
                Results("made-up", made, fixtures.RUN, []), known, 2)}
            for word in false:
                false[word] += word in words
        limit = trials * verdict.ALPHA
        slack = 2.5 * (limit * (1 - verdict.ALPHA)) ** 0.5
        self.assertLessEqual(false["confirmed"], limit + slack)
        self.assertLessEqual(false["contradicted"], limit + slack)
        self.assertGreater(sum(false.values()), 0)  # a machinery that is never alarmed is broken


class Links(unittest.TestCase):
    PAIR = LESS % (1, "s", "s", "")

    def pair(self, **keys):
        return runs(LOW, **keys) + runs(HIGH, scheme="ring", **keys)

    def test_each_link_has_its_verdict_and_the_papers_comes_first(self):
        made = self.pair() + self.pair(link="lan100", link_asked="lan100")
        found = judged(made, self.PAIR)
        self.assertEqual([one.place.ran for one in found], ["lan100", "loopback"])
        self.assertEqual([one.shown.n for one in found], [5, 5])
        self.assertEqual(verdict.primary(found)["B1"].place.ran, "lan100")

    def test_the_order_of_links_is_not_that_of_rows(self):
        names = ("lan100", "lan100-rtt10", "lan1000", "loopback")
        for order in (names, names[::-1]):
            made = [one for link in order for one in runs(LOW, link=link, link_asked=link)]
            self.assertEqual([place.ran for place in verdict.by_place(made)], list(names))

    def test_a_claim_without_rows_on_the_papers_link_is_judged_where_it_ran(self):
        other = "B2,one,full,a / b,elapsed_ms,spec,scheme=chain,less,,scheme=ring,,1/2,Table 2"
        made = self.pair(scenario="spec") + self.pair(link="lan100", link_asked="lan100")
        found = judged(made + runs(LOW), self.PAIR, other)
        self.assertEqual([(one.id, one.place.ran, one.word) for one in found],
                         [("B1", "lan100", "confirmed"), ("B1", "loopback", "not tested"),
                          ("B2", "loopback", "confirmed")])
        self.assertEqual(verdict.primary(found)["B2"].word, "confirmed")
        self.assertIn("but B2 on loopback", claims.lead(found))

    def test_a_link_that_fell_back_says_so(self):
        made = self.pair(link_asked="lan100", link_reason="no namespaces")
        found = judged(made, self.PAIR)
        self.assertEqual(found[0].place.link, "loopback instead of lan100")
        self.assertIn("(no namespaces)", claims.title_of(found[0].place, True))


class Alike(unittest.TestCase):
    def test_two_labels_of_one_cell(self):
        made = runs(LOW, label="A", cell="label=A") + runs(LOW, label="B", cell="label=B")
        self.assertEqual([one.p for one in verdict.alarms(folder(made))], [1.0, 1.0, 1.0])
        self.assertIn("A/A: 0 of 3 metrics differ",
                      verdict.alarm_line(verdict.alarms(folder(made))))

    def test_an_alarm_is_told(self):
        made = runs(LOW, label="A", cell="label=A") + runs(HIGH, label="B", cell="label=B")
        line = verdict.alarm_line(verdict.alarms(folder(made)))
        self.assertIn("A/A: 1 of 3 metrics differ (elapsed_ms p = 0.008)", line)

    def test_few_or_none(self):
        self.assertIn("not tested", verdict.alarm_line([]))
        made = runs(LOW[:3], label="A", cell="label=A") + runs(LOW, label="B", cell="label=B")
        self.assertIn("n = 3 < 5", verdict.alarm_line(verdict.alarms(folder(made))))

    def test_what_a_search_chose_is_no_pair_of_equals(self):
        made = runs(LOW, label="search", cell="a=1") + runs(HIGH, label="final",
                                                           cell="a=1 label=final")
        self.assertEqual(verdict.alarms(folder(made)), [])

    def test_labelled_rows_are_no_evidence(self):
        made = runs(LOW) + runs(HIGH, scheme="ring") + runs(HIGH, label="A", cell="label=A")
        self.assertEqual(judged(made, LESS % (1, "s", "s", ""))[0].shown.n, 5)


class Sections(unittest.TestCase):
    def test_the_papers_claims_on_made_up_rows(self):
        section = claims.build(folder(fixtures.everything()))
        text = terminal.section_text(section)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 100, line)
        for name in ("A%d" % place for place in range(1, 10)):
            self.assertIn("\n%s " % name, text)
        self.assertIn("A/A: ", text)
        words = {row[0]: row[2] for row in section.blocks[0].rows}
        self.assertEqual((words["A2"], words["A4"], words["A5"]),
                         ("contradicted", "confirmed", "confirmed"))
        for line in terminal.section_text(
                claims.build_evidence(folder(fixtures.everything()))).splitlines():
            self.assertLessEqual(len(line), 100, line)

    def test_counts_that_hold_show_the_claims_first_line(self):
        lines = ("B1,threads,full,chain,buffer_threads,table2,scheme=chain,equal,,1,,1,Table 2",
                 "B1,,,ring,buffer_threads,table2,scheme=ring,equal,,key:servers,,30,Table 2")
        for chain, ring in ((8, 5), (5, 8)):
            made = runs([100.0] * chain, buffer_threads=1) \
                + runs([100.0] * ring, scheme="ring", buffer_threads=30)
            found = judged(made, *lines)[0]
            self.assertEqual((found.word, found.shown.claim.what), ("confirmed", "chain"))

    def test_nothing_to_judge(self):
        self.assertIn("Left out", claims.build(folder([])).blocks[0])
        self.assertIn("Left out", claims.build_evidence(folder([])).blocks[0])

    def test_a_wrong_line_leaves_the_section_out_by_name(self):
        with mock.patch("claims.load", side_effect=texts.WrongFile("claims.csv:7: no")):
            self.assertIn("claims.csv:7: no", claims.build(folder(runs(LOW))).blocks[0])

    def test_require(self):
        self.assertEqual(claims.required("A2, A5"), ["A2", "A5"])
        for text in ("A2,A77,B1", ","):
            with self.assertRaises(ValueError) as caught:
                claims.required(text)
            self.assertIn("A1, A2", str(caught.exception))
        made = folder(fixtures.everything())
        self.assertEqual(claims.unmet(made, ["A4", "A5"]), [])
        self.assertIn("A2 is contradicted on loopback", claims.unmet(made, ["A4", "A2"])[0])
        self.assertIn("not tested", claims.unmet(folder([]), ["A4"])[0])

    def test_the_commands_exit_code(self):
        with tempfile.TemporaryDirectory() as place:
            fixtures.write_folder(place, fixtures.everything())
            for asked, code in (("A4,A5", 0), ("A2", 1), ("A4,B7", 2), ("", 2)):
                with mock.patch("sys.stdout"), mock.patch("sys.stderr") as said:
                    self.assertEqual(report.main([place, "--no-figures", "--require", asked]), code)
                told = "".join(str(call.args[0]) for call in said.write.call_args_list if call.args)
                self.assertEqual(bool(told), code != 0)
                self.assertIn({1: "A2 is contradicted", 2: "A1, A2"}.get(code, ""), told)
