"""libcport as others use it: installed, found by pkg-config, linked from outside of this tree.

The program is the one of cport/README.md ("Installing it")."""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "man"))
import manual

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "cport/include/cport.h"
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
STANDARDS = {"gcc": ["c99", "c11"], "clang": ["c99", "c11"],
             "g++": ["c++11", "c++20"], "clang++": ["c++11", "c++20"]}


def run(*command, cwd=ROOT, **environment):
    """What the command prints; a failure has all of it."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CC", "SANITIZER", "BUILD")}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env={**kept, **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def make(*arguments):
    """One at a time: tests that run beside each other build in the same place."""
    with open(ROOT / "cport/library.mk", "rb") as rules:
        fcntl.flock(rules, fcntl.LOCK_EX)
        return run("make", "-j2", *arguments)


def functions():
    """The names of the functions that the header declares."""
    return sorted(name for section in manual.read_header().sections for name in section.functions())


def defined(library, *options):
    """The names that a library gives to those who link it."""
    lines = run("nm", "--defined-only", *options, library).splitlines()
    return sorted(line.split()[-1] for line in lines if len(line.split()) == 3)


class Installed(unittest.TestCase):
    """One installation; every test looks at it and leaves it as it is."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.here = pathlib.Path(cls.folder.name)
        cls.prefix = cls.here / "installed"
        cls.lib = cls.prefix / "lib"
        cls.paths = {"PKG_CONFIG_PATH": str(cls.lib / "pkgconfig"),
                     "LD_LIBRARY_PATH": str(cls.lib)}
        make("install", f"PREFIX={cls.prefix}", "DESTDIR=")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def flags(self, *options):
        if not shutil.which("pkg-config"):
            self.skipTest("no pkg-config")
        return run("pkg-config", *options, "cport", **self.paths).split()

    def build(self, compiler, standard, static):
        """Builds and runs the program, in a folder of its own."""
        kind = "static" if static else "shared"
        folder = self.here / f"{compiler}-{standard}-{kind}"
        folder.mkdir()
        source = folder / ("program.c" if standard.startswith("c9") or standard == "c11" else
                           "program.cc")
        source.write_text(manual.example())
        libs = ["-static", *self.flags("--static", "--libs")] if static else self.flags("--libs")
        run(compiler, f"-std={standard}", *STRICT, *self.flags("--cflags"), "-MD", source, "-o",
            "program", *libs, cwd=folder)
        self.assertNotIn(str(ROOT), (folder / "program.d").read_text())
        return folder / "program"

    def check(self, compiler):
        if not shutil.which(compiler):
            self.skipTest(f"no {compiler}")
        for standard in STANDARDS[compiler]:
            for static in (False, True):
                with self.subTest(compiler=compiler, standard=standard, static=static):
                    program = self.build(compiler, standard, static)
                    needed = run("readelf", "-d", program)
                    self.assertEqual("[libcport.so.0]" in needed, not static)
                    self.assertRegex(run(program, **self.paths), r"^\w+: key 42, result 7\n$")

    def test_gcc_builds_a_program_that_runs(self):
        self.check("gcc")

    def test_clang_builds_a_program_that_runs(self):
        self.check("clang")

    def test_gxx_builds_a_program_that_runs(self):
        self.check("g++")

    def test_clangxx_builds_a_program_that_runs(self):
        self.check("clang++")

    def test_public_functions_and_nothing_else_are_exported(self):
        self.assertIn("cp_wait", functions())
        self.assertEqual(defined(self.lib / "libcport.so", "-D"), functions())
        self.assertEqual(defined(self.lib / "libcport.a", "-g"), functions())

    def test_the_examples_are_built_as_their_first_lines_say(self):
        flags = self.flags("--cflags", "--libs")
        for source in sorted((ROOT / "examples").glob("*.c")):
            with self.subTest(example=source.name):
                folder = self.here / source.stem
                folder.mkdir()
                run("cc", shutil.copy(source, folder), *flags, "-pthread", "-o", "program",
                    cwd=folder)
                self.assertIn("[libcport.so.0]", run("readelf", "-d", folder / "program"))
                self.assertIn(source.stem, run(folder / "program", "--help", **self.paths))

    def test_the_version_is_the_headers(self):
        version = manual.read_header().version
        self.assertRegex(version, r"^\d+\.\d+\.\d+$")
        self.assertEqual(self.flags("--modversion"), [version])
        self.assertTrue((self.lib / f"libcport.so.{version}").is_file())
        soname = run("readelf", "-d", self.lib / "libcport.so")
        self.assertIn(f"[libcport.so.{version.split('.')[0]}]", soname)

    def test_the_header_includes_only_the_languages_own(self):
        included = set(re.findall(r"^ *# *include (.*)$", HEADER.read_text(), flags=re.M))
        self.assertEqual(included, {"<stdbool.h>", "<stddef.h>", "<stdint.h>"})

    def files(self, folder):
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                      if not path.is_dir())

    def test_destdir_gets_the_same_files_and_uninstall_takes_them_away(self):
        staged = self.here / "staged"
        options = (f"DESTDIR={staged}", "PREFIX=/opt/port")
        make("install", *options)
        self.assertEqual(self.files(staged / "opt/port"), self.files(self.prefix))
        configured = (staged / "opt/port/lib/pkgconfig/cport.pc").read_text()
        self.assertIn("prefix=/opt/port\n", configured)
        self.assertNotIn(str(staged), configured)
        make("uninstall", *options)
        self.assertEqual(self.files(staged), [])

    def test_the_manual_is_installed(self):
        pages = {path.name for path in (self.prefix / "share/man/man3").iterdir()}
        self.assertEqual(pages, set(manual.pages(manual.read_header())))


class OtherBuilds(unittest.TestCase):
    """Libraries that are built in another way, into a folder of their own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)

    def test_without_liburing_there_is_no_uring(self):
        make("lib", "CFLAGS=-O0", "HAS_LIBURING=", f"BUILD={self.build}")
        symbols = run("nm", self.build / "libcport.a")
        self.assertIn("engine_epoll", symbols)
        self.assertNotIn("uring", symbols)
        self.assertNotIn("liburing", run("readelf", "-d", *self.build.glob("libcport.so.*")))

    def test_clang_and_the_sanitizers_keep_names_to_themselves(self):
        if not shutil.which("clang"):
            self.skipTest("no clang")
        make("lib", "CFLAGS=-O0", "CC=clang", "SANITIZER=address", f"BUILD={self.build}")
        self.assertEqual(defined(self.build / "libcport.a", "-g"), functions())
        shared, = self.build.glob("libcport.so.*")
        self.assertEqual(defined(shared, "-D"), functions())


if __name__ == "__main__":
    unittest.main()
