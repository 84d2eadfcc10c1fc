"""Odd command lines and space files: exit code 0, 1 or 2, no traceback, within 20 s and a gigabyte. FUZZ_EXAMPLES=2000 tries more."""

import contextlib
import io
import os
import resource
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.main import get_command

from orchestrator.cli.main import app, main
from orchestrator.store import open_store
from tests.builders import small_plan
from tests.stored import launch

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
SECONDS, KILOBYTES = 20, 1_000_000
PLACES = (
    *("", " ", ".", "..", "~", "~nobody", "file", "folder", "fifo", "file/below", "/dev/null", "/proc/none", "x" * 300, "x/" * 3000, "\0"),
    *(
        "\udcff",
        "é",
        "%",
        "a?b#c",
        "zip://",
        "tar://x",
        "ftp://",
        "reference://",
        "http://",
        "memory://",
        "s3://",
        "file://",
        "://",
        "data://",
    ),
    *(
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:////proc/x",
        "sqlite:///folder",
        "sqlite:///file",
        "postgresql://",
        "mysql://x",
    ),
)
WORDS = (
    *(
        "0",
        "1",
        "2",
        "-1",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1e999999999",
        "9" * 400,
        "8/255",
        "1/0",
        "0.03137254901960784",
        "abc",
        "true",
        "none",
    ),
    *("theta=0.9", "epsilon<=8/255", "epsilon=abc", "=", "a.b=c", "model.theta=", "model.theta=[1,", "seed=1" + "0" * 400, "attacks=[]"),
    *(
        "attacks.0.epsilon={a: 1}",
        "variants.0=1",
        "small",
        "quickstart",
        "search-digits",
        "space.yaml",
        "SELECT 1",
        "SELECT",
        "table",
        "json",
    ),
    *(
        "csv",
        "latex",
        "theta,attack",
        "attack,epsilon",
        "-theta",
        "sound",
        "ray",
        "inline",
        "--",
        "-",
        "\x1b[31m",
        "linf",
        "l2",
        "127.0.0.1:1",
    ),
)
VALUES = st.sampled_from([*PLACES, *WORDS])


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, found in group.commands.items():
        yield from commands(found, (*path, name)) if hasattr(found, "commands") else [((*path, name), found)]


COMMANDS = list(commands(get_command(app)))


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with odd values for some of its options, and for all of its arguments or none."""
    path, found = draw(st.sampled_from(COMMANDS))
    words, arguments = list(path), []
    for parameter in found.params:
        if parameter.param_type_name == "argument":
            arguments += draw(st.lists(VALUES, max_size=2) if parameter.nargs == -1 else st.lists(VALUES, min_size=1, max_size=1))
        elif parameter.name != "help" and draw(st.integers(0, 3)) == 0:
            words += [parameter.opts[0]] + ([] if parameter.is_flag else [draw(VALUES)])
    return words + arguments


SPACES = [found.read_text() for found in sorted(files("search_spaces").iterdir(), key=str) if found.name.endswith(".yaml")]  # type: ignore[arg-type]
PIECES = st.sampled_from(
    (
        *WORDS,
        *(
            "\0",
            "\udcff",
            "é",
            "{",
            "]",
            "&a",
            "*a",
            "!!python/object:os.system x",
            "- ",
            "  ",
            "\t",
            "1000000000",
            "[1, 1]",
            "null",
            ".nan",
        ),
        *("{min: 0, max: 1, step: 0.3}", "{min: 0.2, max: 1.0, step: 0.06666666666666667}", "{values: []}", "method: optuna", "search: {}"),
    )
)


@st.composite
def space_files(draw: st.DrawFn) -> bytes:
    """A built-in space with some of its lines changed, as an editor or an accident would."""
    lines = [line for line in draw(st.sampled_from(SPACES)).splitlines() if not line.lstrip().startswith("#")]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        key, colon, _ = lines[place].partition(":")
        match draw(st.sampled_from(["value", "value", "value", "drop", "repeat", "insert", "cut"])):
            case "value":
                lines[place] = f"{key}{colon} {draw(PIECES)}"
            case "drop":
                lines[place] = ""
            case "repeat":
                lines.insert(draw(st.integers(0, len(lines))), lines[place])
            case "insert":
                lines.insert(place, draw(PIECES))
            case _:
                lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of one sweep, and files of all kinds."""
    import torch  # noqa: F401 (an alarm while an example imports it would leave half of it to all others)

    folder = tmp_path_factory.mktemp("fuzz") / "a" / "b" / "here"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_text("no database")
    with open_store(f"sqlite:///{folder}/sweeps/results.db", upgrade=True) as store:
        launch(store, small_plan())
    return folder


