"""A small data root in the layout of Speech Commands, its sounds made up."""

from pathlib import Path

import numpy as np
import soundfile

from workers.data.loading.speech_clips import WORDS

OTHERS = ("bed", "cat", "dog")
LISTS = ("validation_list.txt", "testing_list.txt")
SPEAKERS = 6


def write_wav(path: Path, samples: int = 16_000, *, rate: int = 16_000, subtype: str = "PCM_16", channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(sum(map(ord, f"{path.parent.name}{path.name}"))).normal(0, 0.1, (samples, channels))
    soundfile.write(path, noise, rate, subtype=subtype)
    return path


def clip_name(word: str, speaker: int) -> str:
    return f"{word}/{speaker:08x}_nohash_0.wav"


def make_root(root: Path, *, silence: int = 0) -> Path:
    """Six speakers say 13 words: four for training, one each for validation and testing; two noise files of five seconds."""
    folder = root / "SpeechCommands" / "speech_commands_v0.02"
    for word in (*WORDS, *OTHERS):
        for speaker in range(SPEAKERS):
            write_wav(folder / clip_name(word, speaker), 16_000 - 100 * speaker)
    for name, speaker in zip(LISTS, (4, 5), strict=True):
        (folder / name).write_text("".join(f"{clip_name(word, speaker)}\n" for word in (*WORDS, *OTHERS)))
    for name in ("hum", "hiss"):
        write_wav(folder / "_background_noise_" / f"{name}.wav", 5 * 16_000)
    for number in range(silence):
        write_wav(folder.parent / "silence_test_v0.02" / f"{number}.wav")
    return root
