import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from orchestrator.launching.doctor.node import check_data_sets
from tests.workers.data.speech_root import LISTS, OTHERS, clip_name, make_root, write_wav
from tests.workers.small import data_set
from workers.data.loading import source
from workers.data.loading.remote import verify
from workers.data.loading.speech_clips import CLASSES, WORDS, examples
from workers.errors import DataError
from workers.spec.component import DataSpec

SPEECH = data_set("speech_commands")
SPEECH_SPEC = DataSpec.model_validate({"name": "speech_commands"})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_root(tmp_path_factory.mktemp("speech"))


@pytest.fixture
def root(made, tmp_path):
    """A root of one's own to spoil; a fresh path, so nothing of it is cached in this process."""
    return shutil.copytree(made, tmp_path / "root", ignore=shutil.ignore_patterns(".robustsweep-cache"))


def folder(root):
    return root / "SpeechCommands" / "speech_commands_v0.02"


def counts(split):
    return np.bincount(split.labels, minlength=len(CLASSES)).tolist()


def test_unknown_and_silence_have_as_many_clips_as_a_word(made):
    data = SPEECH.load(made)
    assert counts(data.train) == [4] * 12
    assert counts(data.test) == [1] * 12
    assert SPEECH.sizes(made) == (48, 12)
    assert SPEECH.sizes(None) == (None, None)


def test_the_classes_take_turns(made):
    assert SPEECH.load(made).train.labels.tolist() == [*range(12)] * 4


def test_unknown_is_drawn_evenly_from_the_other_words():
    from pathlib import Path

    words = {word: [Path(word, f"{n}_nohash_0.wav") for n in range(9)] for word in (*WORDS, *OTHERS)}
    drawn = [clip.path.parent.name for clip in examples(words, [Path("hum.wav")], [], "train") if CLASSES[clip.label] == "unknown"]
    assert sorted(drawn) == sorted(OTHERS * 3)


def test_a_copy_elsewhere_gives_the_same_examples(made, root):
    one, other = SPEECH.load(made), SPEECH.load(root)
    assert np.array_equal(one.train.inputs, other.train.inputs)
    assert np.array_equal(one.test.inputs, other.test.inputs)


def test_silence_for_testing_is_the_official_clips_where_there_are_any(root):
    cut = SPEECH.load(root).test.inputs[-1]
    make_root(root, silence=3)
    SPEECH.component.create.cache_clear()
    official = SPEECH.load(root).test.inputs[-1]
    assert counts(SPEECH.load(root).test) == [1] * 12
    assert not np.array_equal(cut, official)


def test_decoded_clips_are_cached_and_a_changed_clip_is_decoded_again(root):
    before = SPEECH.load(root).train.inputs
    (cached,) = (root / ".robustsweep-cache").glob("*.npy")
    path = folder(root) / clip_name("yes", 0)
    write_wav(path, 12_345)
    SPEECH.component.create.cache_clear()
    after = SPEECH.load(root).train.inputs
    assert len(list((root / ".robustsweep-cache").glob("*.npy"))) == 2
    changed = (before != after).any(axis=(1, 2))
    assert changed.sum() == 1
    assert cached.exists()


@pytest.mark.parametrize("missing", ["yes", "stop", "_background_noise_", *LISTS])
def test_missing_files_are_named_by_the_quick_check(root, missing):
    path = folder(root) / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match=rf"looked for {missing} in .*speech_commands_v0\.02: not there; get it with") as caught:
        SPEECH.check(root)
    assert "\n" not in str(caught.value)


def test_missing_resplit_lists_are_named_with_the_alternative(root):
    with pytest.raises(
        DataError, match=r"resplit_validation_list\.txt, resplit_testing_list\.txt in .* split_lists=official needs no such"
    ):
        data_set("speech_commands", split_lists="resplit").check(root)


def test_no_data_root_is_an_error_that_says_how_to_give_one():
    with pytest.raises(DataError, match=r"no data folder given \(--data DIR or ROBUSTSWEEP_DATA"):
        SPEECH.check(None)


