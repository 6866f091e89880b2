"""Writes files that take another's place only when they are whole: beside it, then renamed. So what
was there before survives a full disk and an early end."""

import os
import tempfile


def write(path: str, text: str) -> str:
    """Replaces the file, and behind a symbolic link the one that it names. Returns the path; an
    OSError names it, too."""
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):  # a pipe, /dev/stdout
            with open(path, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        else:
            replace(target, text)
    except OSError as error:
        error.filename = path
        raise
    return path


def replace(target: str, text: str) -> None:
    mode = permissions(target)
    number, beside = tempfile.mkstemp(".new", os.path.basename(target) + ".",
                                      os.path.dirname(target))
    try:
        with open(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(number)
        os.chmod(beside, mode)
        os.replace(beside, target)
    except BaseException:
        os.remove(beside)
        raise


def permissions(target: str) -> int:
    """The file's, which must be writable, or those of a new file."""
    if os.path.exists(target):
        open(target, "r+b").close()
        return os.stat(target).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
