"""plot/readme.py: a page whose figures are the output of commands."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

import plot_path
import readme  # noqa: E402

PAGE = """# Page

<!-- output of: plot/say.py one 'two words' -->
old
<!-- end of output -->
between
<!-- output of: plot/say.py -->
<!-- end of output -->
"""
SCRIPT = "import sys\nprint('said', sys.argv[1:])\n"


class AFolder(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.root, self.page = made.name, os.path.join(made.name, "README.md")
        os.mkdir(os.path.join(self.root, "plot"))
        self.write("plot/say.py", SCRIPT)
        self.write("README.md", PAGE)

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self):
        with open(self.page, encoding="utf-8") as file:
            return file.read()

    def run_it(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = readme.main([self.page, "--root", self.root, *arguments])
        return code, out.getvalue(), err.getvalue()


class Renewing(AFolder):
    def test_outputs_take_the_place_of_old_ones_and_the_rest_stays(self):
        self.assertEqual(self.run_it()[0], 0)
        self.assertIn("-->\n```\nsaid ['one', 'two words']\n```\n<!-- end of output -->\nbetween\n",
                      self.read())
        self.assertNotIn("old", self.read())
        before = self.read()
        self.assertEqual(self.run_it()[1], "README.md: up to date\n")
        self.assertEqual(before, self.read())

    def test_without_a_name_every_page_is_renewed(self):
        os.mkdir(os.path.join(self.root, "docs"))
        self.write("docs/more.md", PAGE)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertEqual(readme.main(["--root", self.root]), 0)
        self.assertEqual(out.getvalue(), "README.md: renewed\ndocs/more.md: renewed\n")

    def test_check_says_what_is_stale_and_changes_nothing(self):
        code, out, err = self.run_it("--check")
        self.assertEqual((code, self.read()), (1, PAGE))
        self.assertIn("-old", out)
        self.assertIn("stale", err)
        self.run_it()
        self.assertEqual(self.run_it("--check")[0], 0)


class Wrong(AFolder):
    def complaint(self, text):
        self.write("README.md", text)
        code, _, err = self.run_it()
        self.assertEqual((code, self.read()), (1, text))
        return err

    def test_a_marker_without_its_other_half(self):
        self.assertIn("README.md:2: no `", self.complaint("a\n<!-- output of: plot/say.py -->\n"))
        self.assertIn("README.md:1: ", self.complaint("<!-- end of output -->\n"))
        self.assertIn("README.md:2: ", self.complaint("<!-- output of: plot/say.py -->\n" * 2))

    def test_only_scripts_of_the_report_are_run(self):
        for command in ("rm -r x", "plot/../x.py", "/bin/sh", "plot/say.sh", ""):
            self.assertIn("README.md:1: the command must be", self.complaint(
                "<!-- output of: %s -->\n<!-- end of output -->\n" % command))

    def test_a_command_that_fails_leaves_the_page_alone(self):
        self.write("plot/say.py", "import sys\nprint('half')\nsys.exit('no such folder')\n")
        self.assertIn("README.md:7: exit code 1: no such folder", self.complaint(PAGE))

    def test_no_page(self):
        os.remove(self.page)
        self.assertEqual(self.run_it()[0], 2)
