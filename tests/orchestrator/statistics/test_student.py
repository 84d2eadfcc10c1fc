"""Student's quantiles without SciPy are SciPy's."""

import numpy as np
import pytest
from scipy.special import stdtrit

from orchestrator.statistics.student import student_quantiles


@pytest.mark.parametrize("freedom", [np.linspace(1, 5, 101), np.geomspace(5, 1e6, 500), np.array([999.999, 1e3, 1e12, 1e300, np.inf])])
def test_quantiles_are_scipys(freedom):
    assert student_quantiles(freedom) == pytest.approx(stdtrit(freedom, 0.975), rel=1e-11)
