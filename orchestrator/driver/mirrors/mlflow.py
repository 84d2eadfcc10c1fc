"""Mirror in MLflow: an experiment for each sweep, a run for each model, by the server's REST interface, which needs no package."""

import base64
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from orchestrator.driver.mirrors.entry import Entry, MirroredModel

_SECONDS = 10.0
_TAG = "robustsweep_key"
_MOST_PARAMETERS, _LONGEST_VALUE = 100, 500  # in a request; in any version of MLflow
_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")


class RequestRefusedError(Exception):
    """A request that the server will never carry out."""


class MLflow:
    """`Target` at an MLflow tracking server. `MLFLOW_TRACKING_TOKEN`, or `_USERNAME` and `_PASSWORD`, are sent as MLflow's client does."""

    def __init__(self, address: str, *, anew: bool) -> None:
        """Write to the server at `address`; `anew`: into new runs, those that earlier mirrors made of the same models being deleted."""
        self._address, self._anew = address.rstrip("/"), anew
        self._experiments: dict[str, str] = {}
        self._runs: dict[str, str] = {}

    def write(self, entry: Entry) -> None:
        now = _now()
        metrics = [
            {"key": _named(name), "value": value, "timestamp": now, "step": entry.step} for name, value in sorted(entry.values.items())
        ]
        self._post("runs/log-batch", run_id=self._run(entry.model), metrics=metrics)

    def close(self) -> None:
        for run in self._runs.values():
            self._post("runs/update", run_id=run, status="FINISHED", end_time=_now())

    def _run(self, model: MirroredModel) -> str:
        """The id of a model's run, which is made where there is none."""
        if model.key not in self._runs:
            experiment = self._experiment(model.sweep)
            found = self._post(
                "runs/search",
                experiment_ids=[experiment],
                filter=f"tags.{_TAG} = '{model.key}'",
                max_results=1,
                run_view_type="ACTIVE_ONLY",
            )
            earlier = [run["info"]["run_id"] for run in found.get("runs", ())]
            for run in earlier if self._anew else ():
                self._post("runs/delete", run_id=run)
            self._runs[model.key] = self._made(model, experiment) if self._anew or not earlier else earlier[0]
        return self._runs[model.key]

    def _made(self, model: MirroredModel, experiment: str) -> str:
        tags = [{"key": _TAG, "value": model.key}, {"key": "mlflow.runName", "value": model.name}]
        made = self._post("runs/create", experiment_id=experiment, run_name=model.name, start_time=_now(), tags=tags)
        run: str = made["run"]["info"]["run_id"]
        for parameters in _in_requests(model.settings):
            self._post("runs/log-batch", run_id=run, params=parameters)
        return run

    def _experiment(self, sweep: str) -> str:
        """The id of a sweep's experiment, which is made where there is none."""
        if sweep not in self._experiments:
            try:
                found = self._asked("experiments/get-by-name?experiment_name=" + quote(sweep, safe=""))["experiment"]["experiment_id"]
            except RequestRefusedError:
                found = self._post("experiments/create", name=sweep)["experiment_id"]
            self._experiments[sweep] = found
        return self._experiments[sweep]

    def _post(self, what: str, **values: Any) -> Any:
        return self._asked(what, json.dumps(values).encode())

    def _asked(self, what: str, body: bytes | None = None) -> Any:
        """Return the server's answer.

        Raises:
            OSError: it gives none, or is out of order.
            RequestRefusedError: it refuses.
        """
        asked = Request(f"{self._address}/api/2.0/mlflow/{what}", data=body, headers=_headers())  # noqa: S310 (checked to be http)
        try:
            with urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read() or b"{}")
        except HTTPError as error:
            said = f"{what.partition('?')[0]}: {error.code} {' '.join(error.read().decode(errors='replace').split())[:200]}"
            if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code == HTTPStatus.TOO_MANY_REQUESTS:
                raise OSError(said) from None
            raise RequestRefusedError(said) from None
        except URLError as error:
            raise OSError(f"no answer: {error.reason}") from None


def _headers() -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    elif user:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return headers


def _in_requests(settings: Mapping[str, str]) -> Iterator[Sequence[dict[str, str]]]:
    parameters = [{"key": _named(name), "value": value[:_LONGEST_VALUE]} for name, value in settings.items()]
    return (parameters[start : start + _MOST_PARAMETERS] for start in range(0, len(parameters), _MOST_PARAMETERS))


def _named(name: str) -> str:
    """The name with the characters that MLflow admits."""
    return _NOT_IN_NAMES.sub("_", name)


def _now() -> int:
    return time.time_ns() // 1_000_000
