"""plot/stages.py: stages of a client's work from what perf and callgrind wrote."""

import fnmatch
import json
import os
import tempfile
import unittest

import plot_path
import fixtures
import stages
from rows import load

PERF = """fanin-worker     500250
\tffffffff81b6cd84 _copy_to_iter ([kernel.kallsyms])
\tffffffff81b6cd85 tcp_recvmsg ([kernel.kallsyms])
\t           15dbe receive (/x/build/gcc/fanin-client)

fanin-buffer     500250
\t          16db75 __memmove_avx512_unaligned_erms (/usr/lib/libc.so.6)
\t           1eca9 process_all (/x/build/gcc/fanin-client)

fanin-buffer with blanks   1000
\t           0bee0 take+0x12 (/x/build/gcc/fanin-client)

fanin-worker     250
\t           99999 a_stranger (/usr/lib/libstrange.so)
\t           99998 [unknown] ([unknown])

"""
LINES = """0x000000000000bee0\tclient/buffers/pool.c:77
0x000000000001eca9\tclient/buffers/process.c:12 (discriminator 3)
0x0000000000015dbe\t??:?
"""
FUNCTIONS = """--------------------------------------------------------------------------------
Ir                    file:function
--------------------------------------------------------------------------------
1,000,000 (80.00%)  /usr/include/avx2intrin.h:pass_over_avx2'marker_find'received [/x/fanin-client]
  200,000 (16.00%)  ???:__memcpy_avx'process_frame [/usr/lib/libc.so.6]
   50,000 ( 4.00%)  strange.c:stranger'2 [/x]
"""


def folder_with(tool: str, files, rows=None):
    """A results folder as make profile leaves it; the caller removes it."""
    made = tempfile.TemporaryDirectory()
    fixtures.write_folder(made.name, rows or [fixtures.row(frames=100, bytes=1_000_000)])
    os.mkdir(os.path.join(made.name, "profile"))
    for name, text in {"tool": tool, **files}.items():
        with open(os.path.join(made.name, "profile", name), "w", encoding="utf-8") as file:
            file.write(text)
    return made


def run(folder: str):
    return fixtures.run_main(stages.main, folder)


class TheMap(unittest.TestCase):
    def test_every_stage_of_the_file_is_read_in_its_order(self):
        names = [name for name, _ in stages.read_stages()]
        self.assertEqual(len(names), len(set(names)))
        self.assertLess(names.index("scan"), names.index("link and hand over"))

    def test_a_line_that_is_none_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "stages.conf")
            for text in ("scan = a*\nnonsense\n", "scan = a*\nprocess =\n"):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                with self.assertRaisesRegex(stages.WrongStages, r"stages.conf:2: "):
                    stages.read_stages(path)

    def test_the_innermost_known_function_says_the_stage(self):
        where = stages.Map([("inner", ["a*"]), ("outer", ["b", "client/x/*"])])
        self.assertEqual(where.of_stack([stages.Frame("?", ""), stages.Frame("b", ""),
                                         stages.Frame("ab", "")]), "outer")
        self.assertEqual(where.of_stack([stages.Frame("take", "client/x/y.c")]), "outer")
        self.assertEqual(where.of_stack([stages.Frame("zzz", "x/y.c")]), stages.REST)
        self.assertEqual(where.of_stack([]), stages.REST)

    def test_files_have_their_stage(self):
        where = stages.Map(stages.read_stages())
        for source, stage in (("client/buffers/marker.c", "scan"), ("client/buffers/chain.c",
                              "link and hand over"), ("client/buffers/pool.h", "pool and return"),
                              ("client/buffers/process.c", "process"),
                              ("cport/gate.c", "completion port"),
                              ("/usr/include/xxhash.h", "process")):
            self.assertEqual(where.of_stack([stages.Frame("static", source)]), stage, source)

    def test_every_file_has_a_stage_and_every_pattern_a_file(self):
        sources = [os.path.relpath(os.path.join(folder, name), plot_path.ROOT)
                   for room in ("base", "client", "cport")
                   for folder, _, names in os.walk(os.path.join(plot_path.ROOT, room))
                   for name in names if name.endswith((".c", ".h")) and "/tests" not in folder]
        self.assertGreater(len(sources), 50)
        where = stages.Map(stages.read_stages())
        for source in sources:
            self.assertNotEqual(where.of_stack([stages.Frame("", source)]), stages.REST, source)
        for _, patterns in stages.read_stages():
            for pattern in patterns:
                if "/" in pattern and not pattern.startswith("*/"):
                    self.assertTrue(fnmatch.filter(sources, pattern), pattern)


