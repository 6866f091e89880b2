"""Fleets on hosts: which they were, the slowest, the start, the clocks beside every latency."""

import copy
import unittest

import plot_path
import contents
import fixtures
import hosts
import hosts_fixtures
import links
import machine
import matching
import order
import page
import peers
import row_check
import rows
import scale
import spec
import tables
import verdict
from section_fixtures import NEEDS_GNUPLOT, Folder, draw, results, run, said


def built(made, **record):
    return hosts.build(results(made, record.get("run", hosts_fixtures.run())))


def table_of(section, start):
    """The section's table whose title starts so."""
    return next(block for block in section.blocks
                if isinstance(block, tables.Table) and block.title.startswith(start))


class Factor(unittest.TestCase):
    def test_the_slowest_host_stands_first_with_its_factor(self):
        section = built(hosts_fixtures.grid(slow=(1, 1, 1.2)))
        table = table_of(section, "Hosts: time of each")
        self.assertEqual(table.rows[0], ["table3 on 4 hosts by slurm"])
        self.assertEqual((table.rows[1][0], table.rows[1][3]), ("lab3", "100 %"))
        self.assertAlmostEqual(float(table.rows[1][1].rstrip("x")), 1.2, delta=0.03)
        self.assertIn("lab3 took 1.", said(section))
        self.assertIn("was the slowest in 20 of 20 runs", said(section))

    def test_equal_hosts_are_called_equal(self):
        self.assertIn("no host was slower than the others", said(built(hosts_fixtures.grid())))

    def test_a_host_that_was_slow_once_is_not_a_slow_host(self):
        made = hosts_fixtures.grid()
        made[3]["host_us"][hosts_fixtures.address_of(1)] *= 9
        self.assertIn("no host was slower", said(built(made)))

    def test_two_runs_cannot_tell(self):
        text = said(built(hosts_fixtures.grid(runs=2, slow=(3,))))
        self.assertIn("fewer than 3 runs cannot tell", text)

    def test_hosts_alike_to_the_microsecond_are_none_of_them_slowest(self):
        table = table_of(built([hosts_fixtures.on_hosts(repeat=n, order=n) for n in range(1, 4)]),
                         "Hosts: time of each")
        self.assertEqual({line[3] for line in table.rows[1:]}, {"0 %"})

    def test_a_host_that_becomes_slow_drifts(self):
        made = hosts_fixtures.grid(runs=10) + hosts_fixtures.grid(runs=10, slow=(1.5,))
        for number, row in enumerate(made, 1):
            row.update(order=number, repeat=number)
        table = table_of(built(made), "Hosts: time of each")
        line = next(line for line in table.rows if line[0] == "lab1")
        self.assertAlmostEqual(float(line[4].rstrip("x")), 1.5, delta=0.1)

    def test_fleets_of_different_sizes_are_never_mixed(self):
        made = hosts_fixtures.grid(4, 3) + hosts_fixtures.grid(2, 3)
        text = said(built(made))
        self.assertIn("4 hosts by slurm", text)
        self.assertIn("2 hosts by slurm", text)
        labels = [label for label, _ in rows.variants(made, ("workers",))]
        self.assertEqual(labels, ["hosts 4", "hosts 2"])
        self.assertEqual(len(rows.group(made, order.CELL)), 2)

    def test_only_rows_that_count(self):
        made = hosts_fixtures.grid(runs=3) + [hosts_fixtures.on_hosts(
            order=9, repeat=9, status="failed", reason="host lab2 lost: no sign of life for 5 s",
            host_lost="lab2")]
        section = built(made)
        table = table_of(section, "Hosts: time of each")
        self.assertEqual({line[-1] for line in table.rows[1:]}, {"3"})
        self.assertIn("Lost in run 9 (table3 workers=6 concurrency=4): host lab2 lost: no sign of "
                      "life for 5 s.", said(section))

    def test_of_very_many_hosts_the_row_has_the_slowest_and_the_rest(self):
        times = {hosts_fixtures.address_of(host): 200 - host for host in range(47)}
        times["others"] = 100
        def middle(processes):
            return hosts.middle_of({"processes": processes}, times)
        self.assertEqual(middle(50), 175.5)   # of 50 hosts the 25th and 26th are known
        self.assertEqual(middle(1000), 100)   # at least as slow as the median
        section = built([hosts_fixtures.on_hosts(hosts=1000, host_us=times, repeat=n, order=n)
                         for n in (1, 2, 3)])
        table = table_of(section, "Hosts: time of each")
        self.assertEqual(table.rows[1][1], "2.00x")
        self.assertNotIn("others", [line[0] for line in table.rows])

    def test_without_times_or_with_one_host_there_is_no_factor(self):
        for times in (None, {}, {"10.1.0.1": 5}):
            section = built([hosts_fixtures.on_hosts(hosts=1, host_us=times)])
            self.assertEqual(section.figures, [])
            self.assertNotIn("slower", said(section))

    def test_a_run_on_one_machine_is_one_line(self):
        self.assertTrue(hosts.build(results(fixtures.table3_rows(1))).is_left_out)


