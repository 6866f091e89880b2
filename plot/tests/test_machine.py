"""What run.json says of the machine's noise, and of a budget."""

import unittest
from typing import Any

import plot_path
import fixtures
import machine
from rows import Results


def results(**record: Any) -> Results:
    return Results("folder", [], dict(fixtures.RUN, **record), [])


def noise(**levels: str) -> dict:
    return {"noisy": 1, "findings": {
        name.replace("_", "-"): {"level": level, "found": "found of " + name}
        for name, level in levels.items()}}


class Noise(unittest.TestCase):
    def summary(self, found):
        return dict(machine.summary(found)).get("noise")

    def test_what_is_noisy_is_named_at_first_glance(self):
        found = results(noise=noise(few_cpus="noisy", clock="calm", smt="unknown",
                                    virtual_machine="noisy"))
        self.assertEqual(self.summary(found), "few-cpus, virtual-machine")
        self.assertEqual(self.summary(results(noise=noise(clock="calm"))), "none found")

    def test_busy_cpus_are_a_warning_with_who_they_are(self):
        found = results(machine={}, noise=noise(busy_cpus="noisy"))
        self.assertIn("busy when the sweep began (found of busy_cpus)", machine.busy(found))
        self.assertEqual(machine.busy(results(machine={}, noise=noise(busy_cpus="calm"))), "")

    def test_the_record_has_a_line_for_each_finding(self):
        lines = machine.details(results(noise=noise(few_cpus="noisy", clock="calm")))
        self.assertIn("noise.few-cpus: noisy: found of few_cpus", lines)
        self.assertIn("noise.clock: calm: found of clock", lines)

    def test_a_record_without_noise_or_with_another_type_says_nothing(self):
        for strange in (None, 7, [], {}, {"findings": 1}, {"findings": {"load": 2}}):
            found = results(machine={}, noise=strange)
            self.assertIsNone(self.summary(found))
            self.assertEqual(machine.busy(found), "")
            machine.details(found)


class Pauses(unittest.TestCase):
    def test_rows_of_a_client_that_did_not_run_are_a_warning(self):
        rows = [fixtures.row(repeat=n, paused_ms=pause)
                for n, pause in enumerate((0, 1990.5, None))]
        found = Results("folder", rows, dict(fixtures.RUN), [])
        self.assertIn("1 of 3 rows were measured by a client that did not run for a while "
                      "(paused_ms, up to 1990 ms)", machine.paused(found))
        self.assertIn(machine.paused(found), machine.warnings(found))
        self.assertEqual(machine.paused(results()), "")


class Budget(unittest.TestCase):
    def test_the_record_has_why_it_stopped_and_not_every_cell(self):
        lines = machine.details(results(budget={"minutes": 9.5, "stopped": "out of time",
                                                "cells": {"t x=1": {"n": 7}}}))
        self.assertIn("budget.stopped: out of time", lines)
        self.assertFalse([line for line in lines if "x=1" in line])
        machine.details(results(budget=None))
