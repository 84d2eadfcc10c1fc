"""What `submit` refuses before it asks the cluster anything, what it has the cluster run, and the warning about an open one."""

import json
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import pytest
import typer
from ray.core.generated import gcs_service_pb2

from orchestrator.cli.main import app
from orchestrator.cli.submit import _handed_on as handed_on
from orchestrator.executors.ray_tune.cluster import join_cluster
from orchestrator.executors.ray_tune.jobs_api import jobs_client
from orchestrator.executors.ray_tune.local_ray import UNPROTECTED
from orchestrator.launching.submission import Submission, submit, write_files
from orchestrator.planning.prelaunch_checks import check_home
from search_spaces import load_space
from workers.errors import UserError
from workers.plugins import load_plugins

ADDRESS = "http://127.0.0.1:1"


def refused(**given: Any) -> str:
    with pytest.raises(UserError) as caught:
        submit(Submission(space="quickstart", **({"address": ADDRESS} | given)), wait=False, say=print, write=print)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"home": Path("sweeps")}, "--home sweeps: must be an absolute path"),
        ({"data": Path("data")}, "--data data: must be an absolute path"),
        ({"store": "sqlite:///results.db"}, "--store sqlite:///results.db: must name an absolute path"),
        ({"store": "mysql://host/database"}, "must be sqlite:///PATH or postgresql://"),
        ({"overrides": ("model.theta=2",)}, "theta"),
        ({"overrides": ("evaluation.examples=100000",)}, "evaluation.examples=100000: must be at most"),
        ({"address": "127.0.0.1:6379"}, "--address 127.0.0.1:6379: must be http://HOST:8265"),
        ({}, f"--address {ADDRESS}: no Ray dashboard answers there"),
    ],
)
def test_a_mistake_is_refused_here_not_on_the_cluster(given: dict[str, Any], expected: str) -> None:
    assert expected in refused(**given)


@pytest.mark.parametrize(
    "store",
    ["postgresql://user:s3cret@host/database", "postgresql://host/database?user=u&password=s3cret", "postgresql://h/d?sslpassword=s3cret"],
)
def test_a_password_never_becomes_part_of_a_job(store: str) -> None:
    said = refused(store=store)
    assert "must hold no password" in said
    assert "~/.pgpass on the cluster's head" in said
    assert "s3cret" not in said


def test_the_command_on_the_cluster_says_only_what_was_asked_for() -> None:
    bare = Submission(space="quickstart", address=ADDRESS)
    assert bare.entrypoint("quickstart.yaml") == "robustsweep launch quickstart.yaml --address auto"
    full = Submission(
        space="a space.yaml",
        address=ADDRESS,
        overrides=("model.theta=[1.0, 0.8]",),
        home=Path("/shared/sweeps"),
        store="postgresql://user@host/database",
        data=Path("/shared/data"),
        words=("--workers", "8"),
        ship_code=True,
    )
    assert full.entrypoint("a space.yaml") == (
        "python -P -m orchestrator.cli.main launch 'a space.yaml' --address auto --home /shared/sweeps "
        "--store postgresql://user@host/database "
        "--data /shared/data --set 'model.theta=[1.0, 0.8]' --workers 8"
    )


NOTHING = "import robustsweep as rs"


@pytest.mark.parametrize("place", ["space.yaml", "spaces/space.yaml"])
def test_plugins_travel_to_where_the_space_names_them(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for name, text in {
        "mine.py": f"{NOTHING}\nimport helpers_of_mine",
        "helpers_of_mine.py": "",
        "lab/__init__.py": "",
        "other.py": NOTHING,
    }.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    (here / place).parent.mkdir(exist_ok=True)
    up = "../" * place.count("/")
    (here / place).write_text(f"plugins: [{up}mine.py, {up}lab]\ndata: {{name: digits}}\ntraining: {{epochs: 1}}\n")
    monkeypatch.chdir(here)
    monkeypatch.setattr("workers.plugins._loaded", {})
    load_plugins(["other.py"])
    space, given = write_files(there, load_space(place))
    assert load_space(str(there / space)).text == load_space(place).text
    assert sorted(str(path.relative_to(there / "launched")) for path in (there / "launched").rglob("*.py")) == [
        "helpers_of_mine.py",
        "lab/__init__.py",
        "mine.py",
    ]
    assert [(there / path).read_text() for path in given] == [NOTHING]
    assert Submission(space="s", address=ADDRESS).entrypoint("s.yaml", given).endswith(f" --plugin {given[0]}")


def test_every_option_of_launch_can_be_given_to_submit() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    launch, submitting = ({option for parameter in commands[verb].params for option in parameter.opts} for verb in ("launch", "submit"))
    assert launch - submitting == {"--executor"}
    assert submitting - launch == {"--wait", "--ship-code"}


def test_options_of_launch_are_handed_on_as_they_were_given() -> None:
    command = typer.main.get_command(app).commands["submit"]  # type: ignore[attr-defined]
    context = command.make_context(
        "submit", ["quickstart", "--address", ADDRESS, "--workers", "8", "--download", "--no-wait", "--only", "ab", "--only", "cd"]
    )
    assert sorted(handed_on(context)) == sorted(("--download", "--workers", "8", "--only", "ab", "--only", "cd"))


def test_results_in_a_submitted_jobs_own_folder_would_be_lost() -> None:
    with pytest.raises(UserError, match="give one that stays, or set ROBUSTSWEEP_HOME on the head"):
        check_home(Path("/tmp/ray/session_x/runtime_resources/working_dir_files/_ray_pkg_0/sweeps"))
    check_home(Path("/shared/sweeps"))


@contextmanager
def served(answer: bytes) -> Iterator[str]:
    """The address of a dashboard that asks for no token, and knows no more than its version."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_submitting_to_an_open_cluster_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://somewhere.else:8265")
    said: list[str] = []
    with served(json.dumps({"version": "4", "ray_version": "2.60.0"}).encode()) as address:
        client = jobs_client(f"{address}/", warn=said.append)
        assert client.get_address() == address
    assert said == [f"warning: --address {address}: {UNPROTECTED}"]


def test_another_web_server_is_no_dashboard() -> None:
    with served(b"<html>") as address, pytest.raises(UserError, match="no Ray dashboard answers there"):
        jobs_client(address, warn=print)


class OpenHead(grpc.GenericRpcHandler):
    """A head that answers everybody."""

    def service(self, handler_call_details: Any) -> Any:  # noqa: ARG002
        def answer(request: bytes, context: Any) -> bytes:
            return bytes(gcs_service_pb2.GetClusterIdReply(cluster_id=b"x").SerializeToString())  # type: ignore[attr-defined]

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def open_head() -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), handlers=[OpenHead()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_joining_an_open_cluster_warns(open_head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[dict[str, Any]] = []
    said: list[str] = []
    monkeypatch.setattr("ray.init", lambda **settings: joined.append(settings))
    monkeypatch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
    join_cluster(open_head, warn=said.append)
    assert [settings["address"] for settings in joined] == [open_head]
    assert said == [f"warning: --address {open_head}: {UNPROTECTED}"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "ray://127.0.0.1:10001", "somewhere"])
def test_launch_runs_only_where_it_is_part_of_the_cluster(address: str) -> None:
    say: Callable[[str], None] = print
    with pytest.raises(UserError, match="must be auto or HOST:PORT, of a cluster that this machine is part of; else use `submit`"):
        join_cluster(address, warn=say)