class Record(unittest.TestCase):
    def table(self, found):
        return hosts.hosts_table(found)

    def test_each_host_has_a_line_of_what_it_said(self):
        table = self.table(hosts_fixtures.recorded(2))
        self.assertEqual(table.rows[0], ["lab1", "10.1.0.1", "100", "Made-up CPU @ 1.00GHz", "8",
                                         "32.0", "10,000"])
        self.assertIn("clock: synchronised, kernel: 6.1.0-made-up", table.notes[0])

    def test_a_host_that_differs_is_named(self):
        found = hosts_fixtures.recorded(3)
        found[1]["kernel"] = "5.10.0"
        self.assertIn("kernel differs: 6.1.0-made-up on lab1, lab3; 5.10.0 on lab2.",
                      self.table(found).notes)

    def test_a_host_of_several_fleets_has_one_line(self):
        table = self.table(hosts_fixtures.recorded(2) + hosts_fixtures.recorded(2, servers=10))
        self.assertEqual([line[:3] for line in table.rows],
                         [["lab1", "10.1.0.1", "5..100"], ["lab2", "10.1.0.2", "5..100"]])

    def test_many_alike_hosts_share_a_line(self):
        found = hosts_fixtures.recorded(40, servers=10**6)
        found[6]["cpus"] = 4
        table = self.table(found)
        self.assertEqual(len(table.rows), 2)
        self.assertEqual(table.rows[0][0], "lab1 and 38 more")
        self.assertEqual(table.rows[1][:3], ["lab7", "10.1.0.7", "25,000"])

    def test_what_a_host_did_not_say_is_no_number(self):
        table = self.table([{"host": "lab1"}])
        self.assertEqual(table.rows[0][1:], ["-"] * 6)
        self.assertEqual(table.notes, [])

    def test_a_record_of_another_type_says_nothing(self):
        for strange in (None, 7, {}, ["lab1"], [None]):
            found = results([], dict(fixtures.RUN, hosts=strange))
            self.assertEqual(hosts.names(found), "")
            machine.details(found)

    def test_the_page_names_hosts_at_its_head_and_in_its_provenance(self):
        found = results(hosts_fixtures.grid(), hosts_fixtures.run())
        self.assertEqual(dict(machine.summary(found))["hosts"], "lab1, lab2, lab3, lab4")
        self.assertEqual(dict(machine.summary(found))["between client and servers"],
                         "4 hosts by slurm")
        self.assertEqual(dict(machine.origin_facts(found))["hosts"], "lab1, lab2, lab3, lab4")
        self.assertIn("hosts.2.kernel: 6.1.0-made-up", machine.details(found))


