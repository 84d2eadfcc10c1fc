"""Every block of code in README and the pages is legal: spaces by the schema, Python by the compiler, SQL by a database."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from orchestrator.store import Store, open_store
from orchestrator.store.connection.read_only_sql import ask
from robustsweep import testing
from search_spaces import load_space
from tests.docs.blocks import Block, blocks

LANGUAGES = {"sh", "yaml", "python", "sql", "text", "bibtex"}
BASE: dict[str, Any] = {"data": {"name": "digits"}, "training": {"epochs": 1}}
PLUGIN = "\n".join(block.text for block in blocks("python") if block.page == "own-components.md")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/results.db", upgrade=True) as opened:
        yield opened


def test_every_block_names_a_language_that_is_checked() -> None:
    assert [str(block) for block in blocks() if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    assert ast.parse(block.text).body


def test_the_guides_own_components_keep_their_contracts(tmp_path: Path, forgotten: None) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    images, labels = np.linspace(0, 1, 12 * 3 * 64).reshape(12, 3, 8, 8), np.arange(12) % 3
    np.savez(tmp_path / "birds.npz", images=images, labels=labels, test_images=images, test_labels=labels)
    testing.load(tmp_path / "mine.py")
    testing.check_attack("salt")
    testing.check_dataset("birds", root=tmp_path, fraction=0.5)
    testing.check_defence("few_levels")
    testing.check_loss("like_trades")


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_sql_is_answered(block: Block, empty: Store) -> None:
    for statement in filter(str.strip, block.text.split(";")):
        assert ask(empty, statement).columns


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_space_or_a_part_of_one_is_legal(block: Block, tmp_path: Path, forgotten: None) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "mine.pt").touch()
    part = yaml.safe_load(block.text)
    (tmp_path / "block.yaml").write_text(yaml.safe_dump(BASE | part, sort_keys=False))
    assert load_space(str(tmp_path / "block.yaml")).name == "block"
