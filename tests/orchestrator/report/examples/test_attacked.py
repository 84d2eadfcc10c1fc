"""Attacked examples as a picture grid, in a file and in a notebook."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from orchestrator.report.examples.attacked import AttackedExamples, Predictions
from workers.errors import UserError

COUNT = 20
LABELS = np.arange(COUNT) % 3
BEFORE = Predictions(LABELS.copy(), np.full(COUNT, 0.75))
AFTER = Predictions(np.where(np.arange(COUNT) < 6, 0, LABELS), np.full(COUNT, 0.5))


def attacked(*shape: int) -> AttackedExamples:
    clean = np.random.default_rng(0).random((COUNT, *shape), dtype=np.float32)
    adversarial = np.clip(clean + np.float32(4 / 255), 0, 1)
    return AttackedExamples(clean, adversarial, LABELS, np.arange(COUNT) + 100, ("<ox>", "cat", "dog"), BEFORE, AFTER, "pgd 4/255")


def test_predictions_are_named_with_their_probability_and_escaped():
    html = attacked(3, 8, 8).first(2)._repr_html_()
    assert "example 100: &lt;ox&gt;" in html
    assert "cat 75.0 %" in html
    assert "&lt;ox&gt; 50.0 %" in html
    assert len(re.findall(r'src="data:image/png;base64,', html)) == 6
    assert "at most 4/255" in html
    assert "http" not in html


def test_a_notebook_shows_the_first_of_many():
    html = attacked(1, 4, 4)._repr_html_()
    assert html.count("<figure") == 16 * 3
    assert "The first 16 of 20." in html


def test_fooled_examples_are_those_that_were_right_and_no_longer_are():
    assert attacked(1, 4, 4).fooled().places.tolist() == [101, 102, 104, 105]
    unknown = AttackedExamples(*(getattr(attacked(1, 4, 4), name) for name in ("clean", "adversarial", "labels", "places")))
    with pytest.raises(UserError, match="the predictions are not known"):
        unknown.fooled()
    assert unknown.note == "20 examples; what the network predicts was not recorded"


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (1, 2000)], ids=str)
def test_grids_are_written_as_pictures_and_pages(tmp_path, shape):
    few = attacked(*shape).first(3)
    picture = Image.open(io.BytesIO(few.save(tmp_path / "grid.png").read_bytes()))
    assert picture.width > 300
    assert len(np.unique(np.asarray(picture))) > 50
    page = few.save(tmp_path / "grid.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "default-src &#39;none&#39;" in page
    assert ("<audio" in page) is (len(shape) == 2)
    assert ("SNR" in page) is (len(shape) == 2)
    with pytest.raises(UserError, match=r"grid\.gif: must end with \.png or \.html"):
        few.save(tmp_path / "grid.gif")
