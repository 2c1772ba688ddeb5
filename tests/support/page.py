"""What a browser would find in a page: its elements, texts and tables."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """A parsed page.

    Args:
        html: the page.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and "style" not in self._open:
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        """All that is to be read."""
        return " ".join(self.texts)

    @property
    def tags(self) -> set[str]:
        """Kinds of elements."""
        return {tag for tag, _ in self.elements}

    def attributes(self, tag: str, name: str) -> list[str]:
        """An attribute of every element of a kind that has it."""
        return [
            value
            for one, attributes in self.elements
            if one == tag and (value := attributes.get(name)) is not None
        ]
