"""Makes a picture by gnuplot a part of a page: its colours become the page's, so that it follows
light and dark; its names become its own, since a page holds several; it says what it shows."""

import os
import re
import xml.etree.ElementTree as ElementTree
from typing import Dict, List, Optional, Tuple

STYLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "style.gp")
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
COLOURED = ("fill", "stroke", "color", "stop-color")
FONTS = "Arial, Helvetica, 'Liberation Sans', sans-serif"
MARGIN = 23  # pixels that style.gp leaves free at the left: a page has a margin of its own
WORDS = {"black": (0, 0, 0), "white": (255, 255, 255)}

Colour = Tuple[int, int, int]

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


# ---- colours ----


def colour(text: str) -> Optional[Colour]:
    """A colour as gnuplot writes it; None for none, currentColor and any other text."""
    text = text.strip().lower()
    hexadecimal = re.fullmatch(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", text)
    if hexadecimal:
        return tuple(int(part, 16) for part in hexadecimal.groups())
    decimal = re.fullmatch(r"rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)", text)
    if decimal:
        return tuple(int(part) for part in decimal.groups())
    return WORDS.get(text)


def palette() -> Dict[str, str]:
    """The names that style.gp gives its colours, as the page's variables have them."""
    with open(STYLE, encoding="utf-8") as file:
        text = file.read()
    named = {name.lower().replace("_", "-"): value for name, value
             in re.findall(r'^([A-Z_]+)\s*=\s*"(#[0-9a-f]{6})"', text, re.MULTILINE)}
    lines = re.search(r"^array LINE\[\d+\] = \[([^\]]*)\]", text, re.MULTILINE)
    for i, value in enumerate(re.findall(r"#[0-9a-f]{6}", lines.group(1) if lines else ""), 1):
        named["line-%d" % i] = value
    return named


def variables() -> Dict[Colour, str]:
    """Which variable of the page a colour is. gnuplot's own black is ink."""
    found = {(0, 0, 0): "var(--ink)"}
    for name, value in palette().items():
        found.setdefault(colour(value), "var(--%s)" % name)
    return found


def recolour(element: ElementTree.Element, known: Dict[Colour, str]) -> None:
    """Moves known colours from attributes, which take no variables, to the style. Any other, such
    as a heat map's, stays as it is in light and dark."""
    styles = [element.get("style", "").strip().rstrip(";")]
    for name in COLOURED:
        variable = known.get(colour(element.get(name, "")))
        if variable:
            styles.append("%s:%s" % (name, variable))
            del element.attrib[name]
    if any(styles):
        element.set("style", ";".join(style for style in styles if style))


# ---- names ----


def rename(element: ElementTree.Element, prefix: str) -> None:
    """An id, and whatever points to one."""
    if "id" in element.attrib:
        element.set("id", "%s-%s" % (prefix, element.get("id")))
    for key, value in list(element.attrib.items()):
        if key in ("href", "{%s}href" % XLINK) and value.startswith("#"):
            element.set(key, "#%s-%s" % (prefix, value[1:]))
        elif "url(#" in value:
            element.set(key, value.replace("url(#", "url(#%s-" % prefix))


# ---- what is not needed ----


def tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def prune(element: ElementTree.Element) -> None:
    """Takes out groups that draw nothing, filters that nothing here uses, and any script."""
    for child in list(element):
        prune(child)
        empty = tag(child) == "g" and not len(child) and not (child.text or "").strip()
        if empty or tag(child) in ("filter", "script"):
            element.remove(child)


def cropped(view: str) -> str:
    """The picture without its margin at the left, so that its text begins where the page's does."""
    left, top, width, height = (float(part) for part in view.split())
    return "%g %g %g %g" % (left + MARGIN, top, width - MARGIN, height)


def described(root: ElementTree.Element, prefix: str, alt: str) -> None:
    """The picture is one image with a name and a description; gnuplot's own word goes."""
    title, desc = root.find("{%s}title" % SVG), root.find("{%s}desc" % SVG)
    names: List[str] = []
    for part, name in ((title, "title"), (desc, "desc")):
        if part is not None:
            part.set("id", "%s-%s" % (prefix, name))
            names.append(part.get("id"))
    if desc is not None:
        origin = re.sub(r"^Produced by GNUPLOT [\d.]+ patchlevel \S+\s*", "", desc.text or "")
        desc.text = " ".join(part for part in (alt, origin) if part)
    root.set("role", "img")
    root.set("preserveAspectRatio", "xMinYMin meet")
    root.set("aria-labelledby", " ".join(names))


def inline(text: str, prefix: str, alt: str) -> str:
    """The picture as a part of a page of HTML. ValueError if it is no SVG."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError("not an SVG: %s" % error) from error
    if root.tag != "{%s}svg" % SVG or not re.fullmatch(r"([\d.]+ ){3}[\d.]+",
                                                      root.get("viewBox", "")):
        raise ValueError("not an SVG with a viewBox")
    prune(root)
    known = variables()
    for element in root.iter():
        recolour(element, known)
        rename(element, prefix)
        if "font-family" in element.attrib:
            element.set("font-family", FONTS)
        element.tail = (element.tail or "").strip() if tag(element) not in ("tspan",) \
            else element.tail
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("viewBox", cropped(root.get("viewBox")))
    described(root, prefix, alt)
    return ElementTree.tostring(root, encoding="unicode")
