"""The image, as far as it can be checked without Docker: extras, entry point, what is copied into it, and the commands that use it."""

import json
import re
import shlex
import tomllib
from pathlib import Path

from tests.docs.blocks import ROOT, command_lines
from tests.docs.test_commands import parsed

TEXT = (ROOT / "deploy" / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TAG = f"robustsweep:{PROJECT['version']}"


def _instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", TEXT, re.MULTILINE)


def test_every_extra_is_in_the_image_but_those_of_developers() -> None:
    (install,) = (line for line in _instructions("RUN") if "pip install" in line)
    (asked,) = re.findall(r"\.\[([\w,]+)\]", install)
    assert asked.split(",") == sorted(set(PROJECT["optional-dependencies"]) - {"dev", "docs"})
    assert "--constraint constraints.txt" in install
    assert not {"constraints.txt", "pyproject.toml", "orchestrator"} & set((ROOT / ".dockerignore").read_text().split())


def test_its_entry_point_is_the_program() -> None:
    assert [json.loads(words) for words in _instructions("ENTRYPOINT")] == [["robustsweep"]]
    assert "robustsweep" in PROJECT["scripts"]


def test_the_python_is_one_that_the_project_takes() -> None:
    (major, minor) = re.findall(r"^FROM python:(\d+)\.(\d+)-slim$", TEXT, re.MULTILINE)[0]
    assert (int(major), int(minor)) >= tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))


def test_what_the_pages_run_in_it_are_commands_of_the_program_on_its_tag() -> None:
    runs = [shlex.split(line) for line in command_lines() if line.startswith("docker run ")]
    assert {words[words.index(TAG) + 1] for words in runs} == {"launch", "report", "dashboard"}
    for words in runs:
        parsed(shlex.join(["robustsweep", *words[words.index(TAG) + 1 :]]))
        assert "--volume" in words
    assert all(TAG in Path(file).read_text() for file in (ROOT / "deploy/kuberay.yaml", ROOT / "docs/install.md"))
