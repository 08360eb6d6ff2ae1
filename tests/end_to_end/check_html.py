"""Whether a report is HTML as its standard wants it, loads nothing and can be read aloud.

Usage: check_html.py FILE... Needs html5lib.
"""

import re
import sys

import html5lib

NEVER = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "input", "button"}
# What these hold is text.
TEXTS = {"aria-label", "content"}


def check(path):
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    with open(path, "rb") as file:
        document = parser.parse(file)
    assert not parser.errors, f"{path}: {parser.errors}"
    assert document.get("lang"), path
    level = 0
    for element in document.iter():
        if not isinstance(element.tag, str):
            raise AssertionError(f"{path}: a comment {element.text!r}")
        name = element.tag.rpartition("}")[2]
        assert name not in NEVER, f"{path}: <{name}>"
        for attribute, value in element.attrib.items():
            assert not attribute.startswith("on") and attribute != "src", f"{path}: {attribute}"
            assert attribute in TEXTS or not re.search("https?://", value), f"{path}: {attribute}={value}"
            assert attribute != "href" or value.startswith("#s"), f"{path}: {value}"
        if re.fullmatch("h[1-6]", name):
            assert int(name[1]) <= level + 1, f"{path}: <{name}> after <h{level}>"
            level = int(name[1])
        assert name != "th" or element.get("scope"), f"{path}: <th> without scope"
        assert element.get("role") not in ("img", "region") or element.get("aria-label"), path
        if name == "style":
            assert not re.search(r"https?:|@import|url\((?!#)", element.text), path
    anchors = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(anchors) == len(set(anchors)), f"{path}: an id twice"
    links = [element.get("href")[1:] for element in document.iter("a")]
    assert set(links) <= set(anchors), f"{path}: a link to nowhere"


for path in sys.argv[1:]:
    check(path)
