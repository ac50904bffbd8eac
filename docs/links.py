"""Whether every link between the built pages leads somewhere.

    python docs/links.py docs/_build/html

Sphinx checks what it resolves itself; this reads what it wrote, tutorials and pictures included.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element leads to and what leads to it."""
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.links.append(value)
            elif name == "id" and value:
                self.anchors.add(value)


def dead(root: Path) -> list[str]:
    """Return "page: link" of each link to what is not there."""
    pages = {path: Page(path.read_text()) for path in root.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue  # leaves the site
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            # what Python's source shows has its lines as anchors, and a script's page has none
            anchors = pages[target].anchors if target in pages else {parts.fragment}
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in anchors):
                found.append(f"{path.relative_to(root)}: {link}")
    return found


if __name__ == "__main__":
    wrong = dead(Path(sys.argv[1]).resolve())
    raise SystemExit("\n".join(["links to what is not there:", *wrong]) if wrong else 0)
