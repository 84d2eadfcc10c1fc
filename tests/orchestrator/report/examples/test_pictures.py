"""Arrays of examples as pictures and sounds."""

import io
import wave

import numpy as np
from PIL import Image

from orchestrator.report.examples.panels import Perturbed
from orchestrator.report.examples.renderings import (
    as_wav,
    enlarged,
    image_pixels,
    is_image,
    loudness_of,
    perturbation_range,
    png_bytes,
    snr_db,
    sound_pixels,
)
from orchestrator.report.examples.stored import in_input_units
from workers.data.loading.source import Split

TONE = (np.sin(2 * np.pi * 2000 * np.arange(16_000) / 16_000)[None] / 2).astype(np.float32)


def test_an_image_keeps_its_colours_and_its_difference_is_grey_where_nothing_changed() -> None:
    image = np.zeros((3, 32, 32), dtype=np.float32)
    image[0, 0, 0] = 1
    pixels = enlarged(image_pixels(image), 256)
    assert pixels.shape == (256, 256, 3)
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels[:8, :8].min(axis=(0, 1)).tolist() == [255, 0, 0]
    assert pixels[0, 8].tolist() == [0, 0, 0]
    changed = image * (8 / 255)
    difference = enlarged(image_pixels(perturbation_range(changed)), 256)
    assert difference[0, 0].tolist() == [255, 128, 128]
    assert np.unique(image_pixels(perturbation_range(np.zeros_like(image)))).tolist() == [128]
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


def test_a_tone_is_a_line_of_its_spectrogram_and_fills_its_waveform():
    pixels = sound_pixels(TONE, peak=1.0)
    waveform, spectrogram = pixels[:72], pixels[72:].sum(axis=2, dtype=int)
    drawn = (waveform != 255).any(axis=(1, 2)).nonzero()[0]
    assert (drawn.min(), drawn.max()) == (17, 54)  # half of the peak
    brightest = spectrogram.mean(axis=1).argmax()
    assert abs((len(spectrogram) - 1 - brightest) / len(spectrogram) - 2000 / 8000) < 0.03


def test_a_png_holds_the_pixels():
    pixels = sound_pixels(TONE, peak=1.0)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(pixels)))), pixels)


def test_snr_is_twenty_log_ten_of_the_lengths():
    assert abs(snr_db(TONE, TONE * np.float32(1.1)) - 20) < 1e-4
    assert snr_db(TONE, TONE) is None
    assert snr_db(np.zeros_like(TONE), TONE) is None
