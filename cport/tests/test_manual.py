"""The manual: whole, true to <cport.h>, and shown by man without complaint."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "man"))
import manual

HEADER = manual.read_header()
ITEMS = [item for section in HEADER.sections for item in section.items]
DECLARED = set(re.findall(r"\b(?:cp|CP)_\w+", " ".join(item.code for item in ITEMS)))


class Header(unittest.TestCase):
    """What the header's comments say is all that the manual has."""

    def test_every_function_is_described_under_its_name(self):
        for item in ITEMS:
            if item.functions():
                label = manual.LABEL.match(item.comment)
                named = re.findall(r"cp_\w+", label[1]) if label else []
                self.assertEqual(named, item.functions(), "its comment begins with other names")

    def test_comments_name_only_what_the_header_declares(self):
        for text in [HEADER.head, *(item.comment for item in ITEMS)]:
            named = set(re.findall(r"\b(?:cp|CP)_\w*\w\b(?!\.h)", text))
            self.assertLessEqual(named, DECLARED, text)

    def test_quoted_words_of_a_function_are_its_arguments(self):
        for item in ITEMS:
            if item.functions():
                quoted = set(re.findall(r"`(\w+)`", item.comment))
                self.assertLessEqual(quoted, set(item.parameters()), item.comment)

    def test_every_page_has_functions_or_types(self):
        for section in HEADER.sections:
            self.assertTrue(section.functions() or section.types(), section.title)


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.man3 = pathlib.Path(cls.folder.name) / "man3"
        manual.main([str(cls.man3)])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def shown(self, page):
        """The page as man shows it, in lines that are not broken."""
        if not shutil.which("man"):
            self.skipTest("no man")
        wide = {"PATH": "/usr/bin:/bin", "MANWIDTH": "1000", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["man", "--warnings", "-l", f"man3/{page}.3"], cwd=self.folder.name,
                              env=wide, capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "", page)
        return re.sub(r" +", " ", done.stdout)

    def test_every_function_leads_to_the_page_that_describes_it(self):
        for section in HEADER.sections:
            text = self.shown(section.page())
            for name in section.functions():
                link = (self.man3 / f"{name}.3").read_text()
                self.assertEqual(link, f".so man3/{section.page()}.3\n")
                self.assertRegex(text, rf"NAME\n .*\b{name}\b.* - ")
                self.assertRegex(text, rf"SYNOPSIS\n[^~]*\b{name}\(.*\n[^~]*DESCRIPTION")
                self.assertRegex(text, rf"\n (?:cp_\w+\(\), )*{name}\(\)")

    def test_a_page_explains_the_codes_that_it_names(self):
        text = self.shown("cport_operations")
        self.assertIn("ERRORS\n", text)
        self.assertIn("CP_ENOTFOUND (not-found)\n nothing to cancel: ", text)
        every = self.shown("cport_results")
        for code, (name, _) in HEADER.errors.items():
            self.assertIn(f"{code} ({name})", every)

    def test_the_first_page_has_the_law_the_pages_and_a_program(self):
        text = self.shown("cport")
        for number in range(1, 8):
            self.assertIn(f"\n {number}. ", text)
        for section in HEADER.sections:
            self.assertIn(f"\n {section.page()}(3)\n", text)
        self.assertIn("EXAMPLE\n #include <cport.h>\n", text)
        self.assertIn('fprintf(stderr, "%s\\n", why)', text)

    def test_win32s_names_have_a_page(self):
        if not pathlib.Path(manual.WIN32_FILE).exists():
            self.skipTest("no <cport/win32.h>")
        text = self.shown("cport-win32")
        self.assertIn("\n \u2022 Source-compatible, not binary", text)
        self.assertIn("--cflags --libs cport-win32)", text)

    def test_members_for_the_port_alone_are_not_shown(self):
        text = self.shown("cport_types")
        self.assertIn("int os_error;", text)
        self.assertNotIn("deadline_ns", text)
        self.assertNotIn("cp_node", text)
        self.assertNotIn("cp_address_out", text)

    def test_names_without_a_definition_stand_with_the_types(self):
        self.assertNotIn("struct cport;", self.shown("cport_version"))
        self.assertIn("struct cport;", self.shown("cport_types"))

    def test_mandoc_finds_no_error(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc")
        for page in self.man3.glob("cport*.3"):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "error", str(page)],
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, ""), page.name)


if __name__ == "__main__":
    unittest.main()
