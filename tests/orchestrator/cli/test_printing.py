"""Nothing that is printed is obeyed by a terminal, wherever it comes from."""

import io
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from rich.text import Text

from orchestrator.store import open_store
from orchestrator.terminal.console import Terminal
from tests.builders import small_plan
from tests.commands import environment, write_space
from tests.stored import launch
from workers.visible_text import visible

ROOT = Path(__file__).parents[3]
PLACES = {"orchestrator/terminal/console.py", "workers/visible_text.py"}


AROUND = re.compile(r"\bConsole\([^)]|\bsecho\(|os\.write\(|sys\.__std|sys\.std(out|err)\.(buffer|fileno)|rich\.print|unfiltered\(")


def test_no_other_place_prints_around_the_filter() -> None:
    files = [path for package in ("orchestrator", "workers", "search_spaces", "robustsweep") for path in (ROOT / package).rglob("*.py")]
    assert {str(path.relative_to(ROOT)) for path in files if AROUND.search(path.read_text())} == PLACES


OBEYED = "\x1b[31m\x1b]0;title\x07\x9b1m\x08\rX\u202e\u2066\u200b\u3164[bold red]:smile:[/]"
SHOWN = r"\x1b[31m\x1b]0;title\x9b1mX\u202e\u2066\u200b\u3164[bold red]:smile:[/]"  # rich leaves out the rest
FREE_TEXTS = {
    "sweeps": ("name", "driver_host"),
    "environments": ("host", "device", "git_revision"),
    "trained_models": ("dataset", "model", "rank_kind", "sketch_modes", "adversarial_training"),
    "attack_results": ("attack", "target", "backend", "sign_gradient"),
    "attempts": ("error", "traceback"),
    "verdicts": ("checks",),
}
ALL_COMMANDS = """
import json, sys
from orchestrator.cli.main import main
for words in json.loads(sys.stdin.read()):
    sys.argv = ["robustsweep", *words]
    sys.stderr.write(f"== {words[0]}\\n")
    try:
        main()
    except SystemExit as ended:
        assert ended.code in (None, 0, 1, 2), (words, ended.code)
"""


def hostile_store(folder: Path) -> str:
    """A store whose every free text a terminal would obey; the key of one of its jobs."""
    jobs = small_plan()
    with open_store(f"sqlite:///{folder}/sweeps/results.db", upgrade=True) as store:
        launch(store, jobs, failing=jobs[-1:])
    with closing(sqlite3.connect(folder / "sweeps" / "results.db")) as connection, connection:
        for table, columns in FREE_TEXTS.items():
            for column in columns:
                text = (
                    json.dumps([{"name": OBEYED, "outcome": "failed", "reason": OBEYED, "numbers": {}}]) if column == "checks" else OBEYED
                )
                connection.execute(f"UPDATE {table} SET {column} = ?", [text])
    return jobs[0].key


def test_what_a_database_or_an_argument_says_is_never_obeyed(tmp_path: Path) -> None:
    key = hostile_store(tmp_path)
    space = write_space(tmp_path, name=f"a{OBEYED.replace('/', '')}")
    commands: list[list[str]] = [
        *([*words, "-f", form] for words in (["results"], ["verdicts"], ["status"]) for form in ("table", "csv", "markdown")),
        ["status", "--failed"],
        ["compare", OBEYED, OBEYED],
        ["show", key],
        ["plan", "tiny.yaml", "--estimate"],
        ["plan", str(space), "--estimate", "--set", f"model.{OBEYED}=1"],
        ["query", "SELECT * FROM v_results"],
        ["query", f"SELECT '{OBEYED}' AS \"{OBEYED}\""],
        ["query", OBEYED],
        ["results", f"no-{OBEYED}"],
        ["results", "--where", f"{OBEYED}=1"],
        ["results", f"--{OBEYED}"],
        ["results", "--limit", OBEYED],
        ["results", "--home", OBEYED],
        ["results", "--store", f"sqlite:///{OBEYED}"],
        ["report", "--paper"],
        ["robustbench", OBEYED, "--epsilon", "8/255", "--out", f"out{OBEYED}"],
        ["db", "check"],
        ["db", "export", "out", OBEYED],
        [OBEYED],
        ["--help"],
    ]
    write_space(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", ALL_COMMANDS],
        input=json.dumps(commands),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout + done.stderr
    obeyed = [line for line in printed.split("\n") if visible(line, keep="\t") != line]
    assert obeyed == []
    assert done.stdout.count(r"\u202e") > 20
    assert "Traceback" not in done.stderr


def test_a_terminal_keeps_its_own_colours_and_shows_everybody_elses() -> None:
    text = io.StringIO()
    Terminal(file=text, force_terminal=True, width=200, color_system="standard").print(Text(OBEYED, style="red"))
    assert text.getvalue() == f"\x1b[31m{SHOWN}\x1b[0m\n"
