"""The lines of the bench's table, from made-up rows and link checks."""

import json
import os

import plot_path
import bench
import bench_lines
import fixtures
from rows import Results

NOT_MEASURED = ["not", "measured"]


def row(section, scheme="slices", **changes):
    """A sound row of the bench."""
    client = bench_lines.clients_of({"scheme": scheme})[0]
    return fixtures.row(**{"scenario": "bench", "section": section, "scheme": scheme,
                           "client": client, **changes})


def frames(scheme, per_cpu_s, repeat=1, section="peers-256"):
    """A row that processed so many frames in each CPU second."""
    return row(section, scheme, frames=2 * per_cpu_s, cpu_s=2.0, repeat=repeat)


def absent(client, section="peers-256"):
    """What the sweep writes for a program that cannot run here: no key of a client's."""
    whole = row(section, "chain", client=client, status="skipped", audit="none: it was not run",
                reason=client + ": built without its library")
    return {key: whole[key] for key in
            "schema scenario section cell label client repeat order time_utc fleet link link_asked "
            "link_options link_reason link_rate_bits_per_s link_rtt_ms link_cpu_s status audit "
            "reason exit_code".split()}


class Table(fixtures.FolderTest):
    def lines(self, rows=()):
        """The printed lines, and whether one was missed."""
        made = bench_lines.bench_of(Results(self.folder, list(rows), {}, []))
        found = [bench_lines.text_of(line, made) for line in bench_lines.LINES]
        return [text for text, _ in found], any(bench_lines.is_missed(word) for _, word in found)

    def line(self, section, of, rows=()):
        """The words of the one line of a section that has this text."""
        found = [one for one in self.lines(rows)[0] if one.startswith(section + " ") and of in one]
        self.assertEqual(len(found), 1, found)
        return found[0].split()


class Libraries(Table):
    def test_the_best_is_taken_block_by_block(self):
        rows = [frames("slices", 3000, 1), frames("libuv", 1000, 1), frames("libevent", 1500, 1),
                frames("slices", 3000, 2), frames("libuv", 2000, 2), frames("libevent", 500, 2)]
        words = self.line("peers-256", "slices / best library", rows)
        self.assertEqual(words[-6:], ["1.75", "1.50..2.00", "2", ">=", "1.30", "reached"])

    def test_the_ceiling_is_the_raw_loop(self):
        rows = [row("peers-256", scheme, gb_per_cpu_s=speed) for scheme, speed in
                (("raw", 3.0), ("slices", 2.0), ("libuv", 1.5), ("libuv-slices", 2.0))]
        self.assertEqual(self.line("peers-256", "raw / best of both", rows)[-3:],
                         ["1.50", "1.50..1.50", "1"])

    def test_large_frames_have_bounds_of_their_own(self):
        for fast, word in ((1.2, "reached"), (0.8, "MISSED")):
            rows = [row("peers-100k", scheme, frames=fps * speed, cpu_s=1.0, gb_per_cpu_s=fps)
                    for speed in (100,) for scheme, fps in (
                        ("slices", 30 * fast), ("mirror", 20 * fast), ("chain", 10 * fast),
                        ("raw", 30), ("raw-copy", 10), ("libuv", 15), ("blocking", 16),
                        ("libuv-slices", 20), ("blocking-slices", 28))]
            for of in ("slices / best, in pieces", "best, whole / best peer",
                       "slices / raw", "chain / raw-copy"):
                self.assertEqual(self.line("peers-100k", of, rows)[-1], word, of)
            self.assertEqual(self.line("peers-100k", "raw-copy / raw", rows)[-3:],
                             ["0.33", "0.33..0.33", "1"])

    def test_frames_in_pieces_are_another_form(self):
        rows = [frames("slices", 3000), frames("libuv", 1000), frames("libevent-slices", 2500)]
        for of, value in (("best library", "3.00"), ("best, in pieces", "1.20")):
            self.assertEqual(self.line("peers-256", "slices / " + of, rows)[-6], value)
        self.assertEqual(self.line("peers-256", "slices / libevent-slices", rows)[-3:],
                         ["1.20", "1.20..1.20", "1"])

    def test_one_library_is_enough_and_the_other_is_named(self):
        rows = [frames("slices", 3000), frames("libuv", 1000), absent("fanin-peer-libevent")]
        words = self.line("peers-256", "slices / best library", rows)
        self.assertEqual(words[-3:], ["reached,", "without", "fanin-peer-libevent"])
        words = " ".join(self.line("peers-256", "slices / libevent ", rows))
        self.assertIn("- 0 skipped: fanin-peer-libevent: built without its library", words)

    def test_without_both_it_is_skipped_and_not_missed(self):
        rows = [frames("slices", 3000), absent("fanin-peer-libevent"), absent("fanin-peer-libuv")]
        words = " ".join(self.line("peers-256", "slices / best library", rows))
        self.assertIn(">= 1.30 skipped: fanin-peer-lib", words)

    def test_skips_of_another_section_do_not_count(self):
        rows = [frames("slices", 3000), absent("fanin-peer-libuv", "peers-100k")]
        self.assertEqual(self.line("peers-256", "slices / libuv ", rows)[-2:], NOT_MEASURED)


