"""The user's own settings of gnuplot, Python and language do not reach a figure, and a figure that
does not show its data is an error."""

import os
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import plot_path
import draft
import drawn
import figures
import fixtures
import machine
import report
import table1
from section_fixtures import NEEDS_GNUPLOT, SVG_ONLY, results

GNUPLOT = """set datafile separator ","
set datafile commentschars "0"
set decimalsign ","
set linetype 1 lw 20
set xrange [0:1]
set encoding iso_8859_1
set print "said"
"""
# What the user's modules would do to a report, did they reach it.
PYTHON = {"json.py": "raise SystemExit('the user has a json.py')",
          "usercustomize.py": "import builtins; builtins.round = lambda *a: 0",
          "sitecustomize.py": "import builtins; builtins.sorted = lambda *a, **b: []"}


def written(folder, files):
    """The folder, with these files in it."""
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return folder


def hostile(folder):
    """An environment whose every setting says how to draw, count, sort or write."""
    home = written(os.path.join(folder, "home"), {
        ".gnuplot": GNUPLOT, "config/gnuplot/gnuplotrc": GNUPLOT, "lib/style.gp": "exit\n"})
    python = written(os.path.join(folder, "python"), PYTHON)
    return dict(
        os.environ, HOME=home, XDG_CONFIG_HOME=os.path.join(home, "config"), GNUTERM="dumb",
        GNUPLOT_LIB=os.path.join(home, "lib"), GNUPLOT_DEFAULT_GDFONT="none", PYTHONPATH=python,
        PYTHONSTARTUP=os.path.join(python, "json.py"), PYTHONIOENCODING="ascii:strict",
        PYTHONWARNINGS="error", PYTHONSAFEPATH="1", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
        LC_ALL="C", LC_NUMERIC="de_DE.UTF-8", LANGUAGE="de")


@NEEDS_GNUPLOT
class Surroundings(fixtures.FolderTest):
    def made(self, name, environment):
        """The report under this environment: its files and what it prints."""
        out = os.path.join(self.folder, name)
        ran = subprocess.run([sys.executable, report.__file__, os.path.join(self.folder, "rows"),
                              "--out", out], env=environment, capture_output=True, check=False,
                             timeout=300)
        self.assertEqual(ran.returncode, 0, ran.stderr.decode())
        made = {"printed": ran.stdout.replace(out.encode(), b"OUT")}
        for place, _, names in os.walk(out):
            for one in names:
                with open(os.path.join(place, one), "rb") as file:
                    made[os.path.relpath(os.path.join(place, one), out)] = file.read()
        return made

    def test_the_users_settings_change_nothing(self):
        rows = fixtures.everything() + [fixtures.row(scenario="größe 漢字", cell="x=1")]
        fixtures.write_folder(os.path.join(self.folder, "rows"), rows)
        plain, other = self.made("plain", dict(os.environ)), self.made("other",
                                                                       hostile(self.folder))
        self.assertIn("figures/figure5.svg", plain)
        self.assertIn("größe 漢字".encode(), plain["report.md"])
        self.assertEqual(sorted(plain), sorted(other))
        for name in plain:
            if not name.endswith((".png", ".pdf")):  # a PDF has its time in it
                self.assertEqual(plain[name], other[name], name)

    def test_a_figure_that_is_drawn_again_keeps_its_data(self):
        section = table1.build(results(fixtures.table1_rows()))
        with SVG_ONLY:
            drawn_ones = figures.draw(section.figures, self.folder,
                                      machine.provenance(results(fixtures.table1_rows())))
        self.assertEqual(drawn_ones.failed, [])
        figure = section.figures[0]
        home = written(os.path.join(self.folder, "home"), {".gnuplot": GNUPLOT})
        subprocess.run(["gnuplot", figure.name + ".gp"], cwd=self.folder, check=True, timeout=60,
                       env=dict(os.environ, HOME=home), stderr=subprocess.DEVNULL)
        with open(os.path.join(self.folder, figure.name + ".svg"), encoding="utf-8") as file:
            self.assertIsNone(drawn.problem("# Marks: 2; 2; 2 3\n", figure.data, file.read()))


@NEEDS_GNUPLOT
class Arrival(fixtures.FolderTest):
    def draw(self, change):
        """The report's figures, of data changed on its way to gnuplot."""
        found = results(fixtures.everything())
        made = report.gather(found)
        wanted = [figure for section in made.sections for figure in section.figures]
        real = figures.run_gnuplot

        def run(*arguments, folder=None):
            if folder:
                path = os.path.join(folder, arguments[-1][:-3] + ".dat")
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                draft.write(path, change(text))
            return real(*arguments, folder=folder)
        with SVG_ONLY, unittest.mock.patch.object(figures, "run_gnuplot", run):
            return wanted, figures.draw(wanted, self.folder, made.origin)

    def test_a_figure_without_its_data_is_named(self):
        wanted, made = self.draw(lambda text: text.replace(" ", ","))
        self.assertEqual(len(made.failed), len(wanted))
        self.assertEqual(made.pictures, [])
        for figure, why in zip(wanted, made.failed):
            self.assertTrue(why.startswith(figure.name + ": "), why)
        self.assertFalse([name for name in os.listdir(self.folder) if name.endswith(".svg")])

    def test_one_value_that_is_missing_is_noticed(self):
        def without_last(text):
            block, end, rest = text.partition("\n\n\n")
            return block.rpartition("\n")[0] + end + rest
        _, made = self.draw(without_last)
        self.assertIn("table3-heatmap: its data did not arrive: 33 points and bars are drawn of 34",
                      made.failed)

    def test_what_was_drawn_stays_when_drawing_fails(self):
        _, before = self.draw(lambda text: text)
        self.assertEqual(before.failed, [])
        names = sorted(os.listdir(self.folder))
        self.draw(lambda text: "")
        self.assertEqual(sorted(os.listdir(self.folder)), names)


class Drafts(unittest.TestCase):
    def test_a_file_is_replaced_whole_or_not_at_all(self):
        with tempfile.TemporaryDirectory() as folder:
            path, link = os.path.join(folder, "page"), os.path.join(folder, "link")
            os.symlink("page", link)
            draft.write(path, "one")
            os.chmod(path, 0o600)
            with unittest.mock.patch.object(os, "replace", side_effect=OSError(28, "No space")):
                with self.assertRaises(OSError) as raised:
                    draft.write(path, "two")
            self.assertEqual(raised.exception.filename, path)
            self.assertEqual((open_and_read(path), sorted(os.listdir(folder))),
                             ("one", ["link", "page"]))
            draft.write(link, "three")
            self.assertEqual(open_and_read(path), "three")
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            self.assertTrue(os.path.islink(link))


def open_and_read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
