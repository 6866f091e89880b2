"""The page of HTML: whole in itself, sound in its structure, safe from what a record may hold."""

import html
import html.parser
import os
import re
import shutil
import subprocess
import unittest
from unittest import mock

import plot_path
import fixtures
import page
import report
import svg
from section_fixtures import NEEDS_GNUPLOT, SVG_ONLY, Folder, run
from tables import Column, Table

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
               None)
VOID = ("meta", "link", "br", "hr", "img")
HOSTILE = "<script>alert(1)</script> \"&' </style> {x}"


class Reader(html.parser.HTMLParser):
    """Every element with its attributes and its text; an end that fits no start is an error."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.wrong = [], [], []
        self.feed(text)
        self.close()
        self.wrong += ["not closed: %s" % element["tag"] for element in self.open]

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", "within": [one["tag"] for one in self.open],
                   **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1]["tag"] != tag:
            self.wrong.append("ends what is not open: %s" % tag)
        else:
            self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, **wanted):
        return [element for element in self.elements if element["tag"] == tag
                and all(element.get(key) == value for key, value in wanted.items())]


class Pages(Folder):
    def make(self, made, *more, **how):
        """Reports on these rows: (the page's text, as read)."""
        fixtures.write_folder(self.folder, made, **how)
        return self.report(*more)

    def report(self, *more):
        code, out, self.err = run(self.folder, *more)
        self.assertEqual(code, 0, self.err)
        self.assertTrue(out.endswith("Report: %s\n" % os.path.join(self.folder, "report.html")))
        text = self.read("report.html")
        return text, Reader(text)

    def check(self, text, read):
        """What holds for every page."""
        self.assertEqual(read.wrong, [])
        names = [element["id"] for element in read.elements if "id" in element]
        self.assertEqual(len(names), len(set(names)))
        for link in read.all("a"):
            self.assertTrue(link["href"].startswith("figures/") or link["href"][1:] in names, link)
        self.assertEqual(read.all("script"), [])
        self.assertNotRegex(text, r"(?i)(src|href|url\()\s*=?\s*[\"']?(https?:)?//")
        self.assertNotRegex(text, r"(?i)@import|\son\w+=")
        self.assertIn("default-src 'none'", text)


class Structure(Pages):
    made = None

    def everything(self):
        """The page of all experiments without figures, made once."""
        if Structure.made is None:
            Structure.made = self.make(fixtures.everything(), "--no-figures")
        return Structure.made

    def test_it_is_sound_and_needs_nothing_else(self):
        self.check(*self.everything())

    def test_verdicts_and_machine_come_before_the_tables(self):
        text, read = self.everything()
        order = [element["id"] for element in read.all("section")]
        self.assertEqual(order[:3], ["summary", "claims", "table-1"])
        self.assertLess(text.index("Made-up CPU"), text.index('id="summary"'))
        for wanted in ("table-2", "table-3", "order-of-runs", "reading", "provenance"):
            self.assertIn(wanted, order)
        self.assertEqual({link["href"][1:] for link in read.all("a") if "nav" in link["within"]}
                         ^ set(order), set())

    def test_every_table_scrolls_in_a_box_of_its_own_and_names_rows_and_columns(self):
        _, read = self.everything()
        self.assertGreater(len(read.all("table")), 8)
        for table in read.all("table"):
            self.assertEqual(table["within"][-2:], ["figure", "div"])
        for box in read.all("div", **{"class": "scroll"}):
            self.assertTrue(box["aria-label"] and box["tabindex"] == "0")
        self.assertTrue(all(head.get("scope") in ("row", "col", "colgroup")
                            for head in read.all("th")))

    def test_the_numbers_are_those_of_the_terminal(self):
        _, read = self.everything()
        cells = [cell["text"] for cell in read.all("td")]
        for wanted in ("78,375", "2043", "199/200", "5.21"):
            self.assertIn(wanted, cells)

    def test_provenance_is_whole(self):
        _, read = self.make(fixtures.table1_rows(2), "--no-figures", run=dict(
            fixtures.RUN, compiler="GCC 0", links={"lan100": {"status": "ok", "check": None}},
            scenarios={"table1": {"path": "x", "text": "servers = 200 # <b>"}}))
        section = read.all("section", id="provenance")[0]["text"]
        for wanted in ("c0ffee1", "42", "made_up.conf", "GCC 0", "servers = 200 # <b>",
                       "links.lan100.status: ok"):
            self.assertIn(wanted, section)

    def test_a_page_of_one_row(self):
        text, read = self.make([fixtures.table1_rows(1)[0]], "--no-figures")
        self.check(text, read)
        missing = read.all("section", id="not-run")[0]["text"]
        for wanted in ("Table 2. Large data", "no row of scenario table3", "no cell has two runs"):
            self.assertIn(wanted, missing)
        self.assertFalse(read.all("section", id="table-2"))
        self.assertEqual({link["href"] for link in read.all("a") if link["text"] == "Table 2"},
                         {"#not-run"})

    def test_no_record_of_the_run(self):
        fixtures.write_folder(self.folder, fixtures.table1_rows(2))
        os.remove(os.path.join(self.folder, "run.json"))
        text, read = self.report("--no-figures")
        self.check(text, read)
        self.assertIn("not on record", text)

    def test_a_record_of_strange_types(self):
        for run in ({"scenarios": [1], "machine": 7, "links": "x", "seed": {}},
                    {"scenarios": {"a": 1, "b": {"text": 2}}, "actual_s": "soon",
                     "started_utc": 5, "machine": {"cpus": [], "load1": {}}}):
            self.check(*self.make(fixtures.table1_rows(2), "--no-figures", run=run))

    def test_hostile_texts_stay_texts(self):
        record = dict(fixtures.RUN, commit=HOSTILE, command_line=HOSTILE, seed=HOSTILE,
                      machine={"cpu": HOSTILE, HOSTILE: HOSTILE},
                      scenarios={HOSTILE: {"text": HOSTILE}})
        made = fixtures.table1_rows(2) + fixtures.table2_rows(2) + fixtures.spec_rows()
        for row in made:
            row.update(host=HOSTILE, os=HOSTILE)
        made.append(fixtures.row(status="failed", reason=HOSTILE, cell=HOSTILE))
        text, read = self.make(made, "--no-figures", run=record)
        self.check(text, read)
        self.assertIn(HOSTILE, read.all("section", id="provenance")[0]["text"])

    def test_what_does_not_count_is_listed(self):
        made = fixtures.table1_rows(2)
        made[0].update(status="failed", reason="2 connections reset")
        _, read = self.make(made, "--no-figures", tail=b"{torn")
        self.assertIn("2 connections reset", read.all("section", id="excluded")[0]["text"])
        self.assertIn("torn", read.all("section", id="problems")[0]["text"])

    def test_without_gnuplot_it_says_so_once(self):
        fixtures.write_folder(self.folder, fixtures.table2_rows(2))
        with mock.patch.dict(os.environ, PATH=self.folder):
            text, read = self.report()
        self.check(text, read)
        self.assertEqual(text.count("gnuplot is not installed"), 1)
        self.assertEqual(read.all("svg"), [])


class Words(unittest.TestCase):
    def test_signs_of_print(self):
        for text, wanted in (("28.6..33.8", "28.6–33.8"), ("Min..max", "Min–max"),
                             ("0.516x", "0.516×"), ("time -14.4 %", "time −14.4\u00a0%"),
                             ("-3..+5", "−3 to +5"), ("W=6 C=4", "W=6 C=4"),
                             ("2026-11-22", "2026-11-22"), ("a<b>&\"c", "a&lt;b&gt;&amp;&quot;c"),
                             ("0x10", "0x10"), ("closed-loop", "closed-loop")):
            self.assertEqual(page.words(text), wanted)

    def test_cells(self):
        links = {"Table 2": "table-2"}
        self.assertEqual(page.cell("Table 2", links), '<a href="#table-2">Table 2</a>')
        self.assertEqual(page.cell("Table 3", links), "Table 3")
        self.assertIn('class="verdict untested"', page.cell("not tested", links))
        self.assertEqual(page.cell("-", links), '<span class="none">–</span>')

    def test_a_caption_does_not_repeat_the_sections_title(self):
        section = report.order.Section("Table 2. Large data", [], [])
        for title, wanted in (
                ("Table 2. Large data", ""),
                ("Table 2. Large data (lan: 5 ms)", "lan: 5\u00a0ms"),
                ("Table 2. Large data (lan), read (all)", "lan. Read (all)"),
                ("Table 2. Large data, read as one", "Read as one"),
                ("Something else", "Something else")):
            self.assertEqual(page.caption(Table(title, (), []), section),
                             "<figcaption>%s</figcaption>" % wanted if wanted else "")

    def test_groups_of_columns(self):
        columns = (Column("a", left=True), Column("b", "g"), Column("c", "g"), Column("d"))
        read = Reader(page.table_heads(columns))
        self.assertEqual([(head["text"], head.get("colspan"), head.get("rowspan"))
                          for head in read.all("th")],
                         [("a", None, "2"), ("g", "2", None), ("d", None, "2"), ("b", None, None),
                          ("c", None, None)])

    def test_a_line_between_blocks_is_a_body_of_its_own(self):
        table = Table("t", (Column("a"),), [["1"], None, ["2"]])
        section = report.order.Section("s", [], [])
        self.assertEqual(page.table_html(table, section, {}).count("<tbody>"), 2)

    def test_a_row_of_one_cell_heads_all_columns(self):
        read = Reader(page.table_row(["30 servers"], (Column("a"), Column("b")), {}, False))
        self.assertEqual(read.all("th")[0]["colspan"], "2")


class Colours(unittest.TestCase):
    def blocks(self):
        """The variables of the light and of the dark."""
        with open(page.CSS, encoding="utf-8") as file:
            light, dark = file.read().split("@media screen and (prefers-color-scheme: dark)")
        dark = dark[:dark.index("\n}")]
        return [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block)) for block in (light, dark)]

    def test_every_colour_of_the_figures_has_its_two_values(self):
        light, dark = self.blocks()
        self.assertGreater(len(svg.palette()), 15)
        for name, value in svg.palette().items():
            self.assertEqual(light.get(name), value, name)
            self.assertIn(name, dark)

    def test_whatever_is_light_has_its_dark(self):
        light, dark = self.blocks()
        self.assertEqual(set(light), set(dark))

    def contrast(self, one, other):
        def luminance(text):
            parts = [part / 255 for part in svg.colour(text)]
            linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
                      for part in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        high, low = sorted((luminance(one), luminance(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    def test_text_can_be_read_on_its_ground(self):
        for values in self.blocks():
            for name in ("ink", "muted", "link", "paper-ink", "ours", "other"):
                self.assertGreaterEqual(self.contrast(values[name], values["back"]), 4.5, name)
            for name in ("confirmed", "contradicted", "inconclusive", "untested"):
                self.assertGreaterEqual(
                    self.contrast(values[name], values[name + "-back"]), 4.5, name)


class Inline(unittest.TestCase):
    SVG = ('<?xml version="1.0"?><svg width="9" height="9" viewBox="0 0 960 100" '
           'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
           "<title>T</title><desc>Produced by GNUPLOT 5.4 patchlevel 4 origin</desc>%s</svg>")

    def test_known_colours_become_variables_and_others_stay(self):
        made = svg.inline(self.SVG % '<path id="a" stroke="rgb(  0, 114, 178)" fill="#123456"/>'
                          '<text fill="black" style="x:y">w</text>', "f", "")
        self.assertIn("stroke:var(--ours)", made)
        self.assertIn('fill="#123456"', made)
        self.assertIn('style="x:y;fill:var(--ink)"', made)

    def test_names_are_the_figures_own(self):
        made = svg.inline(self.SVG % '<g id="p"><path/></g><use xlink:href="#p"/>'
                          '<path clip-path="url(#p)"/>', "f", "What it shows.")
        for wanted in ('id="f-p"', 'href="#f-p"', "url(#f-p)", 'aria-labelledby="f-title f-desc"',
                       "What it shows. origin", 'role="img"'):
            self.assertIn(wanted, made)
        self.assertNotIn("GNUPLOT", made)
        self.assertNotIn('width="9"', made)

    def test_a_script_does_not_come_in(self):
        self.assertNotIn("alert", svg.inline(
            self.SVG % "<g><script>alert(1)</script></g>", "f", ""))

    def test_what_is_no_picture(self):
        for text in ("", "<svg", "<html/>", '<svg xmlns="http://www.w3.org/2000/svg"/>'):
            with self.assertRaises(ValueError):
                svg.inline(text, "f", "")


@NEEDS_GNUPLOT
class Pictures(Pages):
    def test_every_picture_is_an_image_with_a_text_and_its_origin(self):
        text, read = self.make(fixtures.everything())
        self.assertEqual(self.err, "")
        self.check(text, read)
        self.assertGreaterEqual(len(read.all("svg")), 5)
        texts = {element.get("id"): element["text"] for element in read.elements}
        for picture in read.all("svg"):
            self.assertEqual(picture["role"], "img")
            title, desc = picture["aria-labelledby"].split()
            self.assertTrue(texts[title])
            for wanted in ("c0ffee1", "seed 42", "Made-up CPU", "made_up.conf"):
                self.assertIn(wanted, texts[desc])
        self.assertIn("6 workers: paper 2043, here", texts["figure5-desc"])
        self.assertRegex(texts["table2-desc"], r"chain \S+ ms, \S+ MB, threads 1 \(paper 3365")
        self.assertIn("best 5.21 MB/s at W=6 C=4", texts["table3-heatmap-desc"])
        self.assertTrue(all("role" in element for element in read.all("svg")))
        for word in ("rgb(0,114,178)", "rgb(  0, 114, 178)", "rgb(31,41,51)"):
            self.assertNotIn(word, text)
        self.files_are_there(read)

    def files_are_there(self, read):
        """Beside the page: each figure's five."""
        files = [link["href"] for link in read.all("a") if link["href"].startswith("figures/")]
        self.assertGreaterEqual(len(files), 5 * 5)
        for name in files:
            self.assertTrue(os.path.getsize(os.path.join(self.folder, name)), name)

    def test_a_hostile_record_in_pictures(self):
        record = dict(fixtures.RUN, commit=HOSTILE, command_line=HOSTILE,
                      machine={"cpu": HOSTILE, "cpus": 2})
        with SVG_ONLY:
            self.check(*self.make(fixtures.table1_rows(), run=record))

    def test_a_gnuplot_without_pdf_says_so_and_draws_the_rest(self):
        place = os.path.join(self.folder, "bin")
        os.makedirs(place)
        with open(os.path.join(place, "gnuplot"), "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\n[ "$1" = -e ] && echo "svg pngcairo" && exit\nexec %s "$@"\n'
                       % shutil.which("gnuplot"))
        os.chmod(os.path.join(place, "gnuplot"), 0o755)
        with mock.patch.dict(os.environ, PATH=place + os.pathsep + os.environ["PATH"]):
            _, read = self.make(fixtures.table1_rows())
        self.assertIn("no terminal pdfcairo, so there are no figures as PDF", self.err)
        self.assertTrue(read.all("svg"))
        self.assertFalse(any(link["href"].endswith(".pdf") for link in read.all("a")))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "figures", "figure5.pdf")))