class Perf(unittest.TestCase):
    def profile(self):
        with folder_with("perf\n", {"1.stacks": PERF, "1.lines": LINES}) as folder:
            found, problems = stages.take_profiles(load(folder))
        self.assertEqual(problems, [])
        return found[0]

    def test_samples_are_weighed_by_their_period(self):
        found = self.profile()
        self.assertEqual(found.stages["kernel: copy to the block"], 500250)
        self.assertEqual(found.stages["copy"], 500250)
        self.assertEqual(found.stages["pool and return"], 1000)
        self.assertEqual(found.stages[stages.REST], 250)
        self.assertEqual(found.total, 1001750)
        self.assertEqual(found.unmapped, [("a_stranger", 250)])

    def test_costs_are_per_frame_and_per_kilobyte(self):
        found = self.profile()
        self.assertEqual(stages.cost_text(found, 500, "frame"), "5.00")
        self.assertEqual(stages.cost_text(found, 500, "kB"), "0.500")

    def test_frames_that_the_client_does_not_see_are_its_servers(self):
        rows = [fixtures.row(frames=None, server_frames=50, scheme="drain")]
        with folder_with("perf", {"1.stacks": PERF, "1.lines": LINES}, rows) as folder:
            found, _ = stages.take_profiles(load(folder))
        self.assertEqual(stages.cost_text(found[0], 500, "frame"), "10.0")

    def test_repeats_of_a_cell_are_one_column(self):
        rows = [fixtures.row(repeat=n, order=n, frames=100) for n in (1, 2)]
        files = {"1.stacks": PERF, "1.lines": LINES, "2.stacks": PERF, "2.lines": LINES}
        with folder_with("perf", files, rows) as folder:
            found, _ = stages.take_profiles(load(folder))
        self.assertEqual([p.n for p in found], [2])
        self.assertEqual(found[0].total, 2 * 1001750)
        self.assertEqual(stages.cost_text(found[0], 400, "frame"), "2.00")


class Callgrind(unittest.TestCase):
    def test_functions_and_their_callers(self):
        with folder_with("callgrind", {"1.functions": FUNCTIONS}) as folder:
            found, _ = stages.take_profiles(load(folder))
            code, out, _ = run(folder)
        self.assertEqual(found[0].stages["scan"], 1000000)
        self.assertEqual(found[0].stages["copy"], 200000)
        self.assertEqual(found[0].stages[stages.REST], 50000)
        self.assertEqual(code, 0)
        self.assertIn("instructions a frame", out)
        self.assertIn("kernel's are not", out)


class TheCommand(unittest.TestCase):
    def test_it_prints_shares_and_writes_lines_of_json(self):
        with folder_with("perf", {"1.stacks": PERF, "1.lines": LINES}) as folder:
            code, out, err = run(folder)
            with open(os.path.join(folder, "profile.jsonl"), encoding="utf-8") as file:
                line = json.loads(file.readline())
        self.assertEqual((code, err), (0, ""))
        self.assertIn("Share of each stage", out)
        self.assertEqual(line["unit"], "ns")
        self.assertEqual(sum(line["stages"].values()), 1001750)

    def test_missing_and_empty_profiles_are_said(self):
        with folder_with("perf", {}) as folder:
            code, _, err = run(folder)
            self.assertEqual(code, 1)
            self.assertIn("1.stacks", err)
        with folder_with("perf", {"1.stacks": "", "1.lines": ""}) as folder:
            self.assertIn("took no sample", run(folder)[2])
        with folder_with("gprof", {}) as folder:
            self.assertEqual(run(folder)[0], 2)

    def test_a_row_that_does_not_count_has_no_column(self):
        rows = [fixtures.row(audit="fail: bytes")]
        with folder_with("perf", {"1.stacks": PERF, "1.lines": LINES}, rows) as folder:
            code, _, err = run(folder)
        self.assertEqual(code, 1)
        self.assertIn("audit fail: bytes", err)

    def test_the_report_has_a_section_with_or_without(self):
        with folder_with("perf", {"1.stacks": PERF, "1.lines": LINES}) as folder:
            self.assertIn("no profile", stages.build(load(folder)).blocks[0])
            run(folder)
            self.assertGreater(len(stages.build(load(folder)).blocks), 2)
            with open(os.path.join(folder, "profile.jsonl"), "a", encoding="utf-8") as file:
                file.write('{"tool": "perf"}\n')
            self.assertIn("profile.jsonl:2", stages.build(load(folder)).blocks[0])
