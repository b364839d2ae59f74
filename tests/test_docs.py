"""The documents: links and anchors lead somewhere, all are in the index, examples are what the code says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from clustersight.cli import main
from clustersight.clickhouse import grants
from clustersight.known import KNOWN
from clustersight.panels import ALL
from clustersight.settings.file import load

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("deploy/*.md")])
# Code holds brackets that are no links, and `#` that are no headings.
CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(document: Path) -> str:
    return CODE.sub("", document.read_text(encoding="utf-8"))


def blocks(document: Path, language: str) -> list[str]:
    return [text for kind, text in FENCED.findall(document.read_text(encoding="utf-8")) if kind == language]


def anchors(document: Path) -> set[str]:
    """What a heading is linked by: lower case, without punctuation, dashes for spaces, numbered repeats."""
    unfenced = FENCED.sub("", document.read_text(encoding="utf-8"))
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", unfenced, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return names


def astray(document: Path) -> Iterator[str]:
    for path, anchor in LINK.findall(prose(document)):
        target = (document.parent / path).resolve() if path else document
        if not target.exists():
            yield f"{path}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{path}#{anchor}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(document: Path) -> None:
    assert list(astray(document)) == []


def test_every_document_is_in_the_index_once() -> None:
    index = DOCS / "README.md"
    linked = [(DOCS / path).resolve() for path, _ in LINK.findall(prose(index))]
    pictures = DOCS / "pictures"
    there = {f for f in DOCS.rglob("*") if f.is_file() and pictures not in f.parents} - {index}

    assert there - set(linked) == set()
    assert [named(f) for f, count in Counter(linked).items() if count > 1] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_the_commands_and_options_of_consoles_exist(document: Path) -> None:
    said = {line for text in blocks(document, "console") for line in text.replace("\\\n", " ").splitlines()}
    unknown = [line for line in sorted(said) if (call := called(line)) and not known(call)]

    assert unknown == []


def called(line: str) -> list[str]:
    match = re.match(r" *\$ (?:[A-Z_]+=\S* )*(?:\.venv/bin/)?clustersight (.+)$", line)
    return match[1].split(" #")[0].split() if match else []


def known(call: list[str]) -> bool:
    options = [word.split("=")[0] for word in call if word.startswith("--")]
    words = [word for word in call if not word.startswith("-")]
    if not words:
        return options == ["--version"]
    command = main.commands.get(words[0])
    if isinstance(command, click.Group):
        command = command.commands.get(words[1]) if len(words) > 1 else command
    if command is None:
        return False
    taken = {option for parameter in command.params for option in parameter.opts}
    # What runs in a process of its own takes its options there.
    hands_on = command.context_settings.get("ignore_unknown_options", False)
    return "--help" in options or bool(hands_on) or set(options) <= taken


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_configuration_in_a_document_is_one(document: Path, tmp_path: Path) -> None:
    for text in blocks(document, "yaml"):
        if "clusters" in (yaml.safe_load(text) or {}):
            file = tmp_path / "clustersight.yaml"
            file.write_text(text, encoding="utf-8")
            environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "https://hooks.slack.com/services/x")

            assert load(file, environ, KNOWN).settings.clusters


def test_the_grants_of_the_document_are_those_that_are_printed() -> None:
    (first, *_) = blocks(DOCS / "clickhouse-user.md", "sql")

    printed = CliRunner().invoke(main, ["cluster", "grants"]).stdout
    assert first == printed, "paste what `clustersight cluster grants` prints"


def test_the_document_says_of_each_panel_what_it_reads() -> None:
    text = (DOCS / "clickhouse-user.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+) \| ([\w, ]+) \| (no rows|the same)", text, re.MULTILINE)

    assert {(name, reads, seen) for name, reads, seen in rows} == {
        (
            panel.name,
            ", ".join(sorted(set(panel.tables) - grants.FREE - grants.UNWISE)) or "none",
            "no rows" if panel.hidden_without_show else "the same",
        )
        for panel in ALL
    }
