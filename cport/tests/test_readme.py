"""cport/README.md against the code: the names of the API, and the codes of Windows and of errno."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cport/man"))
import manual

README = (ROOT / "cport/README.md").read_text()
MINGW = pathlib.Path("/usr/share/mingw-w64/include")


def errno_of_windows():
    """What base/os_windows.c has: a code of Windows -> the name of an errno value. Winsock's other
    names for Win32's codes (WSA_...) are left out."""
    source = (ROOT / "base/os_windows.c").read_text()
    table = re.search(r"\berrors\[\] = \{\n(.*?)\n\};", source, re.S)[1]
    lines = re.findall(r"\{(E\w+),\s*\{([^}]*)\}\}", table)
    return {code.replace("WSA_", "ERROR_"): error
            for error, codes in lines for code in re.findall(r"\w+", codes)}


def code_of_errno():
    """What cport/error.c has: the name of an errno value -> a portable code."""
    source = (ROOT / "cport/error.c").read_text()
    return dict(re.findall(r"\{(E\w+), (CP_E\w+)\}", source))


def rows():
    """The table of codes: portable code -> the names of its cells, each with a number or ""."""
    table = re.search(r"### Codes\n.*?\n\|---.*?\|\n(.*?)\n\n", README, re.S)[1]
    found = {}
    for line in table.split("\n"):
        cells = line.split("|")[1:-1]
        found[cells[0].strip(" `")] = [re.findall(r"`(\w+)`(?: (\d+))?", cell)
                                       for cell in cells[1:]]
    return found


class Names(unittest.TestCase):
    def test_the_page_names_only_what_the_header_declares(self):
        code = (ROOT / "cport/include/cport.h").read_text()
        declared = set(re.findall(r"\b(?:cp|CP)_\w+", re.sub(r"/\*.*?\*/", "", code, flags=re.S)))
        named = set(re.findall(r"\b(?:cp|CP)_\w*\w", README))
        self.assertEqual(named - declared, set())

    def test_links_lead_somewhere(self):
        for page in ["README.md", "README.zh.md", *(ROOT / "cport").glob("*.md")]:
            text = (ROOT / page).read_text()
            for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", text):
                self.assertTrue(((ROOT / page).parent / target).exists(), f"{page}: {target}")


class Codes(unittest.TestCase):
    def setUp(self):
        self.windows = {code: code_of_errno().get(error, "CP_EOTHER")
                        for code, error in errno_of_windows().items()}

    def test_every_code_has_a_row(self):
        self.assertEqual(list(rows()), list(manual.read_header().errors))

    def test_errno_is_as_the_port_translates_it(self):
        for code, (_, _, errors) in rows().items():
            self.assertEqual([name for name, _ in errors],
                             [error for error, to in code_of_errno().items() if to == code])

    def test_codes_of_windows_are_as_the_port_translates_them(self):
        of_calls = set()
        for code, (call, packet, _) in rows().items():
            of_calls |= {name for name, _ in call}
            for name, _ in call + packet:
                if code in self.windows.values():
                    self.assertEqual(self.windows.get(name), code, name)
                else:  # the port's own, which no system reports
                    self.assertNotIn(name, self.windows)
        known = {name for name, code in self.windows.items()
                 if name.startswith("WSA") and code != "CP_EOTHER"}
        self.assertEqual(of_calls, known)

    def test_numbers_are_windows_own(self):
        if not MINGW.is_dir():
            self.skipTest("no mingw-w64, whose headers have the numbers")
        text = (MINGW / "winerror.h").read_text()
        defined = dict(re.findall(r"^#define (\w+) (.+)$", text, flags=re.M))

        def number(name):
            return sum(map(int, re.findall(r"\d+", defined[name].replace("WSABASEERR", "10000"))))

        for call, packet, _ in rows().values():
            for name, shown in call + packet:
                self.assertEqual(int(shown), number(name), name)


if __name__ == "__main__":
    unittest.main()
