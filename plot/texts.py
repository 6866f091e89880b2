"""Text files from outside, as base/text.h reads them: whatever an editor shows as a line is a line,
or the file is refused. Nothing in it can vanish unseen."""

import csv
import os
import re
from typing import Any, List, NamedTuple, Tuple

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
PLAIN = "save it as plain text in UTF-8"
# Ends of lines to some programs, and what editors do not show.
REFUSED = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029\ufeff]")


class WrongFile(Exception):
    """file:line: what is wrong and what is right."""


class Line(NamedTuple):
    """A line of a table, and where it stands."""

    path: str
    number: int
    text: str

    def wrong(self, why: Any) -> WrongFile:
        return WrongFile("%s:%d: %s" % (os.path.relpath(self.path), self.number, why))

    def fields(self) -> List[str]:
        """The fields of CSV. ValueError says what is wrong."""
        try:
            return [field.strip() for field in next(csv.reader([self.text], strict=True))]
        except csv.Error as error:
            raise ValueError("not CSV: %s; a field with a comma stands between two quotes"
                             % error) from None


def reading_order(text: str) -> List[Tuple[int, str]]:
    """A key that sorts names with their numbers, 4 before 16."""
    return [(int(part), "") if part.isdecimal() else (-1, part)
            for part in re.split(r"([0-9]+)", text)]


def short(axes: str) -> str:
    """`W=6 C=4` for the axes that every table calls so."""
    return axes.replace("workers=", "W=").replace("concurrency=", "C=")


def split(data: bytes) -> List[bytes]:
    """The lines with their ends, LF, CR LF or CR; without the byte-order mark of UTF-8."""
    if data.startswith(BYTE_ORDER_MARK):
        data = data[len(BYTE_ORDER_MARK):]
    return data.splitlines(keepends=True)


def read_table(path: str) -> List[Line]:
    """The lines that are neither blank nor a comment. WrongFile; OSError."""
    with open(path, "rb") as file:
        data = file.read()
    lines = []
    for number, content in enumerate(split(data), 1):
        line = Line(path, number, "")
        if number == 1 and data.startswith(UTF16):
            raise line.wrong("is in UTF-16; " + PLAIN)
        try:
            line = line._replace(text=content.decode("utf-8").rstrip("\r\n"))
        except UnicodeDecodeError:
            raise line.wrong("not UTF-8; " + PLAIN) from None
        found = REFUSED.search(line.text)
        if found:
            raise line.wrong("holds the character U+%04X; remove it" % ord(found.group()))
        if line.text.strip() and not line.text.startswith("#"):
            lines.append(line)
    return lines
