"""Made-up rows of screens: paper B's case, many screens, viewers beside each other."""

import random

import fixtures
import link_fixtures
from schema import SCREEN_KEYS, SWEEP_KEYS

OWN = {key.name: fixtures.row()[key.name] for key in SWEEP_KEYS}
LAN = {**link_fixtures.LAN, "link_rate_bits_per_s": 100e6}
NO_EYE = {key.name: None for key in SCREEN_KEYS if key.writer == "EYE"}


def row(**changes):
    """One valid row of the eye's, with these keys changed."""
    made = dict(OWN, **{key.name: None if key.null else fixtures.OTHERS.get(key.kind, "")
                        for key in SCREEN_KEYS})
    made.update({
        "scenario": "paperb", "section": "type", "cell": "", "client": "fanin-eye",
        "fleet": "connect=near scene=type", "version": "c0ffee1", "host": "made-up",
        "os": "Linux 0.0-made-up", "status": "ok", "audit": "pass", "viewer": "monitor",
        "engine": "epoll", "gate": "user", "workers": 4, "concurrency": 2, "screens": 7,
        "topology": "accept", "accepts": "thread", "view": "windows", "control": False,
        "encodings": "tight,copyrect", "quality": 8, "ahead": 1, "security": "none",
        "for_ms": 3000, "screens_connected": 7, "accept_ms": 12.0,
        "pictures_ms": 30.0, "screens_lost": {},
        "elapsed_ms": 3000.0, "updates": 600, "updates_per_s": 200.0, "rectangles": 900,
        "bytes": 3000000, "mbit_per_s": 8.0, "bits_per_pixel": 2.0, "stamps": 600,
        "decoded_ms_p50": 1.0, "decoded_ms_p95": 3.0, "decoded_ms_p99": 5.0,
        "decoded_ms_max": 9.0, "decoded_worst_p95_ms": 4.0, "cpu_s": 0.2,
        "cpu_us_per_update": 300.0, "peak_rss_kb": 40000, "worker_threads": 4, "total_threads": 7,
        "eye_screens": 7, "eye_stamps": 590, "screen_ms_p50": 2.0,
        "screen_ms_p95": 6.0, "screen_ms_p99": 9.0, "screen_ms_max": 20.0,
        "worst_screen_p95_ms": 8.0, "eye_floor_ms_p50": 0.2, "eye_floor_ms_p95": 0.4,
        "keys_sent": 0, "keys_seen": 0, "paused_ms": 0.0})
    made.update(changes)
    return made


def delay(worst):
    """The keys of a run whose worst screen has this p95."""
    return {"screen_ms_p50": worst / 4, "screen_ms_p95": worst * 0.8, "screen_ms_p99": worst * 1.1,
            "screen_ms_max": worst * 2, "worst_screen_p95_ms": worst}


def scene_rows(scene, worsts, link=LAN, **changes):
    """Runs of paper B's case with one scene; in `type` keys are pressed, too."""
    keys = {"control": True, "keys_sent": 30, "keys_seen": 30, "events_sent": 60,
            "events_seen": 60, "input_ms_p50": 2.0, "input_ms_p95": 4.0} if scene == "type" else {}
    return [row(**{"section": scene, "fleet": "connect=near scene=%s" % scene, "repeat": repeat,
                   **link, **delay(worst), **keys, **changes})
            for repeat, worst in enumerate(worsts, 1)]


FAST = [8.0, 8.2, 8.4, 8.6, 9.0]


def paperb_rows(type_ms=FAST, scroll_ms=(45.0, 46.0, 47.0, 48.0, 49.0),
                video_ms=(30.0, 31.0, 32.0, 33.0, 34.0), flip_ms=(80.0, 90.0, 95.0, 99.0, 120.0),
                link=LAN):
    made = scene_rows("type", type_ms, link) + scene_rows("scroll", scroll_ms, link)
    made += scene_rows("video", video_ms, link)
    return made + scene_rows("flip-all", flip_ms, link, updates=105, bytes=105 * 114000,
                             mbit_per_s=105 * 114000 * 8 / 3000 / 1000)


def blind(scenario, section, screens, repeat, **changes):
    """A row without windows."""
    return row(**{**NO_EYE, "scenario": scenario, "section": section, "repeat": repeat,
                  "client": "fanin-monitor", "cell": "screens=%d" % screens, "view": "none",
                  "screens": screens, "screens_connected": screens, **changes})


def many_rows(repeats=5, threads=7, slower=1):
    """30, 200 and 1000 screens; and 200 on a full link."""
    dice, made = random.Random(4), []
    for repeat in range(1, repeats + 1):
        for screens in (30, 200, 1000):
            worst = slower * screens ** 0.3 * dice.uniform(0.9, 1.1)
            made.append(blind("screens", "many", screens, repeat, total_threads=threads,
                              decoded_ms_p50=worst / 4, decoded_ms_p95=worst * 0.9,
                              decoded_ms_p99=worst * 1.2, decoded_ms_max=worst * 3,
                              decoded_worst_p95_ms=worst))
        made.append(blind("screens", "full-link", 200, repeat, **LAN, updates=600,
                          bytes=600 * 20000, mbit_per_s=32.0, decoded_ms_p50=250.0,
                          decoded_ms_p95=500.0, decoded_ms_p99=600.0, decoded_ms_max=900.0,
                          decoded_worst_p95_ms=700.0,
                          fleet="connect=near scene=video scene-rate=10"))
    return made


def viewer_rows(repeats=5, own_cpu=0.7):
    """Every device in our viewer, every viewer of our own screens; CPU without windows."""
    dice, made = random.Random(5), []
    pairs = [("x11", viewer, speed) for viewer, speed in (
        ("monitor", 1.0), ("vncclient", 1.1), ("xtightvnc", 0.9), ("xtigervnc", 1.2))]
    pairs += [("x11vnc", "monitor", 10.0), ("x11vnc-tuned", "monitor", 3.0),
              ("xtigervnc", "monitor", 1.5)]
    for repeat in range(1, repeats + 1):
        for scene in ("type", "scroll", "video"):
            for device, viewer, speed in pairs:
                made += scene_rows(scene, [6 * speed * dice.uniform(0.95, 1.05)],
                                   scenario="viewers", section=scene, repeat=repeat, viewer=viewer,
                                   cell="device=%s viewer=%s" % (device, viewer),
                                   audit="pass" if device == "x11" else "none: foreign",
                                   fleet="scene=%s device=%s" % (scene, device))
        for screens in (200, 1000):
            for viewer, cost in (("monitor", own_cpu), ("vncclient", 1.0)):
                made.append(blind("viewers", "cpu", screens, repeat, viewer=viewer,
                                  client="fanin-monitor" if viewer == "monitor"
                                  else "fanin-peer-vncclient",
                                  cell="client=%s screens=%d" % (viewer, screens),
                                  engine="epoll" if viewer == "monitor" else "",
                                  cpu_us_per_update=100 * cost * dice.uniform(0.98, 1.02)))
    return made


def everything():
    return paperb_rows() + many_rows() + viewer_rows() + [
        dict(made, scenario="remote") for made in scene_rows("type", FAST)]
