"""Components by reference: the schemes of a package, found by listing it, and what a wrong reference says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.components.component_registry import Registry
from workers.components.facts import ModelFacts
from workers.components.references import schemes

_SCHEME = """
from workers.components.facts import ModelFacts
from workers.components.references import Referenced


def names():
    return ("narrow_net", "wide_net")


def resolve(name):
    if name not in names():
        raise ValueError(f"library 3.1 has no {name}")

    def create(info, *, depth: int = 3):
        return name, depth

    return Referenced(create, ModelFacts("image"))
"""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[ModelFacts]]:
    folder = tmp_path / "kind_of_nets" / "schemes"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "library.py").write_text(_SCHEME)
    monkeypatch.syspath_prepend(tmp_path)
    yield Registry("model", "kind_of_nets", given=frozenset({"info"}))
    schemes.cache_clear()


def test_a_reference_is_a_component_with_settings(registry: Registry[ModelFacts]) -> None:
    found = registry["library:wide_net"]
    assert (found.name, found.facts, found.digest) == ("library:wide_net", ModelFacts("image"), None)
    assert found.settings.model_validate({"depth": 4}).model_dump() == {"depth": 4}
    assert found.create(None, depth=5) == ("wide_net", 5)
    assert registry.find("library:wide_net") is found
    assert "library:wide_net" in registry


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("library:wide_nett", r"^model 'library:wide_nett': library 3.1 has no wide_nett \(did you mean library:wide_net\?\)$"),
        ("libary:wide_net", "^model 'libary:wide_net': one of library:NAME$"),
        ("library:", "^model 'library:': one of library:NAME$"),
    ],
)
def test_a_wrong_reference_says_what_is_legal(registry: Registry[ModelFacts], reference: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        registry[reference]
    assert registry.find(reference) is None
    assert reference not in registry
