"""Verdicts on the paper's machine and at full speed: which counts, and why they differ."""

import random
import re
import unittest

import plot_path
import attribution
import claims
import fixtures
import link_fixtures
import paper_fixtures
import summary
import tables
import terminal
import verdict
from claims_fixtures import HIGH, LESS, LOW, folder, judged, parsed, runs

PAIR = LESS % (1, "s", "s", "0.02")
NO_GROUP = "no control group: /sys/fs/cgroup is read-only"


def on_paper(made, **changes):
    """Rows of Table 2 as scenario paper has them."""
    return [one for row in made for one in paper_fixtures.on_paper(
        "table2-" + row["section"], [row], **changes)]


def pair(chain=LOW, ring=HIGH, **keys):
    return runs(chain, **keys) + runs(ring, scheme="ring", **keys)


def found(made, *lines):
    return verdict.on_machines(judged(made, *lines))


def both():
    """The paper's machine as the paper has it, and full speed where the wire is all."""
    full = [dict(row, **link_fixtures.LAN) for row in fixtures.table1_rows() + wired()]
    return paper_fixtures.paper_rows() + full + fixtures.table3_rows() + fixtures.spec_rows()


def wired(repeats=5):
    """Table 2 at full speed: every scheme takes as long as the wire."""
    jitter, made = random.Random(4), []
    for row in fixtures.table2_rows(repeats):
        time = 3341.0 * jitter.uniform(1.001, 1.003)
        made.append(dict(row, bytes=39321600, elapsed_ms=time, bytes_per_s=39321600 / time * 1e3,
                         bottleneck="link"))
    return made


class WhatCounts(unittest.TestCase):
    def test_the_papers_machine_first_then_full_speed(self):
        one = found(on_paper(pair()) + pair(HIGH, LOW), PAIR)["B1"]
        self.assertEqual({name: each.word for name, each in one.items()},
                         {"paper": "confirmed", "full": "contradicted"})
        self.assertEqual(verdict.counting(one).place.machine, "paper")

    def test_the_first_machine_of_a_claim_counts(self):
        made = on_paper(pair()) + pair(HIGH, LOW)
        for machines, word in (("full paper", "contradicted"), ("full", "contradicted"),
                               ("paper", "confirmed")):
            one = found(made, PAIR.replace("paper full", machines))["B1"]
            self.assertEqual(verdict.counting(one).word, word)
            self.assertEqual(set(one), set(machines.split()))

    def test_a_machine_that_could_not_be_had_leaves_full_speed(self):
        for why in ({"cpu_share_reason": NO_GROUP}, {"calibration_reason": NO_GROUP},
                    link_fixtures.FALLBACK):
            made = [dict(row, **why) for row in on_paper(pair(HIGH, LOW))] + pair()
            reason = next(filter(None, why.values())) if len(why) == 1 else why["link_reason"]
            one = found(made, PAIR)["B1"]
            self.assertEqual(one["paper"].word, "not tested")
            self.assertIn(reason, one["paper"].why)
            self.assertEqual(verdict.counting(one), one["full"])
            said = claims.difference(one, 2)
            self.assertIn("not tested on the paper's machine (none of the 5 rows", said)
            self.assertIn(reason + "), so full speed counts.", said)

    def test_a_share_that_no_machine_names_is_no_evidence(self):
        made = pair(HIGH, LOW, cpu_share=0.06, cpu_share_asked=0.06, cell="share")
        self.assertEqual(judged(made, PAIR), [])
        self.assertEqual([one.word for one in judged(made + pair(), PAIR)], ["confirmed"])

    def test_a_claim_whose_machine_did_not_run_is_named(self):
        full = PAIR.replace("B1", "B2").replace("paper full", "full")
        one = found(on_paper(pair()), PAIR, full)
        self.assertEqual((one["B2"]["full"].word, one["B2"]["full"].why),
                         ("not tested", "no row at full speed"))
        only = PAIR.replace("paper full", "paper")
        self.assertEqual(found(pair(), only)["B1"]["paper"].why, "no row on the paper's machine")

    def test_the_rule_of_thumb_means_the_papers_processors_on_its_machine(self):
        line = "B1,best,paper full,a / rest,bytes_per_s,table3,workers=2n+2,more,,workers=*,,,T"
        made = [fixtures.timed(rate + repeat, 28, workers=workers, repeat=repeat,
                               cell="workers=%d" % workers)
                for workers, rate in ((4, 900), (6, 1000), (8, 900)) for repeat in range(1, 7)]
        one = verdict.on_machines(verdict.judge(
            folder(paper_fixtures.on_paper("table3-grid", made) + made), parsed(line), 16))["B1"]
        self.assertEqual([one[name].word for name in ("paper", "full")],
                         ["confirmed", "not tested"])

    def test_each_machine_has_a_family_of_its_own(self):
        """Twelve claims of 5 against 5 runs pass Holm's correction, thirteen do not."""
        lines = [LESS % (place, "s", "s", "") for place in range(1, 13)]
        extra = (LESS % (13, "s", "s", "")).replace("paper full", "full")
        made = on_paper(pair()) + pair()
        words = {(one.place.machine, one.word) for one in judged(made, *lines, extra)}
        self.assertEqual(words, {("paper", "confirmed"), ("full", "inconclusive")})

    def test_counts_come_from_the_link_that_their_scenario_ran_on(self):
        line = "B1,threads,paper full,chain,buffer_threads,table2,scheme=chain,equal,,1,,1,T"
        more = "B1,,,of 200,buffer_threads,table3,scheme=chain,equal,,1,,1,T"
        grid = [fixtures.row(repeat=repeat) for repeat in range(1, 6)]
        made = [dict(row, **link_fixtures.LAN) for row in runs(LOW)] + grid
        one = judged(made, line, more)[0]
        self.assertEqual((one.word, one.why, one.place.ran),
                         ("confirmed", "in every run, table3 on loopback", "lan100"))

    def test_other_rows_of_their_scenario_do_not_keep_them_there(self):
        line = "B1,threads,paper full,chain,buffer_threads,table2,section=s,equal,,1,,1,T"
        more = "B1,,,of 200,buffer_threads,table3,scheme=chain,equal,,1,,1,T"
        grid = [fixtures.row(repeat=repeat) for repeat in range(1, 6)]
        made = [dict(row, **link_fixtures.LAN) for row in runs(LOW)] + runs(LOW, section="o") + grid
        self.assertEqual({(one.word, one.place.ran) for one in judged(made, line, more)},
                         {("confirmed", "loopback")})


