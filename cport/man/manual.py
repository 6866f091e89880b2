#!/usr/bin/env python3
"""The manual of libcport, made of the comments of <cport.h> and the example of cport/README.md:

    cport/man/manual.py FOLDER        writes FOLDER/cport.3, a page for each section of the header,
                                      and one line for each function that leads to its page
"""

import os
import re
import sys
from typing import Dict, List, NamedTuple, Tuple

ROOM = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
HEADER_FILE = os.path.join(ROOM, "include", "cport.h")
WIN32_FILE = os.path.join(ROOM, "include", "cport", "win32.h")
README_FILE = os.path.join(ROOM, "README.md")

SUMMARY = "Windows' I/O completion ports on Linux"

# How the comment of a function begins: "cp_receive (early binding): the result ..."
LABEL = re.compile(r"((?:cp_\w+(?:, )?)+)(?: \(([^)]*)\))?:\s")


class Item(NamedTuple):
    """Declarations without an empty line between them, with the comment above; either may be
    empty."""

    comment: str
    code: str

    def functions(self) -> List[str]:
        """The functions that it declares. (Members of structs are indented.)"""
        return re.findall(r"^\w[\w *]*?\b(cp_\w+)\(", self.code, flags=re.M)

    def types(self) -> List[str]:
        """The types that it defines."""
        return (re.findall(r"^(?:struct|enum|union) (cp_\w+) \{", self.code, flags=re.M) +
                re.findall(r"^typedef .*\b(cp_\w+);", self.code, flags=re.M))

    def parameters(self) -> List[str]:
        """The names of its functions' parameters."""
        inside = re.findall(r"^\w[\w *]*?\bcp_\w+\(([^;]*)\);", self.code, flags=re.M)
        return re.findall(r"(\w+)\s*(?=,|$)", ",".join(inside), flags=re.M)


class Section(NamedTuple):
    """What stands between two lines of the form `---- title ----`."""

    title: str
    items: List[Item]

    def page(self) -> str:
        return "cport_" + re.sub(r"\W+", "_", self.title)

    def functions(self) -> List[str]:
        return [name for item in self.items for name in item.functions()]

    def types(self) -> List[str]:
        return [name for item in self.items for name in item.types()]


class Header(NamedTuple):
    version: str
    head: str  # the comment that opens it
    sections: List[Section]
    errors: Dict[str, Tuple[str, str]]  # code -> (name, text)


# ---- reading --------------------------------------------------------------------------------

def comment_text(comment: str) -> str:
    """A comment without its marks."""
    inner = re.sub(r"^/\*+ ?|\s*\*/$", "", comment.strip())
    return "\n".join(re.sub(r"^ \* ?", "", line).rstrip() for line in inner.split("\n"))


def pieces(text: str) -> List[str]:
    """The lines of a section that belong together: a comment, a macro, a declaration, or one line
    that is neither."""
    found, piece, depth = [], "", 0
    for line in text.split("\n"):
        piece += line + "\n"
        if piece.startswith("/*"):
            ended = line.endswith("*/")
        elif piece.startswith("#"):
            ended = not line.endswith("\\")
        else:
            depth += line.count("{") - line.count("}")
            ended = depth == 0 and (not line or re.search(r";\s*(/\*.*\*/)?$", line) is not None)
        if ended:
            found.append(piece)
            piece, depth = "", 0
    return found


def read_items(text: str) -> List[Item]:
    """The comments and declarations of a section. They belong together as far as no empty line
    parts them, and up to the next comment."""
    items: List[Item] = []
    comment = code = ""
    for piece in pieces(text + "\n"):
        if piece.strip() and not piece.startswith(("/*", "#")) or piece.startswith("#define"):
            code += without_private(piece)
            continue
        if comment or code:
            items.append(Item(comment, code.rstrip()))
        comment = comment_text(piece) if piece.startswith("/*") else ""
        code = ""
    return items


