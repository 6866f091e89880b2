"""Draws figures with gnuplot. Script and data stay beside each: `gnuplot -d NAME.gp` redraws it."""

import os
import re
import shutil
import subprocess
import tempfile
from typing import Dict, List, NamedTuple, Optional, Sequence, Union
from xml.sax.saxutils import escape

import draft
import drawn
import svg
from machine import Provenance
from section import Figure, shorten

HERE = os.path.dirname(os.path.abspath(__file__))
STYLE = "style.gp"
TERMINALS = {"svg": "svg", "png": "pngcairo", "pdf": "pdfcairo"}
GNUPLOT_MIN = (5, 2)  # boxxyerror with variable colours, do-for over plots
SECONDS_MAX = 60      # for one figure; it takes about one
# What a program needs to run: nothing that says how to draw.
SURROUNDINGS = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "FONTCONFIG_FILE")
MARGIN = 24           # pixels beside a title and a footer, as in style.gp
TITLE_PIXELS, SMALL_PIXELS = 12.5, 7.6  # of a character, at most on average


class Picture(NamedTuple):
    """A drawn figure; `svg` can be embedded in a page."""

    figure: Figure
    svg: str


class Drawn(NamedTuple):
    """The figures drawn, their file formats, and the reasons for those that are missing; `failed`
    are those that this gnuplot should have drawn."""

    pictures: Sequence[Picture]
    kinds: Sequence[str]
    problems: Sequence[str]
    failed: Sequence[str] = ()


def surroundings(home: Optional[str]) -> Dict[str, str]:
    """The environment without the user's own settings of gnuplot, fonts and language."""
    kept = {name: os.environ[name] for name in SURROUNDINGS if name in os.environ}
    return dict(kept, LC_ALL="C.UTF-8", HOME=home or os.devnull)


def run_gnuplot(*arguments: str, folder: Optional[str] = None) -> subprocess.CompletedProcess:
    return subprocess.run(["gnuplot", *arguments], cwd=folder, env=surroundings(folder),
                          capture_output=True, encoding="utf-8", errors="replace",
                          timeout=SECONDS_MAX, check=False)


def gnuplot_problem() -> Optional[str]:
    """Why gnuplot cannot draw figures here; None if it can."""
    if not shutil.which("gnuplot"):
        return "gnuplot is not installed, so there are no figures (Debian: gnuplot-nox)"
    try:
        printed = run_gnuplot("--version").stdout
    except (OSError, subprocess.SubprocessError) as error:
        return "gnuplot does not start, so there are no figures (%s)" % error
    version = re.search(r"(\d+)\.(\d+)", printed)
    if not version:
        return "gnuplot does not print its version, so there are no figures"
    if (int(version.group(1)), int(version.group(2))) < GNUPLOT_MIN:
        return "gnuplot %s is too old, so there are no figures (needs %d.%d)" % (
            (version.group(0),) + GNUPLOT_MIN)
    return None


def kinds_here() -> List[str]:
    """The formats that this gnuplot can draw; all if it does not tell."""
    try:
        ran = run_gnuplot("-e", "set print '-'; print GPVAL_TERMINALS")
    except (OSError, subprocess.SubprocessError):
        return list(TERMINALS)
    known = ran.stdout.split() if ran.returncode == 0 else []
    return [kind for kind, terminal in TERMINALS.items() if terminal in known or not known]


def missing_kinds(kinds: Sequence[str]) -> List[str]:
    """A message for each format that cannot be drawn."""
    return ["this gnuplot has no terminal %s, so there are no figures as %s" % (
        terminal, kind.upper()) for kind, terminal in TERMINALS.items() if kind not in kinds]


def quoted(value: Union[str, float]) -> str:
    """A gnuplot literal, with everything escaped that could end the string or the line."""
    if not isinstance(value, str):
        return "%.9g" % value
    clean = "".join(c if c.isprintable() else " " for c in value)
    return '"%s"' % clean.replace("\\", "\\\\").replace('"', '\\"').replace("`", "'")


def enhanced(text: str) -> str:
    """Text with the special characters of gnuplot's enhanced mode escaped; bold titles need it."""
    return re.sub(r"([{}^_@&~\\])", r"\\\1", text)


def fitted(text: str, room: float, pixels: float) -> str:
    """Text cut to `room` pixels; a character takes `pixels`."""
    return shorten(text, int(room / pixels))


