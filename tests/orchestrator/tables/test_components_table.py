"""The table of components: registered ones by kind, a library's by its name."""

import pytest

from orchestrator.tables.components_table import components_table
from workers.errors import UserError


def test_a_library_lists_all_that_it_has_with_settings() -> None:
    rows = {name: (kind, settings, source) for kind, name, settings, source, *_ in components_table("foolbox").rows}
    assert rows["foolbox:L2DeepFoolAttack"] == ("attack", "steps=50, candidates=10, overshoot=0.02, loss=logits", "foolbox")
    assert len(rows) == 40


def test_a_kind_or_a_library_that_there_is_not_names_those_that_there_are() -> None:
    with pytest.raises(
        UserError, match=r"^components footbox: one of model, .*, metric, .*folder, foolbox, robustbench, timm, torchvision$"
    ):
        components_table("footbox")