class Why(unittest.TestCase):
    def said(self, made):
        return {line.split(":")[0]: line for line in claims.differences(folder(made))}

    def test_the_sentence_names_what_limited_the_rows(self):
        made = [dict(row, bottleneck="link") if row["section"].startswith("table2") else row
                for row in both()]
        said = self.said(made)["A4"]
        self.assertRegex(said, r"^A4: contradicted at full speed \(1\.00.*\), where the wire "
                         r"limited 15 of 15 rows \(1\.00\d to 1\.00\d times the wire's\); "
                         r"confirmed on the paper's machine \(0\.\d\d.*\), where the wire and the "
                         r"share of a processor limited 15 of 15 rows \(.* times the wire's, "
                         r"stopped in \d\d % of its periods, 85 % of it used\)\.$")

    def test_a_share_that_made_a_row_slower_than_the_wire_limited_it(self):
        row = dict(wired(1)[0], **link_fixtures.LAN, cpu_share=0.07, cpu_period_ms=40.0,
                   cpu_share_used=0.05, throttled_periods=20)
        slow = dict(row, elapsed_ms=3600.0, bytes_per_s=row["bytes"] / 3.6)
        for one, limit in ((row, attribution.WIRE), (slow, attribution.BOTH),
                           (dict(slow, throttled_periods=0), attribution.WIRE)):
            self.assertEqual(attribution.data_limit(one, 2), limit)

    def test_it_comes_from_the_rows(self):
        for changes, words in (
                ({"bottleneck": "cpu-quota"}, "the share of a processor limited 10 of 10 rows"),
                ({"bottleneck": "unclear", "cpu_s": 0.0, "server_cpu_s": 0.0, "looks": 2100,
                  "look": "every:15.6ms:one"},
                 "the timed look limited 10 of 10 rows (95 % of the looks found a record)"),
                ({"bottleneck": "unclear", "cpu_s": 0.0, "server_cpu_s": 0.0, "cpu_share": 1.0,
                  "work": "touch:5ns/byte", "work_s": 0.0115},
                 "the work on records limited 10 of 10 rows (103 % of the time)"),
                ({"bottleneck": "servers"}, "the servers' processor limited 10 of 10 rows"),
                ({"bottleneck": "unclear", "cpu_s": 0.0, "server_cpu_s": 0.0},
                 "nothing that the rows measure limited 10 of 10 rows")):
            one = found(on_paper(pair(HIGH, LOW), **changes) + pair(), PAIR)["B1"]
            self.assertIn("on the paper's machine (1.20, 95 % 1.17..1.23), where " + words,
                          claims.difference(one, 2))

    def test_connects_wait_for_round_trips_or_the_processor(self):
        line = "B1,fast,paper full,a / b,connect_ms,table1,connect=async,less,0.1,connect=sync,,,F"
        made = []
        for repeat in range(1, 6):
            for mode, time, cpu in (("async", 100.0, 0.005), ("sync", 2043.0, 0.005)):
                row = fixtures.row(scenario="table1", section=mode, connect=mode, repeat=repeat,
                                   cell=mode, connect_ms=time, connect_cpu_s=cpu)
                made += paper_fixtures.on_paper("table1-" + mode, [row], paper_fixtures.FAR)
                made.append(dict(row, connect_ms=20.0, **link_fixtures.LAN))
        said = claims.difference(found(made, line)["B1"], 2)
        self.assertIn("the share of a processor limited 5 of 10 rows (85 % of the time), "
                      "the round trip 5 (97 % of the time)", said)

    def test_one_limit_on_both_machines_is_said_once(self):
        said = claims.difference(found(on_paper(pair(HIGH, LOW)) + pair(), PAIR)["B1"], 2)
        self.assertEqual(said, "B1: confirmed at full speed (0.84, 95 % 0.81..0.86), contradicted "
                         "on the paper's machine (1.20, 95 % 1.17..1.23); what limited the rows "
                         "does not differ: the client's processors limited 10 of 10 rows.")

    def test_alike_verdicts_need_no_sentence(self):
        self.assertEqual(claims.difference(found(on_paper(pair()) + pair(), PAIR)["B1"], 2), "")
        self.assertEqual(claims.differences(folder(pair())), [])


