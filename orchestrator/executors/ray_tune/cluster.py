"""Connection to a Ray cluster that runs already, with a check of its address and of the user's token."""

import os
import socket
from collections.abc import Callable
from typing import Any

from orchestrator.executors.ray_tune.local_ray import UNPROTECTED, send_users_token, users_token, wrong_token
from orchestrator.executors.ray_tune.ray_internals import head_at, job_of_this_code, reclaim_sigterm
from workers.errors import UserError

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 15.0


def join_cluster(address: str, *, warn: Callable[[str], None], **settings: Any) -> None:
    """Connect this process, on one of the cluster's nodes, to the cluster at `auto` or HOST:PORT.

    Warns in one line if the cluster needs no token. Where it does, the user's is sent, even if `RAY_AUTH_MODE` is not set.

    Raises:
        UserError: there is no cluster, or it needs a token and the user's is missing or wrong.
    """
    import ray

    try:
        found = _resolved(address)
        _check_port_open(found)
        if not _uses_tls() and not _authenticate(found, address):
            warn(f"warning: --address {address}: {UNPROTECTED}")
        ray.init(address=found, job_config=job_of_this_code(), **settings)
        reclaim_sigterm()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"--address {address}: no Ray cluster there: {str(error).splitlines()[0]}") from error


def _resolved(address: str) -> str:
    """Return the address as HOST:PORT; `auto` is this machine's cluster.

    Raises:
        UserError: not of a form that `launch` understands, or no cluster runs here.
    """
    if "://" in address or (address != "auto" and not address.rpartition(":")[2].isdigit()):
        raise UserError(f"--address {address}: must be auto or HOST:PORT, of a cluster that this machine is part of; else use `submit`")
    if (found := head_at(address)) is None:
        raise UserError("--address auto: no Ray cluster runs on this machine; start one with `ray start`, or give HOST:PORT")
    return found


def _check_port_open(address: str) -> None:
    """Connect to HOST:PORT once: Ray itself would wait for minutes, and then end the process.

    Raises:
        OSError: nothing answers.
    """
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()


def _uses_tls() -> bool:
    """Return whether the user has set up Ray's mutual TLS: the check is then skipped, since each connection would need a certificate."""
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def _authenticate(address: str, asked: str) -> bool:
    """Return whether the cluster at HOST:PORT needs a token; the user's is then valid, and Ray will send it.

    Raises:
        UserError: the token is missing or wrong.
        OSError: the server there is not Ray.
    """
    if _admits(address, token=None):
        return False
    if not _admits(address, token=users_token(asked)):
        raise wrong_token(asked)
    send_users_token()
    return True


def _admits(address: str, *, token: str | None) -> bool:
    """Return whether the cluster accepts requests with this token, or without one.

    Raises:
        OSError: no Ray answers there.
    """
    import grpc
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

    shown = [("authorization", f"Bearer {token}")] if token else None
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        service = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
        try:
            request = gcs_service_pb2.GetClusterIdRequest()  # type: ignore[attr-defined]
            service.GetClusterId(request, timeout=_ANSWER_SECONDS, metadata=shown)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                return False
            raise OSError(f"what listens at {address} is no Ray head (8265 is its dashboard, 6379 the head)") from error
    return True
