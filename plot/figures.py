"""Draws figures with gnuplot: each from a script and a data file that stay beside the picture, so
that anyone can change and draw it again with `gnuplot NAME.gp`."""

import os
import re
import shutil
import subprocess
from typing import Dict, List, Optional, Sequence, Tuple, Union
from xml.sax.saxutils import escape

from machine import Provenance
from section import Figure

HERE = os.path.dirname(os.path.abspath(__file__))
STYLE = "style.gp"
KINDS = ("svg", "png")
GNUPLOT_MIN = (5, 2)  # boxxyerror with variable colours, do-for over plots
SECONDS_MAX = 60      # for one figure; it takes about one
FOOTER_COLUMNS = 150  # characters of a footer's line that fit the width of a figure


def gnuplot_problem() -> Optional[str]:
    """Why no figure can be drawn here, in one line; None if gnuplot is fit."""
    path = shutil.which("gnuplot")
    if not path:
        return "gnuplot is not installed, so there are no figures (Debian: gnuplot-nox)"
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True,
                              timeout=SECONDS_MAX, check=False).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return "gnuplot does not start, so there are no figures (%s)" % error
    version = re.search(r"(\d+)\.(\d+)", said)
    if not version:
        return "gnuplot does not tell its version, so there are no figures"
    if (int(version.group(1)), int(version.group(2))) < GNUPLOT_MIN:
        return "gnuplot %s is too old, so there are no figures (needs %d.%d)" % (
            (version.group(0),) + GNUPLOT_MIN)
    return None


def quoted(value: Union[str, float]) -> str:
    """A gnuplot literal; whatever a machine is called, it ends neither the string nor the line."""
    if not isinstance(value, str):
        return "%.9g" % value
    clean = "".join(c if c.isprintable() else " " for c in value)
    return '"%s"' % clean.replace("\\", "\\\\").replace('"', '\\"').replace("`", "'")


def enhanced(text: str) -> str:
    """Text for gnuplot's enhanced mode, which bold titles need, with its special characters as
    they are."""
    return re.sub(r"([{}^_@&~\\])", r"\\\1", text)


def shorten(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[:columns - 3] + "..."


def script(figure: Figure, origin: Provenance) -> str:
    """The whole script: this run's variables, then the figure's own commands."""
    footer = "Measured: %s. Commit %s, seed %s." % (figure.settings.get("RUNS", ""), origin.commit,
                                                  origin.seed)
    values: Dict[str, Union[str, float]] = {
        "NAME": figure.name, "WIDTH": figure.size[0], "HEIGHT": figure.size[1],
        "TITLE": enhanced(figure.caption), "FOOTER": shorten(footer, FOOTER_COLUMNS),
        "MACHINE": shorten(origin.machine, FOOTER_COLUMNS)}
    values.update((key, value) for key, value in figure.settings.items() if key != "RUNS")
    with open(os.path.join(HERE, figure.template + ".gp"), encoding="utf-8") as file:
        body = file.read()
    head = ["# Draw again, here: gnuplot %s.gp" % figure.name, "DATA = %s" % quoted(
        figure.name + ".dat")]
    head += ["%s = %s" % (key, quoted(value)) for key, value in values.items()]
    return "\n".join(head) + "\n\n" + body


def stamp(path: str, figure: Figure, origin: Provenance) -> None:
    """Puts the picture's origin into the SVG, for a reader and for a program."""
    with open(path, encoding="utf-8") as file:
        svg = file.read()
    said = "%s. %s. Commit %s, seed %s. Machine: %s. Command: %s" % (
        figure.caption, figure.settings.get("RUNS", ""), origin.commit, origin.seed, origin.machine,
        origin.command)
    clean = "".join(c if c.isprintable() else " " for c in said)
    svg = re.sub(r"<title>.*?</title>", lambda _: "<title>%s</title>" % escape(figure.caption), svg,
                 count=1, flags=re.DOTALL)
    svg = svg.replace('font-family="Arial"', 'font-family="Arial, Helvetica, sans-serif"')
    svg = svg.replace("</desc>", "%s</desc>" % escape(clean), 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(svg)


def draw_one(figure: Figure, folder: str, origin: Provenance) -> Optional[str]:
    """Writes script and data, runs gnuplot. None, or why there is no picture."""
    base = os.path.join(folder, figure.name)
    for ending, text in ((".dat", figure.data), (".gp", script(figure, origin))):
        with open(base + ending, "w", encoding="utf-8") as file:
            file.write(text)
    try:
        ran = subprocess.run(["gnuplot", figure.name + ".gp"], cwd=folder, capture_output=True,
                             text=True, timeout=SECONDS_MAX, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return "%s: gnuplot: %s" % (figure.name, error)
    if ran.returncode or not os.path.exists(base + ".svg"):
        said = [line for line in ran.stderr.splitlines() if line.strip()] or ["no message"]
        return "%s: gnuplot failed: %s" % (figure.name, shorten(said[-1].strip(), 200))
    stamp(base + ".svg", figure, origin)
    return None


def draw(figures: Sequence[Figure], folder: str,
         origin: Provenance) -> Tuple[List[Figure], List[str]]:
    """Draws all that can be drawn: (those that exist, messages for the rest)."""
    problem = gnuplot_problem()
    if problem:
        return [], [problem]
    os.makedirs(folder, exist_ok=True)
    shutil.copyfile(os.path.join(HERE, STYLE), os.path.join(folder, STYLE))
    drawn, problems = [], []
    for figure in figures:
        why = draw_one(figure, folder, origin)
        if why:
            problems.append(why)
        else:
            drawn.append(figure)
    return drawn, problems
