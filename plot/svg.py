"""Embeds an SVG by gnuplot in a page: colours become the page's variables, for light and dark mode;
ids get a prefix, because a page has several pictures; a title and a description are added."""

import os
import re
import xml.etree.ElementTree as ElementTree
from typing import Dict, List, Optional, Tuple

STYLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "style.gp")
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
COLOURED = ("fill", "stroke", "color", "stop-color")
FONTS = "Arial, Helvetica, 'Liberation Sans', sans-serif"
MARGIN = 23  # the left margin in style.gp, in pixels; the page has its own
WORDS = {"black": (0, 0, 0), "white": (255, 255, 255)}

Colour = Tuple[int, int, int]

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


# ---- colours ----


def colour(text: str) -> Optional[Colour]:
    """A colour as gnuplot writes it; None for other text, such as currentColor."""
    text = text.strip().lower()
    hexadecimal = re.fullmatch(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", text)
    if hexadecimal:
        return tuple(int(part, 16) for part in hexadecimal.groups())
    decimal = re.fullmatch(r"rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)", text)
    if decimal:
        return tuple(int(part) for part in decimal.groups())
    return WORDS.get(text)


def palette() -> Dict[str, str]:
    """The colours of style.gp by the names of the page's variables."""
    with open(STYLE, encoding="utf-8") as file:
        text = file.read()
    named = {name.lower().replace("_", "-"): value for name, value
             in re.findall(r'^([A-Z_]+)\s*=\s*"(#[0-9a-f]{6})"', text, re.MULTILINE)}
    lines = re.search(r"^array LINE\[\d+\] = \[([^\]]*)\]", text, re.MULTILINE)
    for i, value in enumerate(re.findall(r"#[0-9a-f]{6}", lines.group(1) if lines else ""), 1):
        named["line-%d" % i] = value
    return named


def variables() -> Dict[Colour, str]:
    """The page's variable of each colour; gnuplot's black is ink."""
    found = {(0, 0, 0): "var(--ink)"}
    for name, value in palette().items():
        found.setdefault(colour(value), "var(--%s)" % name)
    return found


def recolour(element: ElementTree.Element, known: Dict[Colour, str]) -> None:
    """Moves known colours from attributes to the style, which can have variables. Others, such as a
    heat map's, are the same in light and dark mode."""
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
    """Adds the prefix to an id and to references."""
    if "id" in element.attrib:
        element.set("id", "%s-%s" % (prefix, element.get("id")))
    for key, value in list(element.attrib.items()):
        if key in ("href", "{%s}href" % XLINK) and value.startswith("#"):
            element.set(key, "#%s-%s" % (prefix, value[1:]))
        elif "url(#" in value:
            element.set(key, value.replace("url(#", "url(#%s-" % prefix))


# ---- structure ----


def tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def prune(element: ElementTree.Element) -> None:
    """Removes empty groups, unused filters and scripts."""
    for child in list(element):
        prune(child)
        empty = tag(child) == "g" and not len(child) and not (child.text or "").strip()
        if empty or tag(child) in ("filter", "script"):
            element.remove(child)


def cropped(view: str) -> str:
    """The view without the left margin, to align the picture with the page's text."""
    left, top, width, height = (float(part) for part in view.split())
    return "%g %g %g %g" % (left + MARGIN, top, width - MARGIN, height)


def described(root: ElementTree.Element, prefix: str, alt: str) -> None:
    """Makes the picture one image with a title and a description, without gnuplot's."""
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
    """The picture as an element of HTML. ValueError if it is not an SVG."""
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