def run(words: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run the program in this process, without what starts others or waits for a network; return its exit code and output."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    stopped = mock.Mock(side_effect=SystemExit(2))
    with contextlib.ExitStack() as stack:
        for name in ("drive.drive", "launch.drive", "submission.jobs_client"):
            stack.enter_context(mock.patch(f"orchestrator.launching.{name}", stopped))
        stack.enter_context(mock.patch("orchestrator.report.sweep_page.figure_files.asyncio.run", lambda browser: browser.close() or []))
        for name in ("orchestrator.dashboard.server.serve", "orchestrator.launching.doctor.run_checks.check_gpus", "os.execve"):
            stack.enter_context(mock.patch(name, stopped))
        stack.enter_context(mock.patch.dict(os.environ, {"HOME": str(folder), "COLUMNS": "100"}))
        stack.enter_context(mock.patch.object(sys, "argv", ["robustsweep", *words]))
        stack.enter_context(mock.patch.object(sys, "orig_argv", ["python", "robustsweep", *words]))
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(contextlib.redirect_stdout(output))
        stack.enter_context(contextlib.redirect_stderr(output))
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        output.flush()
        return code, output.buffer.getvalue().decode()  # type: ignore[attr-defined]


def _too_long(*_: object) -> None:
    raise AssertionError(f"more than {SECONDS} s")


def check(words: Sequence[str], home: Path, space: bytes | None = None) -> tuple[int, str]:
    here = home.parent / "now"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(home, here)
    os.mkfifo(here / "fifo")
    if space is not None:
        (here / "space.yaml").write_bytes(space)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of the processor, which others use too
    signal.alarm(6 * SECONDS)
    try:
        code, said = run(words, here)
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
    assert code in (0, 1, 2), said
    assert "Traceback" not in said, said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < KILOBYTES
    return code, said


@pytest.mark.parametrize(
    "words",
    [
        *(["best", "small", "--epsilon", epsilon] for epsilon in ("0", "-1", "abc", "", "nan", "inf")),
        *(["status", "--home", home] for home in ("x" * 300, "x/" * 3000, "\udcff", "file", "/proc/none")),
        *(["report", "small", "-o", page] for page in ("", ".", "/", "folder", "fifo", "x" * 300, "file/below", "/proc/none/x")),
        *(["plan", "space.yaml", "--artifacts", f"{scheme}://x"] for scheme in ("zip", "tar", "ftp", "reference", "http")),
        *(["plan", "space.yaml", "--artifacts", url] for url in ("s3://", "sftp://", "x" * 300)),
        *(["plan", space] for space in ("fifo", "folder", "\udcff", "\0", "x" * 300)),
    ],
    ids=lambda words: f"{words[0]}-{words[-1][:8]!r}",
)
def test_a_wrong_number_or_place_is_one_line_and_exit_code_2(words: list[str], home: Path) -> None:
    code, said = check(words, home, b"data: {name: digits}\ntraining: {epochs: 1}\n")
    assert (code, said.count("\n"), said.startswith("robustsweep: ")) == (2, 1, True), said


@settings(max_examples=EXAMPLES)
@given(words=command_lines())
def test_no_command_line_ends_in_a_traceback(words: list[str], home: Path) -> None:
    check(words, home)


@settings(max_examples=EXAMPLES)
@given(space=space_files(), words=st.sampled_from([["plan"], ["plan", "-f", "json"], ["launch", "--executor", "inline"]]))
def test_no_space_file_ends_in_a_traceback(space: bytes, words: list[str], home: Path) -> None:
    check([words[0], "space.yaml", *words[1:]], home, space)
