"""Every link in a document leads to a file of the repository, and to a heading that it has."""

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:")


def files() -> list[str]:
    """The files that git knows, and new files that it does not ignore."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).exists()]


DOCUMENTS = [name for name in files() if name.endswith(".md")]


@cache
def anchors(document: Path) -> frozenset[str]:
    """The anchors that GitHub gives to the headings of a document."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    counted: dict[str, int] = {}
    found = set()
    for heading in HEADING.findall(text):
        anchor = anchor_of(heading)
        again = counted.get(anchor, 0)
        counted[anchor] = again + 1
        found.add(f"{anchor}-{again}" if again else anchor)
    return frozenset(found)


def anchor_of(heading: str) -> str:
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return NOT_IN_ANCHORS.sub("", shown.lower()).replace(" ", "-")


def links(text: str) -> list[str]:
    """The links to files and headings, without links to other sites."""
    prose = CODE.sub("", FENCE.sub("", text))
    return [link for link in LINK.findall(prose) if not EXTERNAL.match(link)]


def broken(document: Path, link: str) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = document.parent / path if path else document
    if not target.exists():
        return True
    return bool(anchor) and anchor not in anchors(target)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    document = ROOT / name

    found = [link for link in links(document.read_text(encoding="utf-8")) if broken(document, link)]

    assert found == []


def test_a_link_is_broken_without_its_file_or_its_heading(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n## `A/B`: one, two\n\n## Twice\n\n## Twice\n")

    good = ["page.md", "#page", "#ab-one-two", "#twice", "#twice-1"]
    bad = ["other.md", "other.md#page", "#pages", "#twice-2"]

    assert [link for link in good + bad if broken(page, link)] == bad


def test_links_in_code_and_to_other_sites_do_not_count() -> None:
    text = "[a](b.md) `[c](d.md)` [e](https://f)\n\n```sh\n[g](h.md)\n```\n"

    assert links(text) == ["b.md"]