class Place(unittest.TestCase):
    def test_hosts_are_not_loopback_and_no_fallback(self):
        row = hosts_fixtures.on_hosts()
        self.assertEqual(links.describe(row), "4 hosts by slurm")
        self.assertEqual(links.label_of([row], [row])[0], "4 hosts by slurm")
        self.assertEqual(links.fallback_notes([row]), [])
        self.assertEqual(verdict.place_of(row)[1:3], ("4 hosts by slurm",) * 2)
        self.assertEqual(links.describe(hosts_fixtures.on_hosts(hosts=1, launcher="ssh")),
                         "1 host by ssh")

    def test_what_a_reader_must_know_follows_where_the_servers_ran(self):
        def texts(made):
            found = results(made)
            return " ".join([contents.not_comparable(found)] + contents.caveats(found))
        near, far = fixtures.table3_rows(1), hosts_fixtures.grid(runs=2)
        self.assertIn("The servers run on the same machine", texts(near))
        self.assertNotIn("other computers", texts(near))
        self.assertNotIn("share one machine", texts(far))
        self.assertNotIn("on the same machine", texts(far))
        self.assertIn("the measured difference of the clocks", texts(far))
        for words in ("The servers run on the same machine", "the servers are on other computers"):
            self.assertIn(words, texts(near + far))


class Start(unittest.TestCase):
    def line(self, made):
        return table_of(built(made), "Hosts: start and clocks").rows[0]

    def test_spread_offset_error_and_limited_runs(self):
        made = hosts_fixtures.grid(runs=3)
        made[1].update(clock_limited=True, clock_error_us_max=900.0)
        self.assertEqual(self.line(made), ["table3", "4 hosts by slurm, together", "0.840",
                                           "0.820..0.860", "1.50", "0.900", "1", "3"])

    def test_what_was_not_measured_is_no_number(self):
        made = [hosts_fixtures.on_hosts(start_spread_us=None, clock_offset_us_max=None,
                                        clock_error_us_max=None)]
        self.assertEqual(self.line(made)[2:7], ["-"] * 5)


