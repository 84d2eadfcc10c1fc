"""Store URLs: parsing, and display without their secrets."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from orchestrator.paths import shown_url
from workers.errors import UserError

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_LEGAL = "must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"


def parse_url(text: str) -> URL:
    """Return the SQLAlchemy URL, with the driver that we use filled in.

    Raises:
        UserError: malformed, a database that is not supported, or an SQLite URL that names no file.
    """
    try:
        text.encode()  # what is not UTF-8 could not be shown either
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UserError(f"store '{_masked(text)}': {_LEGAL}") from None
    if url.drivername not in _DRIVERS:
        raise UserError(f"store '{shown_url(url)}': {_LEGAL}")
    if url.drivername.startswith("sqlite") and (url.database or ":memory:").startswith((":memory:", "file:")):
        raise UserError(f"store '{shown_url(url)}': must name a file, as sqlite:///PATH")
    if url.drivername.startswith("sqlite") and "?" in text:
        raise UserError(f"store '{shown_url(url)}': takes no options: write %3F for a question mark in a path")
    if "\0" in (url.database or ""):
        raise UserError(f"store '{shown_url(url)}': no path has a NUL")
    return url.set(drivername=_DRIVERS[url.drivername])


def scrubbed(message: str, url: URL) -> str:
    """Return the first line of a driver's message, with the URL's passwords masked wherever the driver repeats them."""
    line = next(iter(message.strip().splitlines()), "no reason given")
    secrets = [url.password, *(value for name, value in url.query.items() if "password" in name)]
    for secret in secrets:
        line = line.replace(str(secret), "***") if secret else line
    return line


def _masked(text: str) -> str:
    """Return a text that could not be read as a URL, without what may be its user and password."""
    scheme, separator, rest = text.rpartition("://") if "://" in text else ("", "", text)
    return scheme + separator + ("***@" + rest.rpartition("@")[2] if "@" in rest else rest)
