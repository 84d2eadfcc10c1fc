"""The share of seeds in the variance between models: unbiased enough, and covered by its interval as often as it says."""

import numpy as np
import pytest

from orchestrator.statistics.seed_share import seed_share


def test_the_share_is_near_the_true_one_and_its_interval_covers_it_in_95_of_100() -> None:
    generator = np.random.default_rng(0)
    drawn = [generator.normal(0, 2, 20)[:, None] + generator.normal(0, 1, (20, 5)) for _ in range(300)]
    found = [one for values in drawn if (one := seed_share(values.tolist())) is not None]
    assert np.mean([one.share for one in found]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([one.low is not None and one.high is not None and one.low <= 0.2 <= one.high for one in found]) > 0.92
    assert np.mean([one.deviation for one in found]) == pytest.approx(1, abs=0.03)


def test_what_the_values_do_not_determine_is_none() -> None:
    assert seed_share([[1.0], [2.0]]) is None
    assert seed_share([[1.0, 1.0], [1.0, 1.0]]) is None
    alone = seed_share([[1.0, 2.0, 3.0]])
    assert alone is not None
    assert (alone.share, alone.low, alone.high, alone.deviation) == (1.0, None, None, 1.0)


def test_seeds_that_change_nothing_have_no_share() -> None:
    found = seed_share([[1.0, 1.0], [2.0, 2.0]])
    assert found is not None
    assert (found.share, found.deviation) == (0.0, 0.0)
