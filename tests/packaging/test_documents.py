"""What the documents point to exists: links, headings, files, commands, options, `make` targets and settings."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import click
import pytest
import typer.main
from pymdownx.slugs import slugify

from fixtures.documents import ROOT, blocks, documents, handwritten, prose, text_of
from postil.cli import complete_app
from postil.settings import Settings

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<title>.+?) *$", re.MULTILINE)
CODE = re.compile(r"(?<!`)`(?P<code>[^`\n]+)`(?!`)")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?")
TOP = {"core", "outbox_relay", "consumers", "deploy", "docs", "tests", ".ci"}
"""The folders at the root: a code word that begins with one of them is a path."""

SHELL = {"", "sh", "bash", "console", "shell"}
"""The languages of code blocks with commands. A block without a language may also be something else."""

ROOT_COMMAND: Any = typer.main.get_command(complete_app())
anchor = slugify(case="lower")


def anchors(document: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub and the built site form them."""
    titles = HEADING.findall(prose(document))
    return {anchor(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", ""), "-") for title in titles}


def broken_links(document: str) -> list[str]:
    """Return the relative links of a document whose file or heading does not exist."""
    broken = []
    for target in LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        if not file.exists() or (heading and heading not in anchors(str(file.resolve().relative_to(ROOT)))):
            broken.append(target)
    return broken


@pytest.mark.parametrize("document", documents())
def test_each_relative_link_has_its_target(document: str) -> None:
    """Each relative link of a document leads to a file of the repository, and to a heading of it."""
    assert broken_links(document) == []


@pytest.mark.parametrize("document", documents())
def test_each_path_in_code_style_exists(document: str) -> None:
    """Each path of the repository that a document names in code style exists."""
    words = [word for code in CODE.findall(prose(document)) for word in code.split()]
    paths = [word for word in words if PATH.fullmatch(word) and word.split("/")[0] in TOP]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def commands(document: str) -> list[str]:
    """Return the shell commands of a document: lines of its shell blocks, and code words with arguments."""
    lines = [
        re.sub(r"\s+#.*", "", line).strip().removeprefix("$ ").removesuffix(" &")
        for block in blocks(document)
        if block.language in SHELL
        for line in block.code.replace("\\\n", " ").splitlines()
    ]
    return lines + CODE.findall(prose(document))


def arguments_of(line: str) -> list[str] | None:
    """Return the arguments of a `postil` command in a line; None if the line is something else."""
    match = re.match(r"(?:\.venv/bin/)?postil (?P<arguments>[a-z-].*)$", line)
    return shlex.split(match["arguments"]) if match else None


def fault(arguments: list[str]) -> str | None:
    """Return what is wrong with a `postil` command's names; None if subcommand and options exist.

    The values are not checked, because documents write FILE or … for a value.
    """
    command, rest = ROOT_COMMAND, list(arguments)
    while isinstance(command, click.Group) or hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            break
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command {name!r}"
        command = command.commands[name]
    options = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    options |= {"--help"}
    unknown = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in options]
    return f"there is no option {unknown[0]!r}" if unknown else None


@pytest.mark.parametrize("document", documents())
def test_each_postil_command_exists(document: str) -> None:
    """Each `postil` command in a document names a subcommand and options that exist."""
    faults = [
        f"{line}: {problem}"
        for line in commands(document)
        if (arguments := arguments_of(line)) and (problem := fault(arguments))
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("postil verify --no-such", "there is no option '--no-such'"),
        ("postil audit no-such", "there is no command 'no-such'"),
        (".venv/bin/postil up --data DIR", None),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, problem: str | None) -> None:
    """The check of commands reports an unknown subcommand and an unknown option."""
    arguments = arguments_of(line)
    assert arguments is not None
    assert fault(arguments) == problem


def test_each_command_of_the_readme_prints_its_help() -> None:
    """Each `postil` command of the README starts, and prints its help."""
    lines = [arguments for line in commands("README.md") if (arguments := arguments_of(line))]
    assert lines
    for arguments in lines:
        names = []
        command = ROOT_COMMAND
        while hasattr(command, "commands") and len(names) < len(arguments):
            names.append(arguments[len(names)])
            command = command.commands[names[-1]]
        completed = subprocess.run(
            [sys.executable, "-m", "postil", *names, "--help"], capture_output=True, text=True, check=False
        )
        assert (completed.returncode, "Usage:" in completed.stdout) == (0, True), completed.stderr


def test_each_make_target_exists() -> None:
    """Each `make` target that a document names is a target of the Makefile, with its line in `make help`."""
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        match[1]
        for document in documents()
        for line in commands(document)
        if (match := re.match(r"make ([a-z-]+)\b", line))
    }
    assert named
    assert named - targets == set()


def test_each_setting_exists() -> None:
    """Each variable `POSTIL_…` that a document names is a setting, or selects the file of settings."""
    names = {f"POSTIL_{name.upper()}" for name in Settings.model_fields} | {"POSTIL_CONFIG"}
    unknown = {
        (document, name)
        for document in handwritten()
        for name in re.findall(r"\bPOSTIL_[A-Z_]+\b", text_of(document))
        if not (name in names or (name.endswith("_") and any(known.startswith(name) for known in names)))
    }
    assert unknown == set()


def test_a_broken_link_is_found(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of links reports a missing file and a missing heading, and accepts what exists."""
    folder = tmp_path_factory.mktemp("documents")
    text = "# One title\n[a](#one-title) [b](#two) [c](missing.md) [d](page.md#one-title) [e](https://example.org)\n"
    (folder / "page.md").write_text(text, "utf-8")
    monkeypatch.setattr("fixtures.documents.ROOT", folder)
    monkeypatch.setitem(globals(), "ROOT", folder)
    assert broken_links("page.md") == ["#two", "missing.md"]
