"""Loss surfaces: planes, losses under one held draw, and the jobs that leave them."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch.nn import functional as F  # noqa: N812

from tests.builders import defend_job, surface_job
from tests.kept_files import kept
from tests.workers.runtime.chain import FULL, MODEL, run_all
from tests.workers.small import DIGITS, generator, network, split
from workers.errors import JobError, UserError
from workers.measure.loss_surface import coordinates, drawn_gradient, explore, full_gradient, plane
from workers.runtime.run import RunSettings, run
from workers.spec.component import DefenceSpec
from workers.spec.job import Job
from workers.spec.surface import SurfaceSettings

EXAMPLE, LABEL = split(4).batch(slice(3, None))
SETTINGS = SurfaceSettings(resolution=5, extent=0.2)
RANDOM = {
    "a draw per batch": {"theta": 0.7},
    "a draw per example": {"theta": 0.7, "draws": "example"},
    "pruning": {"defence": DefenceSpec(name="stochastic_activation_pruning")},
    "resizing": {"theta": 0.8, "defence": DefenceSpec(name="random_resize_pad")},
}
RANDOM_NETS = pytest.mark.parametrize("fields", RANDOM.values(), ids=RANDOM)


def made_plane(net, *, norm="linf", seed=0):
    return plane(full_gradient(net, EXAMPLE, LABEL), norm=norm, generator=generator(seed))


def surface(net, *, seeds=(0,), settings=SETTINGS, directions=None):
    directions = made_plane(net) if directions is None else directions
    return explore(net, EXAMPLE, LABEL, directions=directions, settings=settings, seeds=seeds)


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", np.inf)])
def test_the_axes_are_the_gradients_direction_and_one_orthogonal_to_it_of_length_one(norm, order):
    net = network()
    gradient = full_gradient(net, EXAMPLE, LABEL)
    x, y = (axis.flatten().double() for axis in made_plane(net, norm=norm))
    assert torch.nn.functional.cosine_similarity(x, gradient.flatten().double(), dim=0) == pytest.approx(1, abs=1e-6)
    assert abs(float(x @ y)) < 1e-5 * float(x.norm() * y.norm())
    assert [float(torch.linalg.vector_norm(axis, ord=order)) for axis in (x, y)] == pytest.approx([1, 1], abs=1e-6)


def test_the_random_axis_depends_on_its_seed_alone():
    one, again, other = (made_plane(network(), seed=seed)[1] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_gradient_so_small_that_its_square_is_zero_has_a_direction_all_the_same():
    gradient = full_gradient(network(), EXAMPLE, LABEL)
    tiny = plane(gradient * 1e-30, norm="l2", generator=generator())
    torch.testing.assert_close(tiny, plane(gradient, norm="l2", generator=generator()), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("value", "word"), [(0.0, "zero"), (float("nan"), "not finite"), (float("inf"), "not finite")])
def test_a_gradient_without_direction_is_an_error(value, word):
    with pytest.raises(JobError, match=rf"^the gradient is {word}: it has no direction; try another example$"):
        plane(torch.full_like(EXAMPLE, value), norm="linf", generator=generator())


@pytest.mark.parametrize("resolution", [3, 21, 41, 101])
def test_the_example_itself_is_the_middle_of_the_grid_to_the_bit(resolution):
    settings = SurfaceSettings(resolution=resolution, extent=0.5)
    axis = coordinates(settings)
    assert (axis[resolution // 2], axis[0], axis[-1]) == (0, -0.5, 0.5)
    torch.testing.assert_close(axis, torch.linspace(-0.5, 0.5, resolution, dtype=torch.float64))


def test_a_deterministic_surface_is_that_of_a_direct_evaluation_point_by_point():
    net = network()
    x_axis, y_axis = directions = made_plane(net)
    found = surface(net, directions=directions)
    axis = coordinates(SETTINGS).tolist()
    for row, y in enumerate(axis):
        for column, x in enumerate(axis):
            logits = net(EXAMPLE + x * x_axis + y * y_axis)
            assert float(found.losses[0, row, column]) == pytest.approx(float(F.cross_entropy(logits, LABEL)), rel=1e-4, abs=1e-5)
            assert found.predictions[0, row, column] == logits.argmax()


def test_the_loss_rises_along_the_gradient():
    found = surface(network(), settings=SurfaceSettings(resolution=3, extent=1e-3))
    before, here, after = found.losses[0, 1].tolist()
    assert before < here < after


@RANDOM_NETS
def test_all_points_of_a_draw_see_the_same_draw(fields):
    net = network(width=4, **fields)
    directions = made_plane(net)
    found = surface(net, directions=directions)
    net.seed(0)
    with net.frozen():
        whole = EXAMPLE + torch.tensordot(torch.cartesian_prod(*[coordinates(SETTINGS).float()] * 2).flip(1), directions, dims=1)
        expected = torch.stack([F.cross_entropy(net(point[None]), LABEL) for point in whole])
    torch.testing.assert_close(found.losses.flatten(), expected, rtol=1e-3, atol=1e-4)


@RANDOM_NETS
def test_the_size_of_the_passes_changes_nothing_but_the_rounding(fields, monkeypatch):
    from workers.measure import loss_surface as module

    net = network(width=4, **fields)
    whole = surface(net).losses
    monkeypatch.setattr(module, "POINTS_PER_PASS", 3)
    torch.testing.assert_close(surface(net).losses, whole, rtol=1e-3, atol=1e-4)


@RANDOM_NETS
def test_a_surface_repeats_to_the_bit_and_other_draws_give_others(fields):
    net = network(width=4, **fields)
    directions = made_plane(net)
    once, again = (surface(net, directions=directions, seeds=(1, 2)).losses for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once[0], once[1])
    assert torch.equal(surface(net, directions=directions, seeds=(2,)).losses[0], once[1])


@pytest.mark.parametrize("fields", [RANDOM["a draw per batch"], RANDOM["a draw per example"]])
def test_an_own_gradient_is_the_slope_of_the_very_surfaces_it_is_for(fields):
    net, seeds = network(width=4, **fields), (5, 6, 7)
    gradient = drawn_gradient(net, EXAMPLE, LABEL, seeds=seeds)
    directions = plane(gradient, norm="l2", generator=generator())
    found = surface(net, directions=directions, seeds=seeds, settings=SurfaceSettings(resolution=3, extent=2e-3, norm="l2"))
    mean = found.losses.double().mean(dim=0)
    along_x, along_y = (float(after - before) / 4e-3 for before, after in ((mean[1, 0], mean[1, 2]), (mean[0, 1], mean[2, 1])))
    assert along_x == pytest.approx(float(gradient.norm()), rel=0.05)
    assert abs(along_y) < 0.05 * along_x


def test_points_leave_the_legal_inputs_unless_they_are_clipped():
    net, seen = network(), []
    directions, wide = made_plane(net), SurfaceSettings(resolution=3, extent=2.0)
    net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].aminmax()))
    plain = surface(net, settings=wide, directions=directions)
    clipped = surface(net, settings=wide.model_copy(update={"clip": True}), directions=directions)
    (lowest, highest), inside = seen
    assert lowest < 0
    assert highest > 1
    assert inside == (0, 1)
    assert torch.equal(clipped.losses[0, 1, 1], plain.losses[0, 1, 1])
    assert not torch.equal(clipped.losses, plain.losses)


def test_a_loss_that_is_not_finite_is_an_error():
    net = network()
    with pytest.raises(JobError, match=r"^the loss is not finite at \d+ of 25 points"):
        surface(net, directions=made_plane(net) * 1e38)


DEFENDED = defend_job(MODEL, "random_resize_pad")
FIRST = surface_job(FULL, source=FULL, example=3)
SHARED = surface_job(MODEL, source=FULL, example=3, draws=2)
OWN = surface_job(MODEL, example=3, draws=2)
AROUND = surface_job(DEFENDED, source=FULL, example=3)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run_all([FULL, MODEL, DEFENDED, FIRST, SHARED, OWN, AROUND], tmp_path_factory.mktemp("artifacts"))


def tensors(done, job):
    return load_file(kept(done.root, job.key, "surface.safetensors"))


def test_a_job_leaves_its_grid_and_says_what_is_in_it(done):
    found, outcome = tensors(done, SHARED), done[SHARED].outcome
    shapes = {name: (array.shape, array.dtype) for name, array in found.items()}
    assert shapes == {
        "losses": ((2, 5, 5), np.float32),
        "predictions": ((2, 5, 5), np.uint8),
        "coordinates": ((5,), np.float64),
        "directions": ((2, 3, 32, 32), np.float32),
        "example": ((3, 32, 32), np.float32),
    }
    test = DIGITS.load(None).test.first(4)
    assert np.array_equal(found["example"], test.inputs[3])
    assert outcome.label == test.labels[3]
    losses = found["losses"]
    assert (outcome.least_loss, outcome.greatest_loss) == (losses.min(), losses.max())
    assert outcome.clean_loss == pytest.approx(losses[:, 2, 2].mean())
    assert outcome.linf_norms == pytest.approx((1, 1), abs=1e-6)
    assert outcome.l2_norms == pytest.approx(tuple(np.linalg.norm(found["directions"].reshape(2, -1), axis=1)), rel=1e-5)


def test_every_theta_and_defence_has_the_plane_of_theta_one_and_an_own_direction_another(done):
    first, *shared, own = (tensors(done, job)["directions"] for job in (FIRST, SHARED, AROUND, OWN))
    assert all(np.array_equal(first, other) for other in shared)
    assert not np.array_equal(first, own)


def test_jobs_repeat_to_the_bit(done, tmp_path):
    again = run_all([FULL, MODEL, FIRST, SHARED, OWN], tmp_path)
    assert [again[job].files for job in (FIRST, SHARED, OWN)] == [done[job].files for job in (FIRST, SHARED, OWN)]


def test_a_longer_list_of_draws_begins_with_other_draws_but_the_same_plane(done, tmp_path):
    longer = surface_job(MODEL, source=FULL, example=3, draws=3)
    found = tensors(run_all([FULL, MODEL, longer], tmp_path), longer)
    assert np.array_equal(found["directions"], tensors(done, SHARED)["directions"])
    assert len(np.unique(found["losses"], axis=0)) == 3


def test_a_job_without_its_direction_says_so(done):
    job = Job(spec=SHARED.spec, parents={"model": MODEL.key})
    with pytest.raises(UserError, match="stage surface needs a parent in role 'direction'"):
        run(job, RunSettings(done.root))


@pytest.mark.parametrize("resolution", [1, 0, 40, -3])
def test_a_grid_without_a_middle_is_refused(resolution):
    with pytest.raises(ValueError, match="must be an odd number >= 3"):
        SurfaceSettings(resolution=resolution)