@NEEDS_GNUPLOT
@unittest.skipUnless(BROWSER, "no chromium (.ci/deps browser installs it)")
class Rendered(Pages):
    # A window has a least width, a frame has not; a frame by srcdoc lets its page look in.
    FRAME = """<iframe style="width:%dpx;border:0" srcdoc="%s" onload="const page =
        this.contentWindow; document.title += ' ' + [page.innerWidth,
        page.document.documentElement.scrollWidth, page.document.querySelectorAll('table').length,
        page.performance.getEntriesByType('resource').length].join(',')"></iframe>"""

    def measured(self, *shown):
        """Of each (text, width): (width of the screen, of the page, tables, what was fetched)."""
        path = os.path.join(self.folder, "probe.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write("<!DOCTYPE html><title></title>" + "".join(
                self.FRAME % (width, html.escape(text)) for text, width in shown))
        ran = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking",
             "--user-data-dir=" + os.path.join(self.folder, "browser"), "--window-size=1400,800",
             "--dump-dom", "file://" + path],
            capture_output=True, text=True, timeout=300, check=True)
        return sorted(tuple(map(int, one.split(","))) for one in re.search(
            r"<title>([\d ,]+)</title>", ran.stdout)[1].split())

    def test_no_screen_is_too_narrow_and_nothing_is_fetched(self):
        with SVG_ONLY:
            text, read = self.make(fixtures.table1_rows(2) + fixtures.table2_rows(2)
                                   + fixtures.table3_rows(2))
        tables = len(read.all("table"))
        too_wide = '<!DOCTYPE html><table></table><div style="width:700px">x</div>'
        seen, narrow, wide = self.measured((too_wide, 350), (text, 360), (text, 1280))
        self.assertEqual((narrow, wide), ((360, 360, tables, 0), (1280, 1280, tables, 0)))
        self.assertEqual(seen[0], 350)
        self.assertGreaterEqual(seen[1], 700)  # the measure sees what is too wide
