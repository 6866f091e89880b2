"""Which cells of two folders belong together, and what a reader is told of the rest."""

import json
import os

import plot_path
import fixtures
import matching
import paper_fixtures
from compare_fixtures import Folders, repeats, run


class Matching(Folders):
    def test_axes_keep_cells_apart(self):
        self.write(repeats(workers=4) + repeats(workers=8, factor=3),
                   repeats(workers=4, seed=2) + repeats(workers=8, factor=3, seed=2))
        lines, _ = self.lines()
        self.assertEqual(len({cell for cell, _ in lines}), 2)
        self.assertTrue(all(0.8 < line["ratio"] < 1.25 for line in lines.values()))

    def test_what_sets_whole_sides_apart_is_compared_and_told(self):
        self.write(repeats(scheme="fixed"), repeats(scheme="chain", seed=2))
        out = run(self.a, self.b)[1]
        self.assertIn("scheme differs (not asked for): fixed against chain", out)

    def test_other_work_is_refused_unless_forced(self):
        self.write(repeats(), repeats(seed=2, size_max=200000))
        self.assertIn("the work differs in size_max: 100000 against 200000; --force",
                      self.refused())
        code, out, _ = run(self.a, self.b, "--force")
        self.assertEqual(code, 0)
        self.assertIn("the work differs in size_max", out)

    def test_idle_servers_and_floods_are_other_work(self):
        for key in ("idle_servers", "flood_frames"):
            self.write(repeats(), repeats(seed=2, **{key: 20}))
            self.assertIn("the work differs in %s: 0 against 20" % key, self.refused())

    def test_other_work_that_was_asked_for_is_compared(self):
        self.write(repeats() + repeats(size_max=200000), [])
        code, out, err = run(self.a, self.a, "--a", "size_max=100000", "--b", "size_max=200000")
        self.assertEqual(code, 0, err)
        self.assertIn("size_max differs: 100000 against 200000", out)

    def test_cells_without_a_partner_are_counted(self):
        self.write(repeats(workers=4) + repeats(workers=8), repeats(workers=4, seed=2)
                   + repeats(workers=10) + repeats(workers=12))
        self.assertIn("1 cells of A and 2 of B have no partner", run(self.a, self.b)[1])

    def test_no_partner_at_all(self):
        self.write(repeats(workers=4) + repeats(workers=6), repeats(workers=8) + repeats(workers=9))
        self.assertIn("no cell of A has a partner in B (2 and 2 cells)", self.refused())
        self.assertIn("no cell of A has a partner", self.refused(self.a, self.b, "--force"))

    def test_scenarios_of_another_name_are_compared_and_told(self):
        self.write(repeats(scenario="before"), repeats(scenario="after", seed=2))
        lines, _ = self.lines()
        self.assertEqual({cell for cell, _ in lines}, {"grid workers=6 concurrency=4"})
        self.assertIn("scenario differs (not asked for): before against after",
                      run(self.a, self.b)[1])

    def test_sections_can_be_set_against_each_other(self):
        fixtures.write_folder(self.a, fixtures.table2_rows())
        arguments = (self.a, self.a, "--a", "section=one-record", "--b", "section=many-records")
        self.assertIn("the work differs in frames_per_server: 1 against 26",
                      self.refused(*arguments))
        lines, _ = self.lines(*arguments, "--force")
        self.assertIn("table2 scheme=chain", {cell for cell, _ in lines})

    def test_two_runs_of_the_papers_machine_are_compared_whatever_they_calibrated(self):
        other = {"cpu_share": 0.061, "cpu_share_asked": 0.061, "calibrated": "cpu-share=6.1%"}
        full = fixtures.table2_rows()
        self.write(full + paper_fixtures.paper_rows(),
                   full + paper_fixtures.paper_rows(seed=9, **other))
        out = run(self.a, self.b)[1]
        self.assertIn("paper/table2-one-record scheme=chain", out)
        self.assertIn("cpu_share_asked differs (not asked for): 0.0587 against 0.061", out)
        self.assertNotIn("no partner", out)

    def test_labels_name_cells(self):
        """The same cell under two labels: an A/A pair."""
        fixtures.write_folder(self.a, repeats(label="one") + repeats(label="other", seed=2))
        lines, code = self.lines(self.a, self.a, "--a", "label=one", "--b", "label=other")
        self.assertEqual((len({cell for cell, _ in lines}), code), (1, 0))

    def test_a_fallen_back_link_is_told(self):
        self.write(repeats(link="lan100", link_asked="lan100"),
                   repeats(link="loopback", link_asked="lan100", seed=2))
        self.assertIn("link differs (not asked for): lan100 against loopback",
                      run(self.a, self.b)[1])

    def test_other_seeds_and_requests_are_the_same_cell(self):
        self.write([dict(row, seed=1, request="x") for row in repeats()],
                   [dict(row, seed=2, request="y") for row in repeats(seed=2)])
        self.assertEqual(len({cell for cell, _ in self.lines()[0]}), 1)

    def test_names_that_collide_get_the_difference(self):
        made = repeats(engine="epoll") + repeats(engine="uring")
        self.write(made, made)
        self.assertEqual({cell for cell, _ in self.lines()[0]},
                         {"table3/grid workers=6 concurrency=4 engine=epoll",
                          "table3/grid workers=6 concurrency=4 engine=uring"})

    def test_only_restricts_both_sides(self):
        self.write(fixtures.everything(), fixtures.everything())
        lines, _ = self.lines(self.a, self.b, "--only", "scenario=table2,scheme=ring")
        self.assertEqual({cell for cell, _ in lines},
                         {"table2/%s scheme=ring" % s for s in ("one-record", "many-records")})

    def test_a_switch_is_typed_as_json_has_it(self):
        made = repeats(reconnect=True) + repeats(reconnect=False, seed=2)
        fixtures.write_folder(self.a, made)
        code, out, err = run(self.a, self.a, "--a", "reconnect=true", "--b", "reconnect=false")
        self.assertEqual(code, 0, err)
        self.assertIn("reconnect differs: true against false", out)

    def test_a_comma_may_belong_to_a_value(self):
        self.assertEqual(matching.parse_filter("--a", ["fleet=--fault reset:2%,stall:1,workers=6"]),
                         {"fleet": "--fault reset:2%,stall:1", "workers": "6"})


