"""Speech Commands v0.02 (Warden, 2018) with 12 classes, from torchaudio's layout `ROOT/SpeechCommands/speech_commands_v0.02/WORD/*.wav`.

Training is what neither list file names, testing is the testing list, and validation the validation list. Which pair of list files
divides the data is the setting `split_lists`. Official clips of silence for testing are taken from
`ROOT/SpeechCommands/silence_test_v0.02/` where that is there. Decoded clips are cached (`workers.data.loading.array_cache`).

torchaudio downloads the data. Its walk is not used: it finds the same files in the same time (0.018 s for 2,309 clips, ours 0.020 s), but
planning needs them too, and must not wait for an import of torch (1.2 s); nor does it know of other lists, of silence, or of absent clips.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from workers.components.facts import DatasetInfo
from workers.data.loading.array_cache import cache_folder, cached_rows, stat_key
from workers.data.loading.source import GET_IT, Dataset, Split
from workers.data.loading.speech_clips import CLASSES, LENGTH, WORDS, Clip, examples, labels_of
from workers.data.loading.wav import Samples
from workers.errors import DataError
from workers.registry import dataset

SplitLists = Literal["official", "resplit"]
_FOLDER = Path("SpeechCommands", "speech_commands_v0.02")
_SILENCE = "silence_test_v0.02"
_NOISE = "_background_noise_"
_LISTS: dict[SplitLists, tuple[str, str]] = {
    "official": ("validation_list.txt", "testing_list.txt"),
    "resplit": ("resplit_validation_list.txt", "resplit_testing_list.txt"),
}
_FORMAT = 1
_CLIP = re.compile(r"[0-9a-f]{8}_nohash_[0-9]+\.wav")
_PUBLISHED = {
    *WORDS,
    *("backward", "bed", "bird", "cat", "dog", "eight", "five", "follow", "forward", "four", "happy", "house", "learn"),
    *("marvin", "nine", "one", "seven", "sheila", "six", "three", "tree", "two", "visual", "wow", "zero"),
}


def _folder(root: Path | None) -> Path:
    if root is None:
        where = f"--data DIR or ROBUSTSWEEP_DATA; DIR holds {_FOLDER}/"
        raise DataError(f"speech_commands: no data folder given ({where}); {GET_IT}")
    return root / _FOLDER


def _check(root: Path | None, *, split_lists: SplitLists) -> None:
    folder = _folder(root)
    missing = [name for name in (*WORDS, _NOISE) if not (folder / name).is_dir()]
    missing += [name for name in _LISTS[split_lists] if not (folder / name).is_file()]
    if missing:
        advice = "split_lists=official needs no such files" if split_lists == "resplit" and missing == list(_LISTS[split_lists]) else GET_IT
        raise DataError(f"speech_commands: looked for {', '.join(missing)} in {folder}: not there; {advice}")


def _catalogue(root: Path | None, *, split_lists: SplitLists) -> tuple[list[Clip], list[Clip], list[Clip]]:
    """The training, test and validation examples, found by listing folders; no sound file is opened."""
    _check(root, split_lists=split_lists)
    folder = _folder(root)
    clips = {path.name: _clips(path) for path in _shown(folder, "[!_]*") if path.is_dir()}
    present = {f"{word}/{path.name}" for word, paths in clips.items() for path in paths}
    validation, testing = (_names(folder / name, present) for name in _LISTS[split_lists])
    if both := sorted(validation & testing):
        raise DataError(f"speech_commands: {both[0]} is in both {' and '.join(_LISTS[split_lists])} of {folder}")
    noise = _shown(folder / _NOISE, "*.wav")
    if not noise:
        raise DataError(f"speech_commands: looked for *.wav in {folder / _NOISE}: none there; {GET_IT}")
    if not (training := present - validation - testing):
        raise DataError(f"speech_commands: the lists {' and '.join(_LISTS[split_lists])} of {folder} leave no clip for training; {GET_IT}")
    train = examples(_chosen(clips, training), noise, [], "train")
    silence = _shown(folder.parent / _SILENCE, "*.wav")
    validated = examples(_chosen(clips, validation), noise, [], "validation")
    return train, examples(_chosen(clips, testing), noise, silence, "test"), validated


def _shown(folder: Path, pattern: str) -> list[Path]:
    """Entries of the folder that are not hidden: editors, notebooks and file managers leave hidden files behind."""
    return [path for path in folder.glob(pattern) if not path.name.startswith(".")]


def _clips(folder: Path) -> list[Path]:
    """The clips of a word.

    Raises:
        DataError: the folder, or a clip in it, is none of the data set's.
    """
    clips = _shown(folder, "*_nohash_*.wav")
    strange = [path for path in clips if not _CLIP.fullmatch(path.name)]
    if strange or (clips and folder.name not in _PUBLISHED):
        raise DataError(f"speech_commands: {strange[0] if strange else folder} is not of the data set; move it elsewhere")
    return clips


def _names(path: Path, present: set[str]) -> set[str]:
    try:
        names = set(path.read_text("utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise DataError(f"speech_commands: {path} cannot be read: {reason}; {GET_IT}") from error
    if not names:
        raise DataError(f"speech_commands: {path} names no clip; {GET_IT}")
    if absent := sorted(names - present):
        raise DataError(f"speech_commands: {path} names {len(absent)} clips that are not there, first {absent[0]}; {GET_IT}")
    return names


def _chosen(clips: dict[str, list[Path]], names: set[str]) -> dict[str, list[Path]]:
    return {word: [path for path in paths if f"{word}/{path.name}" in names] for word, paths in clips.items()}


def _count(root: Path, *, split_lists: SplitLists) -> tuple[int, int]:
    train, test, _ = _catalogue(root, split_lists=split_lists)
    return len(train), len(test)


def _verify(root: Path | None, *, split_lists: SplitLists) -> None:
    """Decode all clips, which the jobs then find in the cache."""
    train, test, validation = _catalogue(root, split_lists=split_lists)
    for clips in ([*train, *test], validation):
        _decoded(clips, cache_folder(_folder(root).parents[1]))


def _download(root: Path) -> None:
    from torchaudio.datasets import SPEECHCOMMANDS

    SPEECHCOMMANDS(root, download=True)


@dataset(
    info=DatasetInfo(n_classes=len(CLASSES), shape=(1, LENGTH), mean=(0.0,), std=(0.08,), low=-1.0, high=1.0, classes=CLASSES),
    folder=_FOLDER.parts[0],
    check=_check,
    count=_count,
    download=_download,
    verify=_verify,
)
@cache
def speech_commands(root: Path | None, *, split_lists: SplitLists = "official") -> Dataset:
    """Speech Commands, twelve classes.

    `split_lists` says which pair of list files divides it: `official`, `validation_list.txt` and `testing_list.txt`, or `resplit`,
    a second pair for subsets in which the official one leaves some words nearly no training clips.
    """
    train, test, validation = _catalogue(root, split_lists=split_lists)
    folder = cache_folder(_folder(root).parents[1])
    both, border = _decoded([*train, *test], folder), len(train)
    return Dataset(
        train=Split(both.inputs[:border], both.labels[:border]),
        test=Split(both.inputs[border:], both.labels[border:]),
        validation=lambda: _decoded(validation, folder),
    )


def _decoded(clips: list[Clip], folder: Path) -> Split:
    """The clips as examples, from the cache in the folder where they are there."""
    recipe = "\n".join(f"{clip.path.parent.name}/{clip.path.name}/{clip.cut}" for clip in clips)
    key = stat_key(f"speech_commands {_FORMAT}\n{recipe}", (clip.path for clip in clips))
    samples: Iterator[Samples] = (clip.samples() for clip in clips)
    return Split(cached_rows(folder, f"speech_commands-{key}", (len(clips), 1, LENGTH), samples), labels_of(clips))