class Clocks(unittest.TestCase):
    """The clocks' error stands beside the latencies, wherever they are printed or drawn."""

    def limited(self, made):
        for row in made[:1]:
            row.update(clock_limited=True, clock_error_us_max=90.0)
        return made

    def rated(self, scenario, scheme, servers=200):
        return [dict(row, scenario=scenario, scheme=scheme, servers=servers, client=scheme)
                for row in self.limited(hosts_fixtures.live())]

    def test_of_the_specification(self):
        text = said(spec.build(results(self.limited(hosts_fixtures.live()))))
        self.assertRegex(text, r"the clocks' error, ms +0.0150 +0.0150..0.0900")
        self.assertIn("* Clock-limited: in 1 of 3 runs that is over 10 % of p50, or not known.",
                      text)
        self.assertIn("Clocks: no latency is more precise", text)

    def test_of_peers(self):
        text = said(peers.build(results(self.rated("peers", "chain"))))
        self.assertIn("+-0.0900 *", text)
        self.assertIn("* Clock-limited: in 1 of 3 runs", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_of_scale_and_its_figure(self):
        made = self.rated("scale", "chain")
        text = said(scale.build(results(made)))
        self.assertIn("+-0.0900 *", text)
        self.assertEqual(scale.p99_title(500.0, made), "p99 in ms at 500 a second, clocks ±0.0900")
        self.assertEqual(scale.p99_title(500.0, fixtures.spec_rows()), "p99 in ms at 500 a second")

    def test_a_row_without_the_error_has_no_number(self):
        text = said(peers.build(results([dict(row, scenario="peers", scheme="chain")
                                         for row in fixtures.spec_rows()])))
        self.assertNotIn("+-", text)
        self.assertNotIn("Clocks:", text)

    def test_of_a_comparison(self):
        found = results(self.limited(hosts_fixtures.live()))
        self.assertIn("A: 1 rows are clock-limited: the clocks' error is over 10 % of p50, or not "
                      "known", matching.uncounted(found, "A"))

    def test_on_the_page_the_sign_is_one_character(self):
        self.assertEqual(page.words("+-0.09 *"), "±0.09 *")


class Contradictions(unittest.TestCase):
    def wrong(self, **changes):
        return row_check.wrong_row(hosts_fixtures.on_hosts(**changes))

    def test_a_sound_row(self):
        self.assertIsNone(self.wrong())
        self.assertIsNone(self.wrong(status="failed", host_lost="lab2"))
        self.assertIsNone(self.wrong(hosts=None, launcher="", host_us={}, processes=None))

    def test_a_host_is_lost_in_failed_rows_only(self):
        for status in ("ok", "skipped"):
            self.assertIn('`host_lost` is "lab2" in a row that did not fail',
                          self.wrong(status=status, host_lost="lab2"))
        self.assertIn("the row has no `hosts`", self.wrong(
            status="failed", host_lost="lab2", hosts=None, launcher=""))

    def test_hosts_and_launcher_come_together(self):
        self.assertIn('`launcher` is "", and `hosts` is 4', self.wrong(launcher=""))
        self.assertIn('`launcher` is "ssh", and `hosts` is null', self.wrong(
            launcher="ssh", hosts=None))

    def test_times_of_hosts(self):
        self.assertIn("`host_us` of 10.1.0.1 is -5", self.wrong(host_us={"10.1.0.1": -5}))
        self.assertIn("`host_us` has 4 hosts, and `processes` is 3", self.wrong(processes=3))
        self.assertIsNone(self.wrong(host_us={"10.1.0.1": 5, "others": 4}, processes=1))

    def test_clocks(self):
        self.assertIsNone(self.wrong(clock_limited=True, clock_error_us_max=None))
        late = {"latency_us_" + name: 100.0 for name in ("min", "p50", "p90", "p99", "p999", "max")}
        self.assertIn("`clock_limited` is false", self.wrong(clock_error_us_max=11.0, **late))
        self.assertIsNone(self.wrong(clock_error_us_max=10.0, **late))
        self.assertIsNone(self.wrong(clock_error_us_max=11.0, clock_limited=True, **late))


class Report(Folder):
    def test_the_whole_report_of_hosts(self):
        made = hosts_fixtures.grid(slow=(1, 1.3)) + hosts_fixtures.live()
        fixtures.write_folder(self.folder, made, run=hosts_fixtures.run())
        code, out, err = run(self.folder, "--all", "--no-figures")
        self.assertEqual((code, err), (0, ""))
        self.assertLessEqual(max(map(len, out.splitlines())), 100)
        for words in ("Hosts: time of each, the slowest first", "Hosts: start and clocks",
                      "Hosts: what they say of themselves", "lab2 took 1."):
            self.assertIn(words, out)
        self.assertIn("0.0150", self.read("report.html"))
        self.assertIn('id="hosts"', self.read("report.html"))


@NEEDS_GNUPLOT
class Drawn(unittest.TestCase):
    def test_hosts_have_a_legend_and_panels(self):
        made = hosts_fixtures.grid(slow=(1.4,)) + hosts_fixtures.grid(2, scenario="scale")
        text, _ = draw(hosts.build, copy.deepcopy(made))
        for words in ("10.1.0.1", "10.1.0.4", "table3, 4 hosts by slurm",
                      "scale, 2 hosts by slurm"):
            self.assertIn(words, text)
        self.assertNotIn("others", text)

    def test_of_many_hosts_the_furthest_off_have_names(self):
        text, _ = draw(hosts.build, hosts_fixtures.grid(40, 5, slow=(1,) * 38 + (1.5, 0.6)))
        for words in ("10.1.0.39", "10.1.0.40", "others"):
            self.assertIn(words, text)

    def test_one_run_and_extreme_hosts(self):
        draw(hosts.build, hosts_fixtures.grid(2, 1))
        draw(hosts.build, hosts_fixtures.grid(2, 3, slow=(2000,)))
