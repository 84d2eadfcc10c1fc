"""Problems with the ranges of a space file, each with its path."""

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from search_spaces.schema.parameter import Path


def error(path: Path, value: object, message: str) -> InitErrorDetails:
    """Return a problem with the value at a path of the file."""
    return InitErrorDetails(type="value_error", loc=path, input=value, ctx={"error": ValueError(message)})


def relocated(invalid: ValidationError, path: Path) -> list[InitErrorDetails]:
    """Return a validation's errors, moved below `path`."""
    return [
        InitErrorDetails(type=found["type"], loc=(*path, *found["loc"]), input=found["input"], ctx=found.get("ctx", {}))
        for found in invalid.errors(include_url=False)
    ]
