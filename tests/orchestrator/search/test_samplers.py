"""Ranges as Optuna has them."""

from hypothesis import assume, given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, distribution_to_json, json_to_distribution

from orchestrator.search.samplers import distribution, suggested, values_of
from search_spaces import SpaceError, parse_space

TEXT = """\
method: optuna
search: {{n_trials: 3, objectives: [clean_accuracy]}}
data: {{name: digits}}
training: {{epochs: 1, weight_decay: {{min: {low!r}, max: {high!r}, step: {step!r}}}}}
"""
ENDS = st.floats(min_value=0, max_value=1e3) | st.integers(0, 12).map(lambda places: places / 12)


@given(low=ENDS, step=st.floats(min_value=1e-3, max_value=100) | st.integers(1, 300).map(lambda parts: 1 / parts), count=st.integers(0, 60))
def test_optuna_can_suggest_every_value_of_any_stepped_range_however_often_it_reads_it(low: float, step: float, count: int) -> None:
    try:
        space = parse_space(TEXT.format(low=low, high=low + count * step, step=step), label="x.yaml", stem="x")
    except SpaceError as refused:  # steps of less than a number's last digits
        assume("step=" not in str(refused))
        raise
    (made,) = space.parameters
    asked = distribution(made)
    assert asked == json_to_distribution(distribution_to_json(json_to_distribution(distribution_to_json(asked))))
    assert isinstance(asked, FloatDistribution)
    values = [made.exact(low + place * step) for place in range(count + 1)]
    assert (values[0], values[-1], len(set(values))) == (made.low, made.high, count + 1)
    for value in values:
        space.at({made.name: value})
        there = suggested({made.name: value}, space.parameters)
        assert asked._contains(there[made.name])
        assert values_of(there, space.parameters) == {made.name: value}
