"""Every command in README and the pages is one that the program takes: its parser parses it, its spaces are there, make has its targets."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestrator.cli.main import app
from search_spaces import builtin_spaces
from tests.docs.blocks import ROOT, command_lines, inline_commands

PROGRAM: Any = typer.main.get_command(app)
OTHERS = {".", "docker", "pip", "ray", "export", "RAY_AUTH_MODE=token", "(umask"}
WRITTEN = {"my-space.yaml", "mine.yaml"}


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """What the program's own parser makes of a command: the command's name, and its parameters."""
    said = shlex.split(line)[1:]
    if said[-1] in ("--version", "--help"):
        return "", {}
    with PROGRAM.make_context("robustsweep", said) as context:
        command, words = PROGRAM, said
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            found = command.commands.get(words[0])
            assert found is not None, f"there is no command {words[0]}: {line}"
            command, words = found, words[1:]
        with command.make_context(command.name, words, parent=context) as own:
            return command.name, dict(own.params)


@pytest.mark.parametrize("line", [line for line in dict.fromkeys(command_lines()) if line.startswith("robustsweep ")])
def test_a_command_in_a_block_is_taken_by_the_program(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://localhost:8265")  # as the block of `submit` exports it
    name, values = parsed(line)
    if name in ("launch", "plan", "doctor", "submit"):
        assert values["space"] in {space for space, _ in builtin_spaces()} | WRITTEN


def test_no_command_in_a_block_has_what_zsh_would_take_for_a_pattern() -> None:
    quoted = re.compile(r"'[^']*'|\"[^\"]*\"")
    assert [line for line in command_lines() if re.search(r"[][{}*?]", quoted.sub("", line))] == []


@pytest.mark.parametrize("line", list(dict.fromkeys(inline_commands())))
def test_a_command_in_the_text_is_one_of_the_programs_with_options_of_its_own(line: str) -> None:
    first = shlex.split(line)[1]
    assert first.startswith("-") or first in {*PROGRAM.commands, "COMMAND"}
    options = {option for one in _last_command(line).params for option in one.opts} | {"--help", "--version"}
    assert {word.partition("=")[0] for word in shlex.split(line) if word.startswith("-") and word != "-"} <= options


def _last_command(line: str) -> Any:
    command = PROGRAM
    for word in shlex.split(line)[1:]:
        command = getattr(command, "commands", {}).get(word, command)
    return command


def test_every_other_line_of_a_shell_block_is_of_a_known_program() -> None:
    others = [line for line in command_lines() if not line.startswith(("robustsweep ", "make "))]
    assert {line.split()[0] for line in others} <= OTHERS | {"python"}


def test_make_has_the_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in command_lines() if line.startswith("make ") for word in line.split(" && ")[0].split()[1:]}
    assert named
    assert named <= targets


def test_extras_are_there() -> None:
    declared = set(
        re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2], re.MULTILINE)
    )
    named = {one for page in [ROOT / "README.md", *Path(ROOT / "docs").glob("*.md")] for one in _extras(page.read_text())}
    assert named
    assert named <= declared


def _extras(text: str) -> set[str]:
    return {name for found in re.findall(r"pip install '(?:\.|robustsweep)\[([\w,]+)\]'", text) for name in found.split(",")}