class Warnings(Folders):
    def test_machine_kernel_flavour_and_scenario(self):
        other = dict(fixtures.RUN, flavour="clang", machine=dict(
            fixtures.RUN["machine"], cpu="Another CPU", kernel="Linux 9.9"),
            scenarios={"table3": {"path": "x", "text": "servers = 1"}})
        mine = dict(fixtures.RUN, flavour="gcc",
                    scenarios={"table3": {"path": "x", "text": "servers = 2"}})
        fixtures.write_folder(self.a, repeats(), run=mine)
        fixtures.write_folder(self.b, repeats(seed=2, host="elsewhere", os="Linux 9.9"), run=other)
        out = run(self.a, self.b)[1]
        for words in ("machine cpu differs: Made-up CPU @ 1.00GHz against Another CPU",
                      "machine kernel differs", "flavour differs: gcc against clang",
                      "scenario table3 differs in its text", "host differs: made-up against else",
                      "os differs"):
            self.assertIn(words, out)
        self.assertIn("flavour differs", json.dumps(json.loads(run(self.a, self.b, "--json")[1])
                                                    ["warnings"]))
        self.assertIn("\n- Note: flavour differs", run(self.a, self.b, "--markdown")[1])

    def test_equal_surroundings_say_nothing(self):
        self.write(repeats(), repeats(seed=2))
        self.assertNotIn("Note:", run(self.a, self.b)[1])

    def test_an_unfinished_sweep(self):
        self.write(repeats(), repeats(seed=2), dict(fixtures.RUN, state="running"))
        self.assertIn("B's sweep is not finished: running", run(self.a, self.b)[1])

    def test_a_link_that_is_not_as_asked_for(self):
        link = {"lan100": {"options": "--rate 100mbit", "status": "failed", "reason": "rate 93 %",
                           "check": None}}
        fixtures.write_folder(self.a, repeats(link="lan100", link_asked="lan100"),
                              run=dict(fixtures.RUN, links=link))
        fixtures.write_folder(self.b, repeats(link="lan100", link_asked="lan100", seed=2),
                              run=dict(fixtures.RUN, links={"lan100": dict(link["lan100"],
                                                                           status="ok")}))
        out = run(self.a, self.b)[1]
        self.assertIn("A's link lan100: failed (rate 93 %)", out)
        self.assertNotIn("B's link", out)

    def test_records_of_any_kind_make_it_no_trouble(self):
        for broken in ({"machine": []}, {"links": 3}, {"scenarios": "x", "state": {}}, {}):
            self.write(repeats(), repeats(seed=2), broken)
            self.assertEqual(run(self.a, self.b)[0], 0, broken)

    def test_rows_that_do_not_count(self):
        self.write(repeats(), repeats(seed=2) + [fixtures.row(repeat=9, status="failed")])
        self.assertIn("B: 1 rows are not results", run(self.a, self.b)[1])

    def test_a_folder_without_its_record(self):
        self.write(repeats(), repeats(seed=2))
        os.remove(os.path.join(self.b, "run.json"))
        code, out, err = run(self.a, self.b)
        self.assertEqual(code, 0)
        self.assertIn("run.json: ", err)
        self.assertIn("machine and flavour are unknown", out)
