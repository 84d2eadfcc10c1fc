"""What `robustsweep explain` says."""

import pytest

from orchestrator.naming.glossary import explained, settings, words
from workers.errors import UserError


def test_a_word_a_setting_and_a_component_are_explained() -> None:
    theta = dict(explained("theta"))
    assert theta["word"] == words()["theta"]
    assert "number in (0, 1]; default 1; an axis" in theta["setting model.theta"]
    assert [what for what, _ in explained("pgd")] == ["attack"]
    assert [what for what, _ in explained("model.rank_fraction")] == ["setting model.rank_fraction"]
    assert explained("worst_case") == [("word", words()["worst case"])]


def test_an_unknown_word_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"knowlege: is no word, setting or component here; did you mean knowledge"):
        explained("knowlege")


def test_a_setting_says_its_values_and_its_default() -> None:
    found = {one.path: one for one in settings()}
    assert found["training.epochs"].default == "required"
    assert found["fine_tuning.epochs"].values == "whole number >= 0"
    assert {"64", "16 (logmel)", "16 (soundnet5)"} <= set(found["model.width"].default.split(", "))
    assert found["attacks.knowledge"].values == "eot, omniscient, randomized, transfer"
    assert found["data.train_examples"].values == "whole number >= 1, or null"
    assert found["training.adversarial_epsilon"].default == "[2/255, 8/255]"
    assert not found["evaluation.examples"].is_axis
