"""Imported first by every command: starts it anew without what the user's environment tells Python:
where modules are (PYTHONPATH, sitecustomize), warnings, encodings, locale. Texts are UTF-8."""

import os
import sys

OPTIONS = ("-E", "-s", "-X", "utf8")

if not sys.flags.ignore_environment and sys.executable:
    command = [sys.executable, *OPTIONS, *sys.argv]
    if os.name == "nt":  # there execv returns to the shell before the command has ended
        import subprocess
        sys.exit(subprocess.call(command))
    os.execv(sys.executable, command)
