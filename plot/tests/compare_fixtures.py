"""What the tests of comparisons share: runs of a cell, two folders, and the command."""

import itertools
import json
import os
import random

import plot_path
import compare
import fixtures

ORDER = itertools.count(1)  # no two rows of a folder have one place in the plan


def run(*arguments):
    return fixtures.run_main(compare.main, *arguments)


def repeats(n=6, seed=1, factor=1.0, noise=0.02, **changes):
    """n runs of one cell whose time and memory are `factor` of the usual."""
    draw, made = random.Random(seed), []
    for repeat in range(1, n + 1):
        figures = {"elapsed_ms": 100 * factor * draw.lognormvariate(0, noise),
                   "peak_rss_kb": int(20000 * factor * draw.lognormvariate(0, noise))}
        made.append(fixtures.row(**{"repeat": repeat, "order": next(ORDER), **figures, **changes}))
    return made


class Folders(fixtures.FolderTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = (os.path.join(self.folder, name) for name in "ab")

    def write(self, a, b, run_b=None):
        fixtures.write_folder(self.a, a)
        fixtures.write_folder(self.b, b, run=run_b)

    def lines(self, *arguments):
        """The JSON lines by (cell, metric), and the exit code."""
        code, out, err = run(*(arguments or (self.a, self.b)), "--json")
        self.assertIn(code, (0, 1), err)
        return {(line["cell"], line["metric"]): line for line in json.loads(out)["lines"]}, code

    def refused(self, *arguments):
        """The one line of a refusal; exit code 2 and nothing on standard output."""
        code, out, err = run(*(arguments or (self.a, self.b)))
        self.assertEqual((code, out), (2, ""), err)
        last = err.splitlines()[-1]
        self.assertTrue(last.startswith("plot/compare.py: "), err)
        self.assertNotIn("Traceback", err)
        return last
