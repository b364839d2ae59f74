"""Reads a page strictly: tags that close, headings in their order, tables that name their columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "br", "hr", "img", "input", "rect"})
# Text that nobody reads.
SILENT = frozenset({"style", "script", "title"})


@dataclass
class Element:
    """A tag with its attributes, what is in it, and its text with that of all within."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    def all(self, tag: str, kind: str | None = None) -> list[Element]:
        """Every element of a tag (and of a class) within."""
        found = [self] if self.tag == tag and (kind is None or kind in self.classes) else []
        return found + [one for child in self.children for one in child.all(tag, kind)]

    def one(self, tag: str, kind: str | None = None) -> Element:
        [found] = self.all(tag, kind)
        return found


class Reader(HTMLParser):
    """Fails where tags do not close in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("document", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        assert len(element.attributes) == len(attrs), f"an attribute twice: {attrs}"
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not SILENT & {one.tag for one in self._open}:
            for one in self._open:
                one.parts.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], [one.tag for one in self._open]


def parsed(page: str) -> Element:
    """The page; fails where it is not what a reader of the screen can rely on."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    check(reader.root)
    return reader.root


def check(page: Element) -> None:
    everything = _every(page)
    ids = [one.attributes["id"] for one in everything if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    levels = [int(one.tag[1]) for one in everything if one.tag in ("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert all(later - before <= 1 for before, later in zip([0, *levels], levels, strict=False)), levels
    for table in page.all("table"):
        assert table.all("caption")
        assert all(one.attributes.get("scope") in ("row", "col") for one in table.all("th"))
        assert all(row.all("th") for row in table.all("tr"))
    for one in everything:
        assert not [name for name in one.attributes if name == "style" or name.startswith("on")], one
        assert one.tag not in ("script", "iframe", "img", "form", "object", "embed"), one


def _every(element: Element) -> list[Element]:
    return [element, *(one for child in element.children for one in _every(child))]