class Shown(unittest.TestCase):
    def test_one_line_a_claim_with_both_verdicts(self):
        table = summary.verdicts(folder(both()))
        self.assertEqual([row[0] for row in table.rows], ["A%d" % place for place in range(1, 11)])
        words = {row[0]: (row[2], row[4]) for row in table.rows}
        self.assertEqual(words["A4"], ("confirmed", "contradicted"))
        self.assertIn("those on the paper's machine count", table.title)
        self.assertEqual(words["A9"][0], tables.NONE)
        text = tables.to_compact_text(table)
        self.assertLessEqual(max(map(len, text.splitlines())), tables.WIDTH)
        self.assertNotIn("...", text)  # no claim is cut

    def test_the_number_at_full_speed_is_of_the_same_comparison(self):
        lines = [PAIR, (LESS % (1, "t", "t", "0.02")).replace("one is less,paper full", ",")]
        made = on_paper(pair() + pair(LOW, LOW, section="t"))
        made += pair(LOW, LOW) + pair(section="t")
        one = found(made, *lines)["B1"]
        self.assertEqual([each.shown.subject[0]["section"] for each in one.values()], ["t", "s"])
        fields = claims.both_line(one)
        self.assertEqual((fields[3], fields[5]), ("1.000", "0.84"))

    def test_the_section_has_the_sentences(self):
        section = claims.build(folder(both()))
        text = terminal.section_text(section)
        self.assertLessEqual(max(map(len, text.splitlines())), tables.WIDTH)
        self.assertIn("A4: contradicted at full speed", re.sub(r"\s+", " ", text))
        self.assertIn("Judged on the paper's machine, but A9 at full speed on loopback", text)
        for title in ("On the paper's machine, lan100-rtt9.91", "At full speed, on loopback"):
            self.assertIn("\n" + title, text)

    def test_a_folder_without_the_papers_machine_is_as_it_was(self):
        made = folder(fixtures.everything())
        text = tables.to_compact_text(summary.verdicts(made)) \
            + terminal.section_text(claims.build(made))
        self.assertNotIn("machine", text.replace("on the machine and link", "").replace(
            "On each machine and link", ""))
        self.assertIn("Verdicts on loopback.", text)

    def test_required_claims_are_those_where_they_count(self):
        made = both()
        self.assertEqual(claims.unmet(folder(made), ["A4"]), [])
        gone = [dict(row, cpu_share_reason=NO_GROUP) if row.get("machine") else row
                for row in made]
        self.assertIn("those at full speed count", summary.verdicts(folder(gone)).title)
        said = claims.unmet(folder(gone), ["A4"])[0]
        self.assertIn("A4 is contradicted at full speed on lan100: ", said)
        self.assertIn("(not tested on the paper's machine: none of the 5 rows of table2", said)
        self.assertIn(NO_GROUP, said)


if __name__ == "__main__":
    unittest.main()