class Ratios(Table):
    def test_caps_may_differ_neither_way(self):
        for small, word in ((1.0, "reached"), (1.04, "reached"), (1.06, "MISSED"),
                            (0.94, "MISSED")):
            rows = [row("slices-cap", pool_cap_bytes=cap, gb_per_cpu_s=speed)
                    for cap, speed in ((10 ** 6, small), (10 ** 9, 1.0))]
            self.assertEqual(self.line("slices-cap", "cap 1 MB / cap 1000 MB", rows)[-1], word)

    def test_a_tail_that_grows_by_more_than_twice_is_missed(self):
        for p99, word in ((1900.0, "reached"), (2100.0, "MISSED")):
            rows = [row("flood", flood_frames=400000, latency_us_p99=p99),
                    row("flood", flood_frames=0, latency_us_p99=1000.0)]
            self.assertEqual(self.line("flood", "slices flooded / slices alone", rows)[-1], word)

    def test_clocks_that_differ_are_the_reason(self):
        rows = [row("flood", flood_frames=count, latency_us_p99=None, latency_reason="clocks")
                for count in (400000, 0)]
        self.assertEqual(self.line("flood", "slices flooded / slices alone", rows)[-2:],
                         ["skipped:", "clocks"])

    def test_rows_without_sound_audit_do_not_count(self):
        rows = [dict(frames("slices", 3000), audit="fail: lost"), frames("libuv", 1000)]
        self.assertEqual(self.line("peers-256", "slices / libuv ", rows)[-2:], NOT_MEASURED)


class PerRow(Table):
    def sound(self, section="slices", **changes):
        """A row that keeps every bound, with these keys changed."""
        return row(section, **{"copies_per_byte": 0.0, "scanned_per_byte": 1.0,
                               "receive_calls": 1000, "receive_empty": 10, "bytes": 100000000,
                               "frames": 10000, "hand_overs": 1000, **changes})

    def test_median_range_and_count(self):
        rows = [self.sound(copies_per_byte=share) for share in (0.0, 0.004, 0.0001)]
        self.assertEqual(self.line("slices", "copies", rows)[-6:],
                         ["0.000", "0.000..0.004", "3", "<=", "0.001", "reached"])

    def test_each_bound_can_be_missed(self):
        missed = self.sound(copies_per_byte=1.0, scanned_per_byte=1.02, receive_calls=4000,
                            receive_empty=400)
        for figure in ("copies", "scanned", "failed reads", "receives per 100 kB"):
            self.assertEqual(self.line("slices", figure, [missed])[-1], "MISSED", figure)
            self.assertEqual(self.line("slices", figure, [self.sound()])[-1], "reached", figure)
        words = self.line("slices-256", "publications", [self.sound("slices-256", hand_overs=5000)])
        self.assertEqual((words[-6], words[-1]), ("0.500", "MISSED"))

    def test_a_scheme_that_could_not_run_is_not_missed(self):
        rows = [row("slices-10k", status="skipped", reason="too few descriptors")]
        for figure in ("receives per", "failed reads"):
            self.assertTrue(" ".join(self.line("slices-10k", figure, rows))
                            .endswith("skipped: too few descriptors"))
        self.assertEqual(self.line("slices-10k", "failed reads")[-2:], NOT_MEASURED)


class Connects(Table):
    def test_they_are_set_against_the_raw_loop_by_cpu_time(self):
        rows = [row("connect", scheme, connected=count, connect_cpu_s=cpu_s, repeat=repeat)
                for repeat, scheme, count, cpu_s in (
                    (1, "chain", 100, 0.004), (1, "raw", 200, 0.004),
                    (2, "chain", 200, 0.0), (2, "raw", 200, 0.004))]
        self.assertEqual(self.line("connect", "chain / ", rows)[-3:], ["0.50", "0.50..0.50", "1"])


