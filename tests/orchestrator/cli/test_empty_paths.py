"""An empty path, as an unset variable of a script makes it, is refused: it would be the current folder, or the default."""

import sys

import pytest

from orchestrator.cli.main import main


@pytest.mark.parametrize(
    "arguments",
    [
        *(["results", "--home", ""], ["results", "--home="], ["results", "small", "--store", ""], ["report", "small", "-o", ""]),
        *(["plan", "quickstart", "--data", ""], ["launch", "quickstart", "--artifacts", ""], ["study", "small", "--figures", ""]),
        *(["robustbench", "small", "--epsilon", "8/255", "--out", ""], ["results", "--plugin", ""]),
    ],
    ids=" ".join,
)
def test_an_empty_path_is_one_line(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["robustsweep", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    option = next(word for word in reversed(arguments) if word.startswith("-")).rstrip("=")
    assert capsys.readouterr().err == f"robustsweep: {option} '': must name a place; leave it out for the default\n"