def without_private(declared: str) -> str:
    """A struct without the members that only the port reads."""
    return re.sub(r"\n\s*/\* Private.*\n\}", "\n    /* and what only the port reads */\n}",
                  declared, flags=re.S)


def read_header(path: str = HEADER_FILE) -> Header:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    version = ".".join(re.findall(r"^#define CP_VERSION_(?:MAJOR|MINOR|PATCH) +(\d+)$", text,
                                  flags=re.M))
    head = comment_text(text[:text.index("*/") + 2])
    parts = re.split(r"^/\* -+ (.*?) -+ \*/\n", text, flags=re.M)
    parts[-1] = re.sub(r"^#ifdef.*\Z", "", parts[-1], flags=re.S | re.M)  # the end of the guards
    sections = [Section(title, [item for item in read_items(body)
                                if not item.comment.startswith("Private")])
                for title, body in zip(parts[1::2], parts[2::2])]
    table = re.sub(r'"\s*\\\n\s*"|\s*\\\n\s*', " ", text)
    errors = {code: (name, meaning) for code, name, meaning in
              re.findall(r'X\((CP_E\w+), "(.*?)", "(.*?)"\)', table)}
    return Header(version, head, sections, errors)


def example() -> str:
    """The first whole program of the README."""
    with open(README_FILE, encoding="utf-8") as file:
        found = re.search(r"```c\n(#include <cport\.h>\n(?:(?!```).)*?int main.*?)```",
                          file.read(), re.S)
    if not found:
        raise ValueError("cport/README.md has no program that includes <cport.h>")
    return found[1]


# ---- writing --------------------------------------------------------------------------------

def escaped(text: str) -> str:
    """Text that troff takes as it is."""
    return re.sub(r"(?m)^([.'])", r"\\&\1", text.replace("\\", "\\e"))


def words(text: str) -> str:
    """A comment's sentences: `arguments` in italics, names of the header bold."""
    text = escaped(text).replace("-", "\\-")
    text = re.sub(r"`([^`]+)`", r"\\fI\1\\fP", text)
    return re.sub(r"\b((?:cp|CP)_\w*\w)", r"\\fB\1\\fP", text)


def verbatim(code: str) -> str:
    return ".PP\n.in +4n\n.EX\n" + escaped(code).replace("-", "\\-") + "\n.EE\n.in\n"


def paragraphs(text: str) -> str:
    """A comment as paragraphs; lines that begin with a number or a dash are a list."""
    out = []
    for paragraph in re.split(r"\n\s*\n", text):
        for part in re.split(r"\n(?=\s*(?:\d+\.|-)\s)", paragraph):
            number = re.match(r"\s*(\d+\.|-)\s+", part)
            body = part[number.end():] if number else part
            body = "\n".join(line.strip() for line in body.strip().split("\n"))
            mark = number[1].replace("-", "\\(bu") if number else ""
            out.append((f".IP {mark} 4\n" if number else ".PP\n") + words(body) + "\n")
    return "".join(out)


def described(item: Item) -> str:
    """The text of declarations: the comment under the names of its functions, or the code whole."""
    names = item.functions()
    if "CP_ERRORS(X)" in item.code.split("\n")[0]:
        return ""  # the page's list of codes has it
    if not names:
        return (paragraphs(item.comment) if item.comment else "") + \
            (verbatim(item.code) if item.code else "")
    label = LABEL.match(item.comment)
    text = item.comment[label.end():] if label else item.comment
    text = f"{label[2]}: {text}" if label and label[2] else text
    body = paragraphs(text if text.startswith("cp_") else text[:1].upper() + text[1:])
    return (".TP\n.BR " + ' "(), " '.join(names) + " ()\n" +
            body.replace(".PP\n", "", 1).replace(".PP\n", ".IP\n"))


def codes_of(section: Section, errors: Dict[str, Tuple[str, str]]) -> List[str]:
    """The codes that a section's page explains: those it names; of the section that has the table,
    all."""
    if any("CP_ERRORS(X)" in item.code for item in section.items):
        return list(errors)
    named = set(re.findall(r"CP_E\w+", " ".join(item.comment for item in section.items)))
    return [code for code in errors if code in named]