def test_a_listed_clip_that_is_not_there_is_named(root):
    (folder(root) / clip_name("up", 5)).unlink()
    with pytest.raises(DataError, match=r"testing_list\.txt names 1 clips that are not there, first up/00000005_nohash_0\.wav"):
        SPEECH.sizes(root)


def test_a_clip_in_both_lists_is_refused(root):
    with (folder(root) / LISTS[0]).open("a") as file:
        file.write(clip_name("up", 5))
    with pytest.raises(DataError, match=r"up/00000005_nohash_0\.wav is in both"):
        SPEECH.load(root)


@pytest.mark.parametrize("word", ["yes", "_background_noise_"])
def test_a_damaged_file_is_named_and_nothing_is_cached(root, word):
    path = sorted((folder(root) / word).iterdir())[0]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=f"{path} is truncated"):
        SPEECH.load(root)
    assert not list((root / ".robustsweep-cache").glob("*.npy"))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_text("no sound, but as long as a header is"), id="text"),
        pytest.param(Path.mkdir, id="folder"),
        pytest.param(os.mkfifo, id="pipe"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="dangling link"),
        pytest.param(lambda path: write_wav(path, rate=8000), id="another rate"),
    ],
)
@pytest.mark.parametrize("place", ["yes/0000000f_nohash_0.wav", clip_name("yes", 4), clip_name("no", 5), "_background_noise_/hum.wav"])
def test_what_is_no_clip_is_named_before_a_launch_and_by_doctor(root, place, make):
    path = folder(root) / place
    path.unlink(missing_ok=True)
    make(path)
    with pytest.raises(DataError, match=re.escape(str(path))):
        verify(source(SPEECH_SPEC), root)


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints/00000001_nohash_0.wav", "yes/._00000001_nohash_0.wav", "yes/.ipynb_checkpoints/00000001_nohash_0.wav",
             "_background_noise_/.hum.wav", "../silence_test_v0.02/.1.wav", "notes/readme.wav"],
)  # fmt: skip
def test_what_is_hidden_or_has_no_clips_is_no_data(made, root, name):
    before = SPEECH.load(made)
    write_wav(folder(root) / name)
    after = SPEECH.load(root)
    assert SPEECH.sizes(root) == SPEECH.sizes(made)
    assert np.array_equal(after.train.inputs, before.train.inputs)
    assert np.array_equal(after.test.inputs, before.test.inputs)


@pytest.mark.parametrize(
    ("name", "strange"),
    [
        ("yes copy/00000001_nohash_0.wav", "yes copy"),
        ("augmented/00000001_nohash_0.wav", "augmented"),
        ("yes/00000001_nohash_0 (1).wav", "yes/00000001_nohash_0 (1).wav"),
        ("cat/copy_nohash_1.wav", "cat/copy_nohash_1.wav"),
    ],
)
def test_clips_that_are_not_of_the_data_set_are_refused_by_name(root, name, strange):
    write_wav(folder(root) / name)
    with pytest.raises(DataError, match=f"{re.escape(str(folder(root) / strange))} is not of the data set; move it elsewhere$"):
        SPEECH.sizes(root)


@pytest.mark.parametrize(
    ("which", "content", "said"), [(0, b"", "names no clip"), (1, b" \n\n", "names no clip"), (1, b"\xff\xfe\x00", "it is no text")]
)
def test_a_list_without_clips_is_refused_before_a_launch(root, which, content, said):
    (folder(root) / LISTS[which]).write_bytes(content)
    with pytest.raises(DataError, match=rf"{LISTS[which]} .*{said}"):
        SPEECH.sizes(root)
    (line,) = check_data_sets((SPEECH_SPEC,), root)
    assert line.status == "wrong"
    assert said in line.found


def test_lists_that_leave_nothing_for_training_are_refused(root):
    names = [clip_name(word, speaker) for word in (*WORDS, *OTHERS) for speaker in range(4)]
    with (folder(root) / LISTS[0]).open("a") as file:
        file.write("\n".join(names))
    with pytest.raises(DataError, match="leave no clip for training"):
        SPEECH.sizes(root)
