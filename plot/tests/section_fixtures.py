"""Shared by the report's tests: the command, a folder, a section as text, its figures as drawn."""

import os
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from unittest import mock

import plot_path
import figures
import fixtures
import machine
import report
import tables
from rows import Results

NEEDS_GNUPLOT = unittest.skipIf(figures.gnuplot_problem(), "gnuplot is missing or too old")


SVG_ONLY = mock.patch.object(figures, "kinds_here", return_value=["svg"])  # draws in a third


def run(*arguments):
    """The report command's exit code, standard output and standard error."""
    return fixtures.run_main(report.main, *arguments)


class Folder(fixtures.FolderTest):
    def read(self, *names):
        """A file of the folder."""
        with open(os.path.join(self.folder, *names), encoding="utf-8") as file:
            return file.read()


def results(made, run=None):
    """As if read from a folder."""
    return Results("made-up", made, fixtures.RUN if run is None else run, [])


def said(section):
    """Its paragraphs and tables as one text."""
    return "\n".join(tables.to_text(block) if isinstance(block, tables.Table) else block
                     for block in section.blocks)


def fields(text, *starts):
    """The rest of the first line that starts with these words."""
    for line in text.splitlines():
        if line.split()[:len(starts)] == list(starts):
            return line.split()[len(starts):]
    raise AssertionError("no line starts with %s in:\n%s" % (starts, text))


def draw(build, made):
    """Draws the section's figures as SVG: (the first one's text, the pictures)."""
    found = results(made)
    with tempfile.TemporaryDirectory() as folder, SVG_ONLY:
        wanted = build(found).figures
        drawn = figures.draw(wanted, folder, machine.provenance(found))
        problems = [why for why in drawn.problems if "no terminal" not in why]
        if problems:
            raise AssertionError(problems)
        root = ElementTree.parse(os.path.join(folder, wanted[0].name + ".svg")).getroot()
        return " ".join(root.itertext()), drawn.pictures
