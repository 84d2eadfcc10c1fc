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


@pytest.mark.parametrize(("step", "rate"), [(0, 0.01), (24, 0.01), (25, 0.001), (34, 0.001), (35, 0.0001), (49, 0.0001)])
@pytest.mark.parametrize("batches", [1, 37, 663])
def test_the_step_schedule_drops_where_the_papers_audio_epochs_25_and_35_begin(step, rate, batches):
    found = learning_rate(step * batches, total=50 * batches, peak=0.01, schedule="step", milestones=(25 / 50, 35 / 50), gamma=0.1)
    assert found == pytest.approx(rate)


def test_every_epoch_of_the_papers_recipes_begins_at_the_rate_that_the_paper_states():
    for epochs, drops in ((350, (150, 250)), (50, (25, 35))):
        for batches in (1, 97, 391):
            shares = [drop / epochs for drop in drops]
            for drop in drops:
                before, after = (
                    learning_rate(step, total=epochs * batches, peak=1.0, schedule="step", milestones=shares, gamma=0.5)
                    for step in (drop * batches - 1, drop * batches)
                )
                assert after == before / 2


def test_a_schedule_without_milestones_is_constant():
    assert {learning_rate(step, total=10, peak=0.3, schedule="step", milestones=()) for step in range(10)} == {0.3}


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


def test_cosine_and_linear_fall_to_zero_after_their_warm_up():
    cosine = [learning_rate(step, total=100, peak=1.0, schedule="cosine") for step in range(100)]
    assert cosine[0] == 1.0
    assert cosine[50] == pytest.approx(0.5)
    assert cosine == sorted(cosine, reverse=True)
    linear = [learning_rate(step, total=100, peak=1.0, schedule="linear", warm_up=0.4) for step in range(100)]
    assert linear[:40] == sorted(linear[:40])
    assert (linear[40], linear[70], linear[99]) == pytest.approx((1.0, 0.5, 1 / 60))


def test_any_schedule_can_warm_up():
    assert learning_rate(0, total=100, peak=1.0, schedule="step", warm_up=0.1) == pytest.approx(1 / 11)
