"""Links: names, rows that fell back, and the time that a wire takes of itself."""

import unittest

import plot_path
import fixtures
import link_fixtures
import links
import stats


def row(link, **changes):
    return dict(fixtures.row(**changes), **link)


class Names(unittest.TestCase):
    def test_a_link_is_described_by_what_was_asked_of_it(self):
        self.assertEqual(links.describe(row(link_fixtures.LAN)),
                         "lan100: 100 Mbit/s, round trip 0.5 ms")
        self.assertEqual(links.describe(row(link_fixtures.GIGABIT)),
                         "lan1000: 1 Gbit/s, round trip 0.5 ms")
        self.assertEqual(links.describe(row(link_fixtures.LOOPBACK)), "loopback")

    def test_a_row_that_names_no_link_ran_on_loopback(self):
        made = fixtures.row()
        for key in link_fixtures.LOOPBACK:
            made.pop(key, None)
        self.assertEqual(links.link_of(made), "loopback")
        self.assertFalse(links.fell_back(made))

    def test_a_link_without_a_limit(self):
        free = dict(link_fixtures.LAN, link="free", link_rate_bits_per_s=None, link_rtt_ms=None)
        self.assertEqual(links.describe(row(free)), "free: no rate limit")

    def test_the_slowest_comes_first_and_loopback_last(self):
        made = [row(link) for link in (link_fixtures.LOOPBACK, link_fixtures.GIGABIT,
                                       link_fixtures.LAN)]
        self.assertEqual([name for name, _ in links.by_link(made)],
                         ["lan100", "lan1000", "loopback"])

    def test_loopback_alone_needs_no_label(self):
        plain, lan = [row(link_fixtures.LOOPBACK)], [row(link_fixtures.LAN)]
        self.assertEqual(links.label_of(plain, plain), ("", ""))
        self.assertEqual(links.label_of(plain, plain + lan), ("loopback", "loopback"))
        self.assertEqual(links.label_of(lan, lan)[1], "lan100")


class Fallback(unittest.TestCase):
    def test_it_is_counted_with_its_reason(self):
        made = [row(link_fixtures.FALLBACK), row(link_fixtures.LOOPBACK)]
        self.assertEqual(links.fallback_notes(made), [
            "1 of 2 rows were meant for lan100 and fell back to loopback: no user namespaces "
            "here."])

    def test_a_row_where_it_should_be_is_no_fallback(self):
        self.assertEqual(links.fallback_notes([row(link_fixtures.LAN)]), [])


class Wire(unittest.TestCase):
    def test_the_papers_table_2_takes_3186_ms_of_wire(self):
        self.assertAlmostEqual(links.wire_ms(30 * 1250000, 100e6), 3186.46, places=1)

    def test_one_full_frame(self):
        self.assertAlmostEqual(links.wire_ms(1448, 1538 * 8), 1000)

    def test_only_a_rated_link_has_a_least(self):
        made = [row(link_fixtures.LAN, bytes=1448000, elapsed_ms=246.08),
                row(link_fixtures.LOOPBACK, bytes=1448000, elapsed_ms=246.08)]
        self.assertEqual(["%.3f" % times for times in links.times_of_wire(made)], ["2.000"])

    def test_a_thousandth_of_the_wire_can_be_told_apart(self):
        self.assertEqual(links.times_texts(stats.spread([1.0008, 1.0012])),
                         ("1.001x", "1.001"))
        self.assertEqual(links.times_texts(stats.spread([1.0, 1.1])), ("1.050x", "1.000..1.100"))
        self.assertEqual(links.times_texts(stats.spread([5.0, 6.0])), ("5.50x", "5.00..6.00"))
        self.assertEqual(links.times_texts(None), ("-", "-"))

    def test_what_was_not_measured_is_left_out(self):
        made = row(link_fixtures.LAN, elapsed_ms=None, bytes=0)
        self.assertEqual(links.times_of_wire([made]), [])
