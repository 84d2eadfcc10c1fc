"""Ray's Jobs API, as `submit` uses it: an authenticated client, and a job's output up to its end."""

import asyncio
import logging
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestrator.executors.ray_tune.local_ray import UNPROTECTED, send_users_token, users_token, wrong_token
from workers.errors import UserError, first_line

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_ANSWER_SECONDS = 15.0
_SETTLE_SECONDS = 0.5
_STOPPED, _FAILED = 130, 1  # as `launch` exits


def jobs_client(address: str, *, warn: Callable[[str], None]) -> "JobSubmissionClient":
    """Return a client of the Jobs API at http://HOST:PORT, authenticated if the cluster needs it.

    Raises:
        UserError: there is no cluster, or it needs a token and the user's is missing or wrong.
    """
    if not address.startswith(("http://", "https://")):
        raise UserError(f"--address {address}: must be http://HOST:8265, where the cluster's dashboard answers")
    address = address.rstrip("/")
    if _status(address) is HTTPStatus.OK:
        warn(f"warning: --address {address}: {UNPROTECTED}")
    elif _status(address, token=users_token(address)) is not HTTPStatus.OK:
        raise wrong_token(address)
    else:
        send_users_token()
    from ray.job_submission import JobSubmissionClient

    for module in ("job.sdk", "dashboard_sdk"):  # verbose by default
        logging.getLogger(f"ray.dashboard.modules.{module}").setLevel(logging.CRITICAL)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    os.environ["RAY_API_SERVER_ADDRESS"] = address  # Ray's clients prefer this variable, or RAY_ADDRESS, to their argument
    try:
        return JobSubmissionClient(address)
    except (OSError, RuntimeError) as error:
        raise UserError(f"--address {address}: {first_line(error)}") from error


def _status(address: str, *, token: str | None = None) -> HTTPStatus:
    """Return the HTTP status of a request with this token, or without one: OK, UNAUTHORIZED or FORBIDDEN.

    Raises:
        UserError: no Ray answers there.
    """
    import requests

    wrong = f"--address {address}: no Ray dashboard answers there"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = requests.get(f"{address}/api/version", headers=headers, timeout=_ANSWER_SECONDS, allow_redirects=False)
        status = HTTPStatus(answer.status_code)
        if status is HTTPStatus.OK:
            answer.json()["ray_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:  # the messages of requests are long and of little help
        raise UserError(wrong) from error
    if status not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise UserError(f"{wrong}, but something else: HTTP status {status}")
    return status


async def follow_job(client: "JobSubmissionClient", job: str, write: Callable[[str], None]) -> int:
    """Pass on the job's output until it ends; return the exit code of its command."""
    async for text in client.tail_job_logs(job):
        write(text)
    while not (info := client.get_job_info(job)).status.is_terminal():
        await asyncio.sleep(_SETTLE_SECONDS)
    if info.status == "STOPPED":
        return _STOPPED
    if info.driver_exit_code is None:  # its process was never started, or was killed
        write(f"{info.message}\n" if info.message else "")
        return 0 if info.status == "SUCCEEDED" else _FAILED
    return int(info.driver_exit_code)