class ByConnections(Table):
    def grown(self, many, few=8.0, scheme="slices", repeat=1):
        """Two rows of a block, with so many GB per CPU second."""
        return [row("each", scheme, servers=servers, connected=servers, gb_per_cpu_s=speed,
                    repeat=repeat) for servers, speed in ((200, few), (19500, many))]

    def waiting(self, kb_many, scheme="slices", kb_few=3000):
        """Two rows of a block, with so many kB resident when all connections wait."""
        return [row("idle", scheme, servers=servers, connected=servers, ready_rss_kb=kb)
                for servers, kb in ((1000, kb_few), (19500, kb_many))]

    def test_the_loss_of_speed(self):
        rows = self.grown(6.4) + self.grown(4.0, repeat=2) + self.grown(7.2, repeat=3)
        self.assertEqual(self.line("each", "CPU second  slices", rows)[-9:],
                         ["19500", "/", "200", "0.80", "0.50..0.90", "3", ">=", "0.80", "reached"])
        self.assertEqual(self.line("each", "CPU second  slices", self.grown(6.3))[-1], "MISSED")
        self.assertEqual(self.line("each", "CPU second  raw", self.grown(2.0, scheme="raw"))[-3:],
                         ["0.25", "0.25..0.25", "1"])

    def test_the_most_connections_are_made_at_a_rate(self):
        def found(connect_ms):
            rows = [dict(one, connect_ms=connect_ms) for one in self.grown(6.4)]
            return self.line("each", "second         slices", rows)
        self.assertEqual(found(975)[-8:], ["slices,", "19500", "20000", "20000..20000", "1", ">=",
                                           "20000", "reached"])
        self.assertEqual(found(976)[-1], "MISSED")

    def test_the_memory_of_a_connection(self):
        kb = 3000 + 18500 * 400 // 1024
        self.assertEqual(self.line("idle", " slices", self.waiting(kb))[-6:],
                         ["400", "400..400", "1", "<=", "400", "reached"])
        self.assertEqual(self.line("idle", " chain", self.waiting(kb + 20, "chain"))[-1], "MISSED")

    def test_one_size_alone_says_nothing(self):
        self.assertEqual(self.line("each", "CPU second  slices", self.grown(6.0)[:1])[-2:],
                         NOT_MEASURED)
        self.assertEqual(self.line("idle", " slices", self.waiting(9000)[1:])[-2:], NOT_MEASURED)

    def test_a_limit_that_is_too_low_is_the_reason(self):
        rows = [self.grown(6.0)[0], row("each", servers=19500, connected=19500, status="skipped",
                                        reason="too few descriptors")]
        self.assertTrue(" ".join(self.line("each", "CPU second  slices", rows))
                        .endswith("skipped: too few descriptors"))


def check(share, up, down, asked=100e6):
    """What fanin-lan --check writes, as far as the bench reads it."""
    return {"check": "link", "status": "ok", "link": "tun", "link_cpu_share": share,
            "up": {"rate_asked_bits_per_s": asked, "both_ways_bits_per_s": up},
            "down": {"rate_asked_bits_per_s": asked, "both_ways_bits_per_s": down}}


class Links(Table):
    def write(self, name, *found, said=""):
        text = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in found)
        for ending, content in (("jsonl", text), ("txt", said)):
            path = os.path.join(self.folder, "link-%s.%s" % (name, ending))
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)

    def test_median_range_and_count(self):
        self.write("rated", *(check(share, 100e6, 100e6) for share in (0.11, 0.14, 0.10)))
        self.assertEqual(self.line("link", "share")[-6:],
                         ["0.11", "0.10..0.14", "3", "<", "0.15", "reached"])

    def test_a_link_that_carries_half_is_not_called_cheap(self):
        self.write("rated", check(0.1, 50e6, 50e6))
        self.assertEqual(self.line("link", "share")[-6:],
                         ["0.20", "0.20..0.20", "1", "<", "0.15", "MISSED"])

    def test_the_rate_is_that_of_both_ways(self):
        for up, down, words in ((3e9, 4e9, ["7.00", "7.00..7.00", "1", ">=", "1.00", "reached"]),
                                (3e8, 4e8, ["0.70", "0.70..0.70", "1", ">=", "1.00", "MISSED"])):
            self.write("unlimited", check(0.6, up, down, asked=0))
            self.assertEqual(self.line("link", "Gbit/s")[-6:], words)

    def test_a_machine_that_cannot_says_why(self):
        self.write("rated", said="fanin-lan: a word before\nnoise\nfanin-lan: no namespaces here\n")
        self.assertIn("skipped: no namespaces here", " ".join(self.line("link", "share")))
        self.assertEqual(self.line("link", "Gbit/s")[-2:], NOT_MEASURED)

    def test_lines_that_hold_no_check_are_left_out(self):
        whole = check(0.1, 100e6, 100e6)
        self.write("rated", "torn{\n", "[]\n", "null\n", {"check": "link"},
                   dict(whole, link_cpu_share=0), dict(whole, up=3), dict(whole, check="x"), whole)
        self.assertEqual(self.line("link", "share")[-4:-3], ["1"])


