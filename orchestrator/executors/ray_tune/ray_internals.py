"""Private names of Ray that have no public counterpart: each is used in one function here, and `test_ray_internals.py` fails where a
release changes it."""

import os
import signal
import site
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workers.code import FOLDER

if TYPE_CHECKING:
    from ray.job_config import JobConfig
    from ray.tune.experiment import Trial

# Ray's switch for "this machine alone", which it turns on by itself on two systems; elsewhere its processes listen on every interface.
_BEYOND_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def head_at(address: str) -> str | None:
    """Return the HOST:PORT at which `ray.init(address)` would look for a cluster's head; None where `auto` finds none on this machine.

    The only public function that returns it is `ray.init`, after it has connected: too late to ask for a token, and if the cluster is
    gone it waits for minutes and ends the process.
    """
    from ray._private.services import canonicalize_bootstrap_address

    found = canonicalize_bootstrap_address(address)
    return None if found is None else str(found)


def reread_authentication() -> None:
    """Make Ray read the authentication mode and token again.

    It reads the environment once, when it is imported, and keeps the values; no public function makes it discard them.
    """
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def loopback_alone() -> Iterator[None]:
    """Make processes that Ray starts inside the context listen on loopback only.

    The variable, which is public, is for the processes that start; this one has read it when it imported Ray. `ray.init` takes no
    address to listen on: it replaces `_node_ip_address="127.0.0.1"` by the machine's own.
    """
    from ray._private import ray_constants

    allowed, before = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(_BEYOND_LOOPBACK)
    ray_constants.ENABLE_RAY_CLUSTER = False
    os.environ[_BEYOND_LOOPBACK] = "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = allowed
        os.environ.pop(_BEYOND_LOOPBACK)
        if before is not None:
            os.environ[_BEYOND_LOOPBACK] = before


@contextmanager
def unobtrusive() -> Iterator[None]:
    """Keep Ray, inside the context, from handling SIGTERM in this process in Python and from printing pages of a dead process's log;
    `log_to_driver` and `logging_level`, which are public, leave both as they are."""
    from ray._private import utils, worker

    replaced = (utils, "set_sigterm_handler"), (worker, "print_to_stdstream")
    before = [getattr(module, name) for module, name in replaced]
    try:
        for module, name in replaced:
            setattr(module, name, lambda *_, **__: None)
        yield
    finally:
        for (module, name), function in zip(replaced, before, strict=True):
            setattr(module, name, function)


def reclaim_sigterm() -> None:
    """Give SIGTERM back to this process's own handler: as Ray connects, its C++ code takes the signal to print its stack and abort."""
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


CORE_PROCESSES = ("raylet", "gcs_server")
"""Names of those processes of a local Ray without which no job can run."""


def dead_processes() -> list[str]:
    """Return the names of those processes of a local Ray, started by this one, without which no job can run and that have ended."""
    from ray._private import worker

    node = worker._global_node
    return [] if node is None else [name for name, _ in node.dead_processes() if name in CORE_PROCESSES]


_WAITED_FOR = ("InternalKVGcsService", "PlacementGroupInfoGcsService", "ActorInfoGcsService")


@contextmanager
def dead_head_answers(address: str) -> Iterator[None]:
    """Answer, inside the context, in the place of a dead head of this machine: what Tune waits for is refused, which raises an error there.

    Ray itself would go on asking for a minute, in C++ code that no signal interrupts, and then abort this process.
    """
    import grpc

    class Refusal(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, call: Any) -> Any:
            waited_for = any(service in call.method for service in _WAITED_FOR)
            code = grpc.StatusCode.UNIMPLEMENTED if waited_for else grpc.StatusCode.UNAVAILABLE  # the latter is asked again
            return grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(code, "the head has died"))

    server = grpc.server(ThreadPoolExecutor(max_workers=4), handlers=[Refusal()])
    server.add_insecure_port(address)
    server.start()
    try:
        yield
    finally:
        server.stop(None)


def job_of_this_code() -> "JobConfig":
    """Return the settings of a Ray job whose workers import the code that this process runs.

    Ray would put this process's current folder, and that of its script, before all else on their path. Public ways to prevent that are a
    working folder, which makes each process start later, and another current folder, which all threads of this process would share.
    """
    from ray.job_config import JobConfig

    class OwnCode(JobConfig):
        def _runtime_env_has_working_dir(self) -> bool:
            return True  # so that no folder is added

    installed = str(FOLDER.parent) in site.getsitepackages()  # the path ends with these; first, they would hide Python's own modules
    return OwnCode(_py_driver_sys_path=[] if installed else [str(FOLDER.parent)])


def without_process(controller: Any, trials: "Iterable[Trial]") -> "Iterator[Trial]":
    """Return the waiting trials for which Tune's controller starts no process, since they have requested none or it waits for CPUs or
    GPUs.

    Schedulers get only a trial's public status, which is PENDING in either case.
    """
    requested, not_started = controller._trial_to_actor, set(controller._actor_manager.pending_actors)
    return (trial for trial in trials if trial not in requested or requested[trial] in not_started)


def forget_trials(controller: Any, ended: "set[Trial]") -> None:
    """Remove these trials, which have ended: Tune keeps every one, 27 kB each, to write a state that is never used.

    The list of all trials is public, the sets that also hold them are not. Tune also keeps the state that it has written of a trial,
    but it writes only once before the end (`TUNE_GLOBAL_CHECKPOINT_S`).
    """
    trials = controller.get_trials()
    trials[:] = [trial for trial in trials if trial not in ended]
    for kept in (controller._stopped_trials, controller._failed_trials, controller._trials_to_cache):
        kept.difference_update(ended)
