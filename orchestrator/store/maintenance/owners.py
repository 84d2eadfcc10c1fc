"""Databases whose jobs' files are in one place: each launch leaves a marker there, so that housekeeping of one spares the others."""

import hashlib
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from orchestrator.paths import shown_url
from orchestrator.store.connection.session import Store, open_store
from orchestrator.store.connection.urls import parse_url
from orchestrator.store.reading.result_rows import adopted_weights, job_keys
from orchestrator.store.schema.base import utc_now
from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError


@dataclass(frozen=True)
class Owners:
    """Knowledge of a place of artifacts: if this database is `marked` there, the jobs `kept` for others that can be read and
    the digests of the `weights` that these adopt, and the `unread` others."""

    marked: bool
    kept: frozenset[str]
    weights: frozenset[str]
    unread: tuple[str, ...]


def mark_owner(artifacts: Artifacts, store: Store) -> None:
    """Note that the store's jobs have their files here.

    Raises:
        StorageError: it cannot be written.
    """
    name, url, host = _identity(artifacts, store)
    artifacts.add_owner(name, json.dumps({"url": url, "host": host, "launched_at": utc_now().isoformat()}).encode())


def owners_of(artifacts: Artifacts, store: Store) -> Owners:
    """Read the markers, and the databases that they name.

    Raises:
        StorageError: the markers cannot be read.
    """
    own, *_ = _identity(artifacts, store)
    markers = artifacts.owners()
    kept: set[str] = set()
    weights: set[str] = set()
    unread = []
    for content in (content for name, content in markers.items() if name != own):
        if (held := _held(artifacts, store, content)) is None:
            unread.append(_described(content))
        else:
            kept |= held[0]
            weights |= held[1]
    return Owners(own in markers, frozenset(kept), frozenset(weights), tuple(sorted(unread)))


def _identity(artifacts: Artifacts, store: Store) -> tuple[str, str, str]:
    """The name of the store's marker, its URL without password, and its host where it is a file, by its way from the artifacts."""
    url, host = shown_url(store.address), ""
    if store.engine.dialect.name == "sqlite":
        host, path = socket.gethostname(), Path(str(store.address.database)).resolve()
        url = str(path) if "://" in artifacts.url else os.path.relpath(path, Path(artifacts.url).resolve())
    return hashlib.sha256(json.dumps([host, url]).encode()).hexdigest(), url, host


def _held(artifacts: Artifacts, store: Store, marker: bytes) -> tuple[frozenset[str], frozenset[str]] | None:
    """The keys of all jobs of the database of a marker, and the digests of the weights that they adopt; None where it cannot be read."""
    try:
        found = json.loads(marker)
        if (address := _address(artifacts, store, found["url"], host=found["host"])) is None:
            return None
        with open_store(address.render_as_string(hide_password=False), upgrade=False) as other:
            return job_keys(other), adopted_weights(other)
    except (UserError, ValueError, KeyError, TypeError):
        return None


def _address(artifacts: Artifacts, store: Store, url: str, *, host: str) -> URL | None:
    """The address behind a marker: a file of this machine, or a database of our own server, the only one that gets our password."""
    if host:
        path = Path(url) if "://" in artifacts.url else Path(artifacts.url).resolve() / url
        return URL.create("sqlite", database=os.path.normpath(path)) if host == socket.gethostname() else None
    address, ours = parse_url(url), store.address
    same = (address.host, address.port, address.username, dict(address.query)) == (ours.host, ours.port, ours.username, dict(ours.query))
    return ours.set(database=address.database) if same else None


def _described(marker: bytes) -> str:
    try:
        found = json.loads(marker)
        where = f" on {found['host']}" if found["host"] else ""
        return f"{found['url']}{where}, launched {found['launched_at'][:10]}"
    except (ValueError, KeyError, TypeError):
        return "an unreadable marker"