def script(figure: Figure, origin: Provenance, kinds: Sequence[str]) -> str:
    footer = "Measured: %s. Commit %s, seed %s." % (figure.settings.get("RUNS", ""), origin.commit,
                                                  origin.seed)
    room = figure.size[0] - 2 * MARGIN
    values: Dict[str, Union[str, float]] = {
        "KINDS": " ".join(kinds), "NAME": figure.name,
        "WIDTH": figure.size[0], "HEIGHT": figure.size[1],
        "TITLE": enhanced(fitted(figure.title, room, TITLE_PIXELS)),
        "SUBTITLE": fitted(figure.label and "This run: " + figure.label, room, SMALL_PIXELS),
        "FOOTER": fitted(footer, room, SMALL_PIXELS),
        "MACHINE": fitted(origin.machine, room, SMALL_PIXELS)}
    values.update((key, value) for key, value in figure.settings.items() if key != "RUNS")
    with open(os.path.join(HERE, figure.template + ".gp"), encoding="utf-8") as file:
        body = file.read()
    head = ["# Draw again, here: gnuplot -d %s.gp" % figure.name, "DATA = %s" % quoted(
        figure.name + ".dat")]
    head += ["%s = %s" % (key, quoted(value)) for key, value in values.items()]
    return "\n".join(head) + "\n\n" + body


def stamped(text: str, figure: Figure, origin: Provenance) -> str:
    """The SVG with title and provenance."""
    said = "%s. %s. Commit %s, seed %s. Machine: %s. Command: %s" % (
        figure.caption, figure.settings.get("RUNS", ""), origin.commit, origin.seed, origin.machine,
        origin.command)
    clean = "".join(c if c.isprintable() else " " for c in said)
    title = "<title>%s</title>" % escape(figure.caption)
    text = re.sub(r"<title>.*?</title>", lambda _: title, text, count=1, flags=re.DOTALL)
    text = text.replace('font-family="Arial"', 'font-family="Arial, Helvetica, sans-serif"')
    return text.replace("</desc>", "%s</desc>" % escape(clean), 1)


def draw_in(place: str, figure: Figure, origin: Provenance, kinds: Sequence[str]) -> Optional[str]:
    """Writes script and data there, and runs gnuplot. Returns why there is no picture, or None."""
    base = os.path.join(place, figure.name)
    commands = script(figure, origin, kinds)
    draft.write(base + ".dat", figure.data)
    draft.write(base + ".gp", commands)
    try:
        ran = run_gnuplot("-d", figure.name + ".gp", folder=place)
    except (OSError, subprocess.SubprocessError) as error:
        return "gnuplot: %s" % error
    if ran.returncode or not all(os.path.exists("%s.%s" % (base, kind)) for kind in kinds):
        said = [line for line in ran.stderr.splitlines() if line.strip()] or ["no message"]
        return "gnuplot failed: %s" % shorten(said[-1].strip(), 200)
    with open(base + ".svg", encoding="utf-8") as file:
        picture_text = file.read()
    draft.write(base + ".svg", stamped(picture_text, figure, origin))
    return drawn.problem(commands, figure.data, picture_text)


def put_style(folder: str) -> None:
    with open(os.path.join(HERE, STYLE), encoding="utf-8") as file:
        draft.write(os.path.join(folder, STYLE), file.read())


def draw_one(figure: Figure, folder: str, origin: Provenance,
             kinds: Sequence[str]) -> Optional[str]:
    """Draws beside the folder's pictures, which are replaced by whole ones only. Returns why there
    is no picture, or None."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as place:
        put_style(place)
        why = draw_in(place, figure, origin, kinds)
        for name in [] if why else (figure.name + "." + kind for kind in ("dat", "gp", *kinds)):
            os.replace(os.path.join(place, name), os.path.join(folder, name))
    return "%s: %s" % (figure.name, why) if why else None


def picture(figure: Figure, folder: str) -> Picture:
    with open(os.path.join(folder, figure.name + ".svg"), encoding="utf-8") as file:
        return Picture(figure, svg.inline(file.read(), figure.name, figure.alt))


def draw(figures: Sequence[Figure], folder: str, origin: Provenance) -> Drawn:
    """Draws the figures, and lists the reasons for those that failed."""
    problem = gnuplot_problem()
    kinds = kinds_here() if not problem else []
    if not problem and "svg" not in kinds:
        problem = "this gnuplot has no terminal svg, so there are no figures"
    if problem:
        return Drawn([], [], [problem])
    os.makedirs(folder, exist_ok=True)
    put_style(folder)
    pictures, failed = [], []
    for figure in figures:
        why = draw_one(figure, folder, origin, kinds)
        if why:
            failed.append(why)
            continue
        try:
            pictures.append(picture(figure, folder))
        except ValueError as error:
            failed.append("%s: gnuplot's picture cannot be read: %s" % (figure.name, error))
    return Drawn(pictures, kinds, missing_kinds(kinds) + failed, failed)
