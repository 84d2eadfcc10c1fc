import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from tests.workers.small import CPU, generator, network, split
from workers.layers import LatentSketch, TuckerKernel, mode_product

SHAPE, RANK = (6, 5, 3, 3), (4, 3, 2, 3)
DRAWS = 2000


def sketch(theta, *, seed=0, **settings):
    made = LatentSketch(theta=theta, **settings)
    made.generator = generator(seed)
    return made


def kernel(made):
    """A double-precision kernel of fixed weights under the sketch `made`."""
    built = TuckerKernel(SHAPE, RANK, sketch=made).double()
    built.initialise(generator(1))
    return built


def draws(made, rank, count):
    return [made.scales(rank, device=CPU) for _ in range(count)]


@torch.no_grad()
def sampled(modes, *, theta=0.7, **settings):
    """The mean and the standard error of sketched kernels, and the full kernel."""
    built = kernel(sketch(theta, modes=modes, **settings))
    kernels = torch.stack([built() for _ in range(DRAWS)])
    with built.sketch.full_weights():
        return kernels.mean(dim=0), kernels.std(dim=0) / DRAWS**0.5, built()


@pytest.mark.parametrize("modes", ["channels", "all"])
@pytest.mark.parametrize(("all_zero", "theta"), [("keep", 0.7), ("redraw", 0.7), ("redraw", 0.5), ("redraw", 0.2)])
def test_the_expected_sketched_kernel_is_the_full_kernel(modes, all_zero, theta):
    mean, error, full = sampled(modes, rescale=True, all_zero=all_zero, theta=theta)
    assert ((mean - full).abs() <= 4 * error).all()


@pytest.mark.parametrize(("modes", "n_sketched"), [("channels", 2), ("all", 4)])
def test_without_rescale_the_expected_kernel_shrinks_by_theta_per_sketched_mode(modes, n_sketched):
    mean, error, full = sampled(modes, rescale=False)
    assert ((mean - 0.7**n_sketched * full).abs() <= 4 * error).all()


def test_flags_are_independent_bernoulli_of_theta_within_and_across_modes():
    rank, theta, count = (3, 2), 0.6, 20_000
    made = sketch(theta, rescale=False)
    flags = np.array([torch.cat(drawn).int().tolist() for drawn in draws(made, rank, count)])
    observed = np.bincount(flags @ (1 << np.arange(5))[::-1], minlength=32)
    expected = [count * np.prod([theta if kept else 1 - theta for kept in pattern]) for pattern in itertools.product((0, 1), repeat=5)]
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_the_number_of_kept_components_is_binomial():
    count, rank, theta = 5000, 8, 0.9
    kept = [int(drawn[0].sum()) for drawn in draws(sketch(theta, rescale=False), (rank, 1), count)]
    expected = count * stats.binom.pmf(np.arange(rank + 1), rank, theta)
    rare = expected < 5
    observed = np.bincount(kept, minlength=rank + 1)
    pooled = [np.append(values[~rare], values[rare].sum()) for values in (observed, expected)]
    assert stats.chisquare(*pooled).pvalue > 1e-3


def test_a_draw_that_drops_everything_is_kept_and_gives_a_zero_kernel():
    built = kernel(sketch(0.3))
    kernels = [built() for _ in range(50)]
    zeros = sum(not bool(drawn.any()) for drawn in kernels)
    assert 0 < zeros < 50
    assert all(drawn.isfinite().all() for drawn in kernels)


@pytest.mark.parametrize(("rescale", "kept"), [(True, 1 / 0.8), (False, 1.0)])
def test_scales_are_zero_for_dropped_and_one_or_one_over_theta_for_kept(rescale, kept):
    values = torch.cat([torch.cat(drawn) for drawn in draws(sketch(0.8, modes="all", rescale=rescale), RANK, 30)])
    assert set(values.tolist()) == {0.0, float(torch.tensor(kept))}


@pytest.mark.parametrize(("modes", "sketched"), [("channels", [True, True, False, False]), ("all", [True] * 4)])
def test_only_the_named_modes_are_sketched(modes, sketched):
    scales = sketch(0.5, modes=modes).scales(RANK, device=CPU)
    assert [scale is not None for scale in scales] == sketched
    assert [scale.shape == (rank,) for scale, rank in zip(scales, RANK, strict=True) if scale is not None] == [True] * sum(sketched)


def test_theta_one_is_bit_identical_to_the_unsketched_kernel_and_draws_nothing():
    built = kernel(sketch(1.0, modes="all"))
    before = built.sketch.generator.get_state()
    expected = built.core
    for mode in reversed(range(4)):
        expected = mode_product(expected, built.factors[mode], mode=mode)
    assert torch.equal(built(), built.build([None] * 4))
    torch.testing.assert_close(built(), expected)
    assert torch.equal(built.sketch.generator.get_state(), before)


def test_theta_one_needs_no_generator():
    assert LatentSketch(theta=1.0).scales(RANK, device=CPU) == [None] * 4


def test_a_live_sketch_without_a_generator_is_an_error_not_global_randomness():
    with pytest.raises(RuntimeError, match=r"theta=0\.9: a live sketch needs a generator"):
        LatentSketch(theta=0.9).scales(RANK, device=CPU)


def test_drawing_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    draws(sketch(0.5), RANK, 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("theta", [0.0, -0.1, 1.3, float("nan")])
def test_theta_outside_its_range_is_refused_by_value(theta):
    with pytest.raises(ValueError, match=rf"theta={theta}: must be in \(0, 1\]"):
        LatentSketch(theta=theta)


def test_full_weights_are_those_of_theta_one_and_draw_nothing():
    built, plain = kernel(sketch(0.5)), kernel(sketch(1.0))
    before = built.sketch.generator.get_state()
    with built.sketch.full_weights():
        assert torch.equal(built(), plain())
    assert torch.equal(built.sketch.generator.get_state(), before)


def test_the_sketch_is_live_again_after_an_exception_inside_full_weights():
    made = sketch(0.5)
    with pytest.raises(KeyboardInterrupt), made.full_weights():
        raise KeyboardInterrupt
    assert made.live


def test_leaving_an_inner_full_weights_does_not_switch_the_outer_one_off():
    made = sketch(0.5)
    with made.full_weights():
        with made.full_weights():
            pass
        assert not made.live
    assert made.live


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("theta", [1.0, 0.8])
def test_repeated_forward_passes_differ_exactly_where_theta_is_below_one(theta, training):
    net = network(width=4, theta=theta).train(training)
    inputs, _ = split(4).batch(slice(4))
    assert torch.equal(net(inputs), net(inputs)) == (theta == 1)


def test_eval_mode_draws_as_many_flags_as_training_mode():
    net = network(theta=0.8)
    inputs, _ = split(4).batch(slice(4))
    states = []
    for training in (True, False):
        net.train(training).seed(3)
        net(inputs)
        states.append(net.sketch.generator.get_state())
    assert torch.equal(*states)


def test_equal_seeds_give_equal_draws_and_other_seeds_others():
    net = network(width=4, theta=0.8)
    inputs, _ = split(4).batch(slice(4))

    def logits(seed):
        net.seed(seed)
        return [net(inputs) for _ in range(2)]

    first, again, other = torch.stack(logits(1)), torch.stack(logits(1)), torch.stack(logits(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
