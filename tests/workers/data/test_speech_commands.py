"""The real clips: what a data root made from Speech Commands v0.02 (or the project's subset of it) must give."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.workers.small import data_set
from workers.data.loading.speech_clips import CLASSES, WORDS
from workers.data.speech_commands import _catalogue

ROOT = Path(os.environ.get("ROBUSTSWEEP_DATA", "/nonexistent"))
FOLDER = ROOT / "SpeechCommands" / "speech_commands_v0.02"
WHY = f"ROBUSTSWEEP_DATA={os.environ.get('ROBUSTSWEEP_DATA', '(unset)')}: holds no SpeechCommands/speech_commands_v0.02/ with resplit lists"
pytestmark = pytest.mark.skipif(not (FOLDER / "resplit_testing_list.txt").is_file(), reason=WHY)
PAIRS = ["official", "resplit"]
PREFIX = {"official": "", "resplit": "resplit_"}


def listed(lists, kind):
    return (FOLDER / f"{PREFIX[lists]}{kind}_list.txt").read_text().split()


def catalogue(lists):
    return dict(zip(("train", "test", "validation"), _catalogue(ROOT, split_lists=lists), strict=True))


def counts(clips):
    return dict(zip(CLASSES, np.bincount([clip.label for clip in clips], minlength=12).tolist(), strict=True))


def named(clips):
    return {f"{clip.path.parent.name}/{clip.path.name}" for clip in clips if CLASSES[clip.label] != "silence"}


def test_the_official_lists_divide_the_subset_as_its_description_says():
    train, test = (counts(catalogue("official")[part]) for part in ("train", "test"))
    usual = set(WORDS) - {"on", "off"}
    assert {train[word] for word in usual} == {118}
    assert {test[word] for word in usual} == {40}
    assert (train["on"], train["off"], test["on"], test["off"]) == (15, 14, 161, 161)
    assert (train["unknown"], train["silence"], test["unknown"], test["silence"]) == (98, 98, 65, 40)
    assert (len(listed("official", "validation")), len(listed("official", "testing"))) == (263, 789)


def test_the_second_pair_of_lists_divides_every_word_evenly():
    train, test = (counts(catalogue("resplit")[part]) for part in ("train", "test"))
    assert all(124 <= train[word] <= 140 for word in WORDS)
    assert all(19 <= test[word] <= 29 for word in WORDS)
    assert (train["unknown"], train["silence"], test["unknown"], test["silence"]) == (135, 135, 27, 27)
    assert (len(listed("resplit", "validation")), len(listed("resplit", "testing"))) == (274, 351)


@pytest.mark.parametrize("lists", PAIRS)
def test_no_speaker_is_in_two_splits(lists):
    clips = catalogue(lists)
    parts = [named(clips["train"]), named(clips["test"]), set(listed(lists, "validation"))]
    speakers = [{name.split("/")[1].split("_")[0] for name in part} for part in parts]
    assert not any(speakers[i] & speakers[j] for i, j in [(0, 1), (0, 2), (1, 2)])


@pytest.mark.parametrize("lists", PAIRS)
def test_examples_come_from_the_split_that_the_lists_give_them(lists):
    clips = catalogue(lists)
    assert named(clips["test"]) <= set(listed(lists, "testing"))
    assert not named(clips["train"]) & {*listed(lists, "testing"), *listed(lists, "validation")}


@pytest.mark.parametrize("lists", PAIRS)
def test_unknown_takes_equally_many_of_every_other_word(lists):
    for clips in catalogue(lists).values():
        words = [clip.path.parent.name for clip in clips if CLASSES[clip.label] == "unknown"]
        taken = [words.count(word) for word in set(words)]
        assert not set(words) & set(WORDS)
        assert len(taken) == min(25, len(words))  # the validation split has fewer clips than there are words
        assert max(taken) - min(taken) <= 1


@pytest.mark.parametrize("lists", PAIRS)
@pytest.mark.parametrize("part", ["train", "test"])
def test_samples_are_those_that_soundfile_reads_padded_with_zeros(lists, part):
    split, clips = getattr(data_set("speech_commands", split_lists=lists).load(ROOT), part), catalogue(lists)[part]
    assert split.inputs.shape == (len(clips), 1, 16_000)
    assert split.inputs.dtype == np.int16
    for row in np.random.default_rng(0).permutation(len(clips))[:200]:
        clip = clips[row]
        assert split.labels[row] == clip.label
        if clip.cut is None:
            samples, rate = soundfile.read(clip.path, dtype="int16")
            assert rate == 16_000
            assert np.array_equal(split.inputs[row, 0], np.pad(samples, (0, 16_000 - len(samples))))


def test_silence_is_tested_on_the_official_clips_and_trained_on_noise_that_no_test_uses():
    clips = catalogue("resplit")
    silent = {part: [clip for clip in clips[part] if CLASSES[clip.label] == "silence"] for part in clips}
    assert {clip.path.parent.name for clip in silent["test"]} == {"silence_test_v0.02"}
    assert {clip.path.parent.name for clip in silent["train"]} == {"_background_noise_"}
    assert len({clip.cut for clip in silent["train"]}) == 135


def test_the_files_are_those_that_torchaudio_finds():
    import torchaudio

    theirs = {Path(path) for path in torchaudio.datasets.SPEECHCOMMANDS(ROOT, subset="testing", download=False)._walker}
    assert {str(path.relative_to(FOLDER)) for path in theirs} == set(listed("official", "testing"))
    assert named(catalogue("official")["test"]) <= {str(path.relative_to(FOLDER)) for path in theirs}


@pytest.mark.parametrize("lists", PAIRS)
def test_the_normalisation_is_the_training_splits_mean_and_deviation(lists):
    found = data_set("speech_commands", split_lists=lists)
    inputs = found.load(ROOT).train.inputs / 32_768
    np.testing.assert_allclose(inputs.mean(), found.info.mean[0], atol=5e-3)
    np.testing.assert_allclose(inputs.std(), found.info.std[0], atol=5e-3)
