"""libcport-win32 as others use it: installed, found by pkg-config, beside libcport."""

import pathlib
import re
import shutil
import tempfile
import unittest

from test_library import ROOT, STANDARDS, STRICT, defined, make, run

HEADER = ROOT / "cport/include/cport/win32.h"
SAMPLES = ROOT / "cport/win32/samples"

# Casts and all, so that C++ takes it, too.
PROGRAM = """
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
#include <stdio.h>

int main(void)
{
    SOCKADDR_IN address;
    socklen_t length = sizeof address;
    DWORD bytes = 0, flags = 0;
    ULONG_PTR key = 0;
    LPOVERLAPPED done = NULL;
    OVERLAPPED overlapped;
    char data[8];
    WSABUF buffer;
    SOCKET listener = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
    SOCKET caller = socket(AF_INET, SOCK_STREAM, 0), near_end;
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    ZeroMemory(&address, sizeof address);
    ZeroMemory(&overlapped, sizeof overlapped);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener, (SOCKADDR *)&address, sizeof address);
    listen(listener, 5);
    getsockname(listener, (SOCKADDR *)&address, &length);
    if (connect(caller, (SOCKADDR *)&address, sizeof address) == SOCKET_ERROR)
        return 1;
    near_end = accept(listener, NULL, NULL);
    CreateIoCompletionPort((HANDLE)near_end, port, 42, 0);
    buffer.len = sizeof data;
    buffer.buf = data;
    if (WSARecv(near_end, &buffer, 1, NULL, &flags, &overlapped, NULL) == SOCKET_ERROR &&
        WSAGetLastError() != WSA_IO_PENDING)
        return 2;
    send(caller, "seven b", 7, 0);
    if (!GetQueuedCompletionStatus(port, &bytes, &key, &done, 60000) || done != &overlapped)
        return 3;
    setsockopt(near_end, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&flags, sizeof flags);
    shutdown(near_end, SD_SEND);
    printf("key %u, bytes %u\\n", (unsigned)key, (unsigned)bytes);
    closesocket(near_end);
    closesocket(caller);
    closesocket(listener);
    return CloseHandle(port) ? 0 : 4;
}
"""


def functions():
    """The names of the functions that the header declares."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    text = re.sub(r"^#.*(\\\n.*)*$", "", text, flags=re.M)
    text = re.sub(r"^static inline.*?^}", "", text, flags=re.M | re.S)
    text = text[:text.index("\ninline ")]
    return sorted(re.findall(r"^(?!typedef)\w[\w *]*?\b(\w+)\([^()]*\);", text, flags=re.M))


class InstalledWin32(unittest.TestCase):
    """One installation; every test looks at it and leaves it as it is."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.here = pathlib.Path(cls.folder.name)
        cls.lib = cls.here / "installed/lib"
        cls.paths = {"PKG_CONFIG_PATH": str(cls.lib / "pkgconfig"),
                     "LD_LIBRARY_PATH": str(cls.lib)}
        make("install", f"PREFIX={cls.here / 'installed'}", "DESTDIR=")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def build(self, compiler, standard, source, static=False):
        """Builds a program as its users would; what it is called."""
        if not shutil.which(compiler) or not shutil.which("pkg-config"):
            self.skipTest(f"no {compiler} or no pkg-config")
        program = self.here / f"{compiler}-{standard}-{source.stem}-{static}"
        flags = run("pkg-config", "--cflags", "--libs", *(["--static"] if static else []),
                    "cport-win32", **self.paths).split()
        language = "c++" if "++" in standard else "c"
        run(compiler, f"-std={standard}", *STRICT, "-x", language, source, "-x", "none", "-o",
            program, *(["-static"] if static else []), *flags, cwd=self.here)
        return program

    def check(self, compiler):
        source = self.here / "program"
        source.write_text(PROGRAM)
        for standard in STANDARDS[compiler]:
            for static in (False, True):
                with self.subTest(compiler=compiler, standard=standard, static=static):
                    program = self.build(compiler, standard, source, static)
                    self.assertEqual("[libcport-win32.so.0]" in run("readelf", "-d", program),
                                     not static)
                    self.assertEqual(run(program, **self.paths), "key 42, bytes 7\n")

    def test_gcc_builds_a_program_that_runs(self):
        self.check("gcc")

    def test_clang_builds_a_program_that_runs(self):
        self.check("clang")

    def test_gxx_builds_a_program_that_runs(self):
        self.check("g++")

    def test_clangxx_builds_a_program_that_runs(self):
        self.check("clang++")

    def test_the_samples_need_nothing_else(self):
        samples = sorted(SAMPLES.glob("*.c"))
        self.assertEqual(len(samples), 2)
        for sample in samples:
            run("gcc", "-Wall", "-c", sample, "-o", "/dev/null",
                f"-I{self.here}/installed/include", f"-I{self.here}/installed/include/cport/win32")

    def test_public_functions_and_nothing_else_are_exported(self):
        self.assertIn("WSARecv", functions())
        self.assertEqual(defined(self.lib / "libcport-win32.so", "-D"), functions())
        self.assertEqual(defined(self.lib / "libcport-win32.a", "-g"), functions())


if __name__ == "__main__":
    unittest.main()
