"""Figures: with the longest names, every text lies inside its picture and over no other."""

import os
import re
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import plot_path
import figures
import fixtures
import hosts_fixtures
import link_fixtures
import report
import screens_fixtures
import test_crossing
import test_level
import test_peers
import test_scale
from rows import Results
from section_fixtures import NEEDS_GNUPLOT, SVG_ONLY

SVG = "{http://www.w3.org/2000/svg}"
FAR = dict(link_fixtures.LAN, link="lan100-rtt10", link_asked="lan100-rtt10", link_rtt_ms=10.0)
LONG = dict(fixtures.RUN, commit="c0ffee1-modified", seed=18446744073709551615, machine=dict(
    fixtures.RUN["machine"], cpu="Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz", cpus=128,
    memory_kb=1056964608, virtual="yes"), hosts=[
        dict(host, host="node-%s.cluster.example.org" % host["host"])
        for host in hosts_fixtures.recorded(40)])
SYSTEM = {"os": "Debian GNU/Linux 12 (bookworm) 6.18.44-fc-v669-amd64", "host": "a-long-name.local"}


def peers_rows():
    """All peers, which have the longest names, beside all schemes."""
    names = ("raw", "drain", "slices", "mirror", "chain", "ring", "fixed", "libuv", "libuv-slices",
             "blocking", "blocking-slices", "libevent", "libevent-slices")
    return [test_peers.row(name, speed, size=size, servers=servers) for size in (256, 100000)
            for servers in (30, 2000) for speed, name in enumerate(names, 4)]


def scale_rows():
    """All schemes over the widest range of connections."""
    return [made for scheme in ("slices", "mirror", "chain", "ring", "fixed", "drain", "raw")
            for servers in (200, 1000, 10000, 100000)
            for made in (test_scale.row(scheme, servers), test_scale.idle(scheme, servers),
                         test_scale.live(scheme, servers, rate=50000))]


def longest():
    """Rows of every experiment that has a figure: two links, two engines."""
    made = fixtures.everything()
    both = [dict(row, engine=engine) for row in made for engine in ("epoll", "uring")]
    rows = link_fixtures.on(FAR, both) + link_fixtures.on(link_fixtures.LOOPBACK, made)
    rows += [dict(row, engine=engine) for row in link_fixtures.connect_rows(1)
             + link_fixtures.wire_rows(1) for engine in ("epoll", "uring")]
    rows += peers_rows() + scale_rows() + test_crossing.apart()
    rows += [row for name in test_level.NAMES for row in test_level.flat(name)]
    rows += screens_fixtures.everything()
    # Under a scenario of their own: more places would give tables and figures more variants.
    rows += hosts_fixtures.grid(40, 3, slow=(1, 20, 0.5), scenario="scale-out")
    return [dict(row, order=order, **SYSTEM) for order, row in enumerate(rows, 1)]


class Text:
    """A text's extent in pixels, by widths a little above DejaVu Sans, the widest usual font."""

    def __init__(self, element, x, y, turned, style):
        size = float(style["font-size"])
        self.text = "".join(element.itertext())
        bold = any(part.get("font-weight") == "bold" for part in element.iter())
        sizes = [float(part.get("font-size", size)) for part in element.iter()]
        width = max(sizes) * sum(map(self.width, self.text)) * (1.12 if bold else 1)
        before = {"start": 0, "middle": width / 2, "end": width}[style.get("text-anchor", "start")]
        along, across = (-before, width - before), (-0.75 * size, 0.2 * size)
        self.x, self.y = ((x + across[0], x + across[1]), (y - along[1], y - along[0])) if turned \
            else ((x + along[0], x + along[1]), (y + across[0], y + across[1]))

    @staticmethod
    def width(char):
        if char in "iIjl.,:;'|! ()[]ft/":
            return 0.4
        return 0.98 if char in "mwMW%@" else 0.7 if char.isupper() else 0.63

    def overlaps(self, other, slack=1.5):
        return all(min(a[1], b[1]) - max(a[0], b[0]) > slack
                   for a, b in ((self.x, other.x), (self.y, other.y)))


def texts_of(root):
    """Every text of a picture by gnuplot, with the groups' places and styles."""
    found = []

    def walk(element, x, y, turned, style):
        place = re.search(r"translate\(([-\d.]+),([-\d.]+)\)", element.get("transform", ""))
        x, y = (x + float(place[1]), y + float(place[2])) if place else (x, y)
        turned = turned or "rotate(-90" in element.get("transform", "")
        style = {**style, **element.attrib}
        if element.tag == SVG + "text" and "".join(element.itertext()).strip():
            found.append(Text(element, x, y, turned, style))
        for child in element:
            walk(child, x, y, turned, style)
    walk(root, 0, 0, False, {"font-size": "12"})
    return found


def overlapping(root):
    """The pairs of texts that lie over one another."""
    texts = texts_of(root)
    return [(one.text, other.text) for i, one in enumerate(texts) for other in texts[:i]
            if one.overlaps(other)]


def drawing(rows):
    """All figures of these rows: what was wanted, how it was drawn, and the SVGs by name."""
    with tempfile.TemporaryDirectory() as folder, SVG_ONLY:
        made = report.gather(Results("made-up", rows, LONG, []))
        wanted = [figure for section in made.sections for figure in section.figures]
        drawn = figures.draw(wanted, folder, made.origin)
        return wanted, drawn, {figure.name: ElementTree.parse(os.path.join(
            folder, figure.name + ".svg")).getroot() for figure in wanted}


def problems_of(drawn):
    return [why for why in drawn.problems if "no terminal" not in why]


@NEEDS_GNUPLOT
class Extents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Draws every figure once."""
        wanted, drawn, cls.roots = drawing(longest())
        cls.problems = problems_of(drawn)
        cls.templates = {figure.template for figure in wanted}

    def test_every_figure_is_drawn(self):
        self.assertEqual(self.problems, [])
        self.assertEqual(self.templates, {
            name[:-3] for name in os.listdir(figures.HERE) if name.endswith(".gp")} - {"style"})

    def test_no_text_leaves_its_picture(self):
        for name, root in self.roots.items():
            width, height = map(float, root.get("viewBox").split()[2:])
            self.assertGreater(len(texts_of(root)), 10, name)
            outside = [text.text for text in texts_of(root) if text.x[0] < 0 or text.x[1] > width
                       or text.y[0] < 0 or text.y[1] > height]
            self.assertEqual(outside, [], name)

    def test_no_text_lies_over_another(self):
        for name, root in self.roots.items():
            self.assertEqual(overlapping(root), [], name)

    def test_nor_in_a_figure_of_few_lines(self):
        made = [row for scheme in ("fixed", "ring") for row in test_crossing.runs(
            test_crossing.TIMES[scheme], "shares-table2", "elapsed_ms", scheme=scheme)]
        for _, drawn, roots in map(drawing, (made, made[:len(made) // 2])):
            self.assertEqual(problems_of(drawn), [])
            self.assertEqual(overlapping(roots["crossing"]), [])
