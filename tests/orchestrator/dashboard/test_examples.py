import io
import wave

import numpy as np

from orchestrator.api.examples import Perturbed, in_input_units
from orchestrator.dashboard.example_choice import as_image, as_wav, is_image, loudness_of, perturbation_image
from orchestrator.dashboard.examples_page import ordered, right_shares
from orchestrator.dashboard.waveforms import extremes, waveform_figure
from workers.data.loading.source import Split


def test_an_image_keeps_its_colours_and_its_difference_is_grey_where_nothing_changed() -> None:
    image = np.zeros((3, 32, 32), dtype=np.float32)
    image[0, 0, 0] = 1
    pixels = as_image(image)
    assert pixels.shape == (256, 256, 3)
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels[:8, :8].min(axis=(0, 1)).tolist() == [255, 0, 0]
    assert pixels[0, 8].tolist() == [0, 0, 0]
    changed = image * (8 / 255)
    difference = perturbation_image(changed)
    assert difference[0, 0].tolist() == [255, 128, 128]
    assert np.unique(perturbation_image(np.zeros_like(image))).tolist() == [128]
    assert Perturbed(image, image + changed).largest == np.float32(1 + 8 / 255) - 1
    assert is_image(image)
    assert not is_image(np.zeros((1, 16_000), dtype=np.float32))


def test_sound_is_as_loud_as_it_is_and_a_perturbation_as_loud_as_can_be() -> None:
    quiet = (np.sin(np.arange(16_000) / 5)[None] / 100).astype(np.float32)
    with wave.open(io.BytesIO(as_wav(quiet))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 1, 16_000)
        samples = np.frombuffer(file.readframes(16_000), dtype="<i2")
    assert np.abs(samples).max() == round(32_767 * float(np.abs(quiet).max()))
    loud = as_wav(quiet, loudness=loudness_of(quiet))
    assert np.abs(np.frombuffer(loud[44:], dtype="<i2")).max() == 32_767
    assert loudness_of(np.zeros_like(quiet)) == 1


def test_coded_inputs_are_shown_in_input_units() -> None:
    labels = np.zeros(2, dtype=np.int64)
    assert in_input_units(Split(np.array([[0], [255]], dtype=np.uint8), labels)).ravel().tolist() == [0, 1]
    assert in_input_units(Split(np.array([[-32_768], [16_384]], dtype=np.int16), labels)).ravel().tolist() == [-1, 0.5]


def test_a_drawn_waveform_keeps_its_peaks() -> None:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[[1234, 9999]] = 1, -1
    places = extremes(samples)
    assert len(places) <= 4000
    assert {1234, 9999} <= set(places.tolist())
    figure = waveform_figure(Perturbed(samples[None], samples[None] / 2))
    assert [max(trace.y) for trace in figure.data] == [1, 0.5, 0.5]


def test_examples_are_ordered_by_how_often_they_were_right() -> None:
    flags = {"a": np.array([[True, False, True], [True, False, False]]), "b": np.array([[True, True]])}
    shares = right_shares(flags)
    assert shares.tolist() == [1.0, 1 / 3, 0.5]
    assert ordered(shares, "hardest first").tolist() == [1, 2, 0]
    assert ordered(shares, "easiest first").tolist() == [0, 2, 1]
    assert ordered(shares, "in the order of evaluation").tolist() == [0, 1, 2]
