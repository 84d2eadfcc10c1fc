import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.train import learning_rate


def rates(schedule, *, total, peak=0.1):
    return [learning_rate(step, total=total, peak=peak, schedule=schedule) for step in range(total)]


@pytest.mark.parametrize(("step", "rate"), [(0, 0.1), (149, 0.1), (150, 0.01), (249, 0.01), (250, 0.001), (349, 0.001)])
def test_the_step_schedule_drops_tenfold_where_the_papers_epochs_150_and_250_begin(step, rate):
    assert learning_rate(step, total=350, peak=0.1, schedule="step") == pytest.approx(rate)
    assert learning_rate(step * 40, total=350 * 40, peak=0.1, schedule="step") == pytest.approx(rate)


@pytest.mark.parametrize(
    ("step", "share"), [(0, 1 / 26), (12, 13 / 26), (24, 25 / 26), (25, 1), (50, 0.75), (62.5, 0.5), (75, 0.25), (100, 0)]
)
def test_one_cycle_rises_for_a_quarter_and_falls_as_a_cosine(step, share):
    assert learning_rate(step, total=100, peak=0.2, schedule="one_cycle") == pytest.approx(0.2 * share, abs=1e-12)


@given(total=st.integers(1, 300))
def test_one_cycle_rises_to_its_peak_and_falls_without_ever_reaching_zero(total):
    found = rates("one_cycle", total=total)
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert min(found) > 0
    assert max(found) <= 0.1


@given(total=st.integers(4, 300).filter(lambda total: total % 4 == 0))
def test_one_cycle_reaches_its_peak(total):
    assert max(rates("one_cycle", total=total)) == pytest.approx(0.1)


@given(total=st.integers(1, 300))
def test_step_rates_never_rise(total):
    found = rates("step", total=total)
    assert found == sorted(found, reverse=True)