def echoed(server, messages, repeat=0, load="echo-100"):
    """What bench_echo writes for one measurement."""
    return {"load": load, "server": server, "repeat": repeat, "messages": messages,
            "seconds": 0.1, "server_cpu_s": 0.05}


class Echo(Table):
    def write(self, *found):
        with open(os.path.join(self.folder, "echo.jsonl"), "w", encoding="utf-8") as file:
            for one in found:
                file.write(one if isinstance(one, str) else json.dumps(one) + "\n")

    def test_a_ratio_is_taken_repeat_by_repeat(self):
        self.write(echoed("cport", 3000, 0), echoed("libuv", 2000, 0), echoed("libuv", 5000, 1),
                   echoed("cport", 5500, 1), echoed("cport", 9000, 2),
                   echoed("cport", 1, 0, "echo-1"))
        self.assertEqual(self.line("echo-100", "cport / libuv")[-6:],
                         ["1.30", "1.10..1.50", "2", ">=", "1.00", "reached"])

    def test_processor_time_is_the_servers(self):
        self.write(echoed("cport", 1000), dict(echoed("bare", 1000), server_cpu_s=0.04))
        self.assertEqual(self.line("echo-100", "cport / bare")[-6:],
                         ["0.80", "0.80..0.80", "1", ">=", "0.90", "MISSED"])

    def test_a_missing_library_is_no_miss(self):
        self.write(echoed("cport 4/2", 1000),
                   {"server": "asio 4", "skipped": "libasio-dev is not installed"})
        words = " ".join(self.line("echo-100", "cport 4/2 / asio 4"))
        self.assertIn("- 0 >= 1.20 skipped: asio 4: libasio-dev is not installed", words)
        self.assertEqual(self.line("echo-100", "cport / libuv")[-2:], NOT_MEASURED)

    def test_lines_that_hold_no_measurement_are_left_out(self):
        bare, whole = echoed("bare", 1000), echoed("cport", 1000)
        later = dict(whole, repeat=1)
        self.write("torn{\n", "[]\n", "null\n", {"load": "echo-100"}, dict(later, messages=0),
                   dict(whole, repeat="0"), dict(later, server_cpu_s=None),
                   dict(bare, repeat="0"), dict(later, server_cpu_s=0), whole, bare,
                   dict(bare, repeat=1))
        self.assertEqual(self.line("echo-100", "cport / bare")[-5:-3], ["1.00..1.00", "1"])


class Command(Table):
    def run_bench(self, rows, *arguments):
        fixtures.write_folder(self.folder, rows)
        code, out, _ = fixtures.run_main(bench.main, self.folder, *arguments)
        return code, out.splitlines()

    def test_medians_name_libraries_without_their_versions(self):
        code, out = self.run_bench([dict(frames("libuv", 1000), engine="libuv 1.2.3")])
        self.assertEqual(code, 0)
        self.assertEqual(out[1].split()[:4], ["peers-256", "libuv", "libuv", "6"])

    def test_columns_stand_under_their_heads(self):
        _, out = self.run_bench([frames("slices", 3000), frames("libuv", 1000)])
        for text in out[out.index(bench_lines.HEAD) + 1:]:
            of, number = bench_lines.HEAD.index("ratio of"), bench_lines.HEAD.index("n  target")
            self.assertEqual(text[of - 1], " ", text)
            self.assertTrue(text[number].isdecimal(), text)

    def test_require_fails_on_a_missed_target(self):
        rows = [frames("slices", 1000), frames("libuv", 1000)]
        self.assertEqual(self.run_bench(rows)[0], 0)
        self.assertEqual(self.run_bench(rows, "--require")[0], 1)
