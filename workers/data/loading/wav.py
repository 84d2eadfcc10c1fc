"""Reads the one kind of sound file that the speech data has: 16 kHz mono 16-bit PCM WAV. What is anything else is named and refused.

Read by soundfile: torchaudio.load has needed another package, torchcodec, since its version 2.9.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.errors import DataError, os_reason
from workers.files import open_regular

SAMPLE_RATE = 16_000
FULL_SCALE = 32_768
Samples = NDArray[np.int16]


def read_samples(path: Path) -> Samples:
    """All samples of a file, (samples,).

    Raises:
        DataError: the file is missing, corrupt, truncated, empty or of another kind; the message names it.
    """
    import soundfile

    try:
        with open_regular(path) as file:
            _require_whole(path, file.read(8))
            file.seek(0)
            with soundfile.SoundFile(file) as sound:
                _require_kind(path, sound.samplerate, sound.channels, sound.subtype)
                samples: Samples = sound.read(dtype="int16")
    except OSError as error:
        raise DataError(f"{path}: {os_reason(error)}") from None
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path} is corrupt: {error.error_string}") from None
    if not len(samples):
        raise DataError(f"{path} is corrupt: it has no samples")
    return samples


def read_clip(path: Path, length: int) -> Samples:
    """The samples of a clip, zero-padded at its end to (length,), as the data set's standard preparation does.

    Raises:
        DataError: the file cannot be read, or is longer.
    """
    samples = read_samples(path)
    if len(samples) > length:
        raise DataError(f"{path}: {len(samples)} samples: must be at most {length}")
    return np.pad(samples, (0, length - len(samples)))


def _require_whole(path: Path, header: bytes) -> None:
    """libsndfile reads a file that was cut short without complaint: compare the length that its header announces."""
    announced, found = int.from_bytes(header[4:8], "little") + 8, path.stat().st_size
    if header[:4] != b"RIFF":
        raise DataError(f"{path} is corrupt: not a WAV file")
    if found < announced:
        raise DataError(f"{path} is truncated: {found} of {announced} bytes")


def _require_kind(path: Path, rate: int, channels: int, subtype: str) -> None:
    if (rate, channels, subtype) != (SAMPLE_RATE, 1, "PCM_16"):
        raise DataError(f"{path}: {rate} Hz, {channels} channel(s), {subtype}: must be {SAMPLE_RATE} Hz, 1 channel, PCM_16")