def title(page: str, version: str) -> str:
    return f'.\\" Made by cport/man/manual.py of <cport.h>.\n' \
           f'.TH {page} 3 "" "cport {version}" "I/O completion ports"\n'


def section_page(section: Section, header: Header) -> str:
    names = section.functions() or section.types()
    synopsis = [item.code for item in section.items if item.functions()]
    out = [title(section.page(), header.version),
           f".SH NAME\n{', '.join(names)} \\- I/O completion ports: {section.title}\n",
           ".SH SYNOPSIS\n.nf\n.B #include <cport.h>\n"]
    for code in synopsis:
        out.append(".PP\n" + re.sub(r"\b(cp_\w+)(?=\()", r"\\fB\1\\fP", escaped(code)) + "\n")
    out.append(".fi\n.SH DESCRIPTION\n")
    out += [described(item) for item in section.items]
    if re.search(r"^int ", "\n".join(synopsis), flags=re.M):
        out.append(".SH RETURN VALUE\nWhere nothing else is said, a function that returns\n.I int\n"
                   "gives 0 or more on success, and a negative code of those in\n"
                   ".BR cport_results (3)\nif it fails.\n")
    codes = codes_of(section, header.errors)
    if codes:
        out.append(".SH ERRORS\n")
    for code in codes:
        name, text = header.errors[code]
        out.append(f".TP\n.BR {code} \" ({name})\"\n{words(text)}.\n")
    others = [other.page() for other in header.sections if other != section]
    return "".join(out) + see_also(["cport", *others])


def see_also(names: List[str]) -> str:
    return ".SH SEE ALSO\n" + ",\n".join(f".BR {name} (3)" for name in names) + "\n"


def main_page(header: Header) -> str:
    out = [title("cport", header.version),
           f".SH NAME\ncport \\- {SUMMARY}\n",
           ".SH SYNOPSIS\n.nf\n.B #include <cport.h>\n.PP\n"
           "\\fBcc\\fP \\fIprogram.c\\fP "
           "\\fB$(pkg\\-config \\-\\-cflags \\-\\-libs cport)\\fP\n.fi\n",
           ".SH DESCRIPTION\n", paragraphs(header.head)]
    for section in header.sections:
        out.append(f".TP\n.BR {section.page()} (3)\n" +
                   words(", ".join(section.functions() or section.types())) + "\n")
    out.append(".SH EXAMPLE\n" + verbatim(example().rstrip()))
    return "".join(out) + see_also([section.page() for section in header.sections])


def win32_page(version: str) -> str:
    """Of the library over this one there is one page: Windows' manual describes its functions."""
    with open(WIN32_FILE, encoding="utf-8") as file:
        text = file.read()
    return (title("cport-win32", version) +
            ".SH NAME\ncport-win32 \\- Windows' completion ports by their own names, on Linux\n"
            ".SH SYNOPSIS\n.nf\n.B #include <cport/win32.h>\n.PP\n"
            "\\fBcc\\fP \\fIprogram.c\\fP "
            "\\fB$(pkg\\-config \\-\\-cflags \\-\\-libs cport\\-win32)\\fP\n.fi\n"
            ".SH DESCRIPTION\n" + paragraphs(comment_text(text[:text.index("*/") + 2])) +
            see_also(["cport"]))


def pages(header: Header) -> Dict[str, str]:
    """Every file of the manual: its name and what is in it."""
    found = {"cport.3": main_page(header)}
    for section in header.sections:
        found[section.page() + ".3"] = section_page(section, header)
        for name in section.functions():
            found[name + ".3"] = f".so man3/{section.page()}.3\n"
    if os.path.exists(WIN32_FILE):
        found["cport-win32.3"] = win32_page(header.version)
    return found


def main(arguments: List[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    os.makedirs(arguments[0], exist_ok=True)
    for name, text in pages(read_header()).items():
        with open(os.path.join(arguments[0], name), "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
