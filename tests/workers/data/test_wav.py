import numpy as np
import pytest
import soundfile

from tests.workers.data.speech_root import write_wav
from workers.data.loading.wav import read_clip, read_samples
from workers.errors import DataError


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-1000])


def garbled(path):
    path.write_bytes(b"RIFF\0\0\0\0" + bytes(100))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (cut_off, r"is truncated: 31044 of 32044 bytes"),
        (garbled, "is corrupt: Format not recognised"),
        (lambda path: path.write_bytes(b""), "is corrupt: not a WAV file"),
        (lambda path: path.write_bytes(b"ID3 not a wav at all"), "is corrupt: not a WAV file"),
        (lambda path: path.unlink(), "no such file or directory"),
        (lambda path: write_wav(path, 0), "is corrupt: it has no samples"),
        (lambda path: write_wav(path, rate=8000), "8000 Hz, 1 channel.s., PCM_16: must be 16000 Hz"),
        (lambda path: write_wav(path, channels=2), "2 channel"),
        (lambda path: write_wav(path, subtype="PCM_24"), "PCM_24: must be"),
        (lambda path: write_wav(path, 16_001), "16001 samples: must be at most 16000"),
    ],
    ids=["truncated", "garbled", "empty", "no-wav", "absent", "no-samples", "rate", "stereo", "depth", "too-long"],
)
def test_a_clip_that_cannot_be_used_is_named_in_one_line(tmp_path, damage, complaint):
    path = write_wav(tmp_path / "yes" / "a_nohash_0.wav")
    damage(path)
    with pytest.raises(DataError, match=complaint) as caught:
        read_clip(path, 16_000)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("samples", [1, 8_174, 15_999, 16_000])
def test_a_shorter_clip_is_padded_with_zeros_at_its_end(tmp_path, samples):
    path = write_wav(tmp_path / "a.wav", samples)
    clip = read_clip(path, 16_000)
    expected, _ = soundfile.read(path, dtype="int16")
    assert (clip.shape, clip.dtype) == ((16_000,), np.int16)
    assert np.array_equal(clip[:samples], expected)
    assert not clip[samples:].any()


def test_a_file_of_any_length_can_be_read_whole(tmp_path):
    assert read_samples(write_wav(tmp_path / "noise.wav", 50_000)).shape == (50_000,)
