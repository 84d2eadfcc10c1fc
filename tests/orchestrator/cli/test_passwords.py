import os
import sys

import pytest

from orchestrator.terminal.passwords import hide_arguments, without_secrets, without_store
from workers.errors import UserError

URL = "postgresql://user:s3cret@host/database"


@pytest.mark.parametrize(
    ("arguments", "kept", "url"),
    [
        (["launch", "x", "--store", URL, "--home", "h"], ["launch", "x", "--home", "h"], URL),
        (["launch", f"--store={URL}?a=b", "x"], ["launch", "x"], f"{URL}?a=b"),
        (["--store", "first", "--store", "second"], [], "second"),
        (["launch", "x", "--store"], ["launch", "x", "--store"], None),
        (["launch", "--stored", "x"], ["launch", "--stored", "x"], None),
    ],
)
def test_the_stores_option_is_taken_out_of_the_arguments(arguments: list[str], kept: list[str], url: str | None) -> None:
    assert without_store(arguments) == (kept, url)


class ReplacedError(Exception):
    pass


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def execve(path: str, arguments: list[str], environment: dict[str, str]) -> None:
        calls.append((arguments, environment))
        raise ReplacedError

    monkeypatch.setattr(os, "execve", execve)
    return calls


@pytest.mark.parametrize("url", [URL, "postgresql://host/database?user=u&password=s3cret", "postgres://u:@h:5432/d?sslpassword=s3cret"])
def test_a_password_in_the_arguments_moves_to_the_environment(
    url: str, executed: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "orchestrator.cli.main", "results", "--store", url, "tiny"])
    with pytest.raises(ReplacedError):
        hide_arguments()
    ((arguments, environment),) = executed
    assert arguments == [sys.executable, "-m", "orchestrator.cli.main", "results", "tiny"]
    assert environment["ROBUSTSWEEP_STORE"] == url


@pytest.mark.parametrize("url", ["sqlite:////a@b/c:d.db", "postgresql://user@host:5432/d", "postgresql:///d?host=/tmp/pg"])
def test_a_url_without_a_password_stays_where_it_is(
    url: str, executed: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "robustsweep", "results", "--store", url])
    hide_arguments()
    assert executed == []


def test_a_password_anywhere_else_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "robustsweep", "results", URL])
    with pytest.raises(UserError, match="an argument holds a password") as caught:
        hide_arguments()
    assert "s3cret" not in str(caught.value)


def test_processes_inherit_neither_address_nor_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUSTSWEEP_STORE", URL)
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    monkeypatch.setenv("ROBUSTSWEEP_DATA", "/data")
    with without_secrets():
        assert "s3cret" not in str(dict(os.environ))
        assert os.environ["ROBUSTSWEEP_DATA"] == "/data"
    assert os.environ["ROBUSTSWEEP_STORE"] == URL
    assert os.environ["PGPASSWORD"] == "s3cret"
