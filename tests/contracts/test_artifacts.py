"""What every place of artifacts promises: whole files, damage that is found, and old attempts that cannot harm newer ones."""

import hashlib
import json

import pytest
from fsspec.core import url_to_fs

from tests.builders import evaluate_job, flags_result, pretrain_job, train_result
from workers.artifacts.artifacts import Artifacts, JobFolder, stored_name
from workers.artifacts.storage.object_store import FsspecStorage
from workers.errors import ArtifactError, StorageError, SupersededError

JOB = pretrain_job()
MODEL = "model.safetensors"
CONTENT = b"weights" * 1000
OTHER_BITS = CONTENT[:-1] + b"S"
STORED = stored_name(MODEL, hashlib.sha256(CONTENT).hexdigest())


def begun(artifacts: Artifacts, attempt: str) -> JobFolder:
    folder = artifacts.folder(JOB.key, attempt=attempt)
    folder.begin(JOB)
    return folder


def commit(folder: JobFolder, content: bytes = CONTENT, *, seconds: float = 1.5):
    """Leave a model and the result that names it."""
    digest = folder.write(MODEL, content)
    return folder.commit(train_result(JOB).model_copy(update={"files": {MODEL: digest}, "seconds": seconds}))


def put(artifacts: Artifacts, name: str, content: bytes) -> None:
    """Change a file behind the program's back."""
    artifacts._storage.write(f"{JOB.key}/{name}", content, attempt="somebody")


def raw(artifacts: Artifacts, name: str) -> bytes:
    return artifacts._storage.read(f"{JOB.key}/{name}")


def names(artifacts: Artifacts) -> list[str]:
    return sorted(artifacts._storage.files(JOB.key))


def flipped(content: bytes, place: int = -2) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


def test_a_done_job_has_its_spec_its_files_and_its_result_and_nothing_else(artifacts):
    result = commit(begun(artifacts, "a1"))
    assert names(artifacts) == sorted(["job.json", STORED, "result.json"])
    assert artifacts.job(JOB.key) == JOB
    assert artifacts.result(JOB.key) == result
    assert artifacts.read(JOB.key, MODEL) == CONTENT
    assert artifacts.damage(JOB.key) is None
    assert result.files == {MODEL: hashlib.sha256(CONTENT).hexdigest()}


def test_those_finished_among_some_are_found_without_the_others(artifacts: Artifacts) -> None:
    commit(begun(artifacts, "a1"))
    begun_only = evaluate_job(JOB)
    artifacts.folder(begun_only.key, attempt="a2").begin(begun_only)
    assert artifacts.finished({JOB.key, begun_only.key, "f" * 64}) == {JOB.key}
    assert artifacts.finished({begun_only.key}) == artifacts.finished(()) == frozenset()


def test_finished_are_the_folders_with_a_result_and_no_others(artifacts):
    assert artifacts.finished() == frozenset()
    commit(begun(artifacts, "a1"))
    other = evaluate_job(JOB)
    artifacts.folder(other.key).begin(other)
    assert artifacts.finished() == {JOB.key}
    assert artifacts.all_keys() == sorted([JOB.key, other.key])


def test_the_size_is_that_of_all_files_and_discarded_files_are_gone(artifacts):
    commit(begun(artifacts, "a1"))
    assert artifacts.size(JOB.key) == sum(artifacts.files(JOB.key).values()) > len(CONTENT)
    artifacts.discard(JOB.key)
    assert artifacts.finished() == frozenset()
    assert artifacts.all_keys() == []
    artifacts.discard(JOB.key)


@pytest.mark.parametrize("damaged", [flipped(CONTENT), CONTENT[:100], b"", None], ids=["flipped", "truncated", "empty", "gone"])
def test_a_damaged_file_is_found_out_and_named_with_its_job(artifacts, damaged):
    commit(begun(artifacts, "a1"))
    if damaged is None:
        artifacts._storage.remove(f"{JOB.key}/{STORED}")
    else:
        put(artifacts, STORED, damaged)
    with pytest.raises(ArtifactError, match=STORED) as caught:
        artifacts.read(JOB.key, MODEL)
    assert caught.value.key == JOB.key
    assert artifacts.damage(JOB.key) == str(caught.value)


def test_a_result_with_any_byte_flipped_is_found_out(artifacts):
    commit(begun(artifacts, "a1"))
    content = raw(artifacts, "result.json")
    for place in range(0, len(content), 1 + len(content) // 40):
        damaged = flipped(content, place)
        try:  # space for another kind of space changes nothing
            same = json.loads(damaged) == json.loads(content)
        except ValueError:
            same = False
        if same:
            continue
        put(artifacts, "result.json", damaged)
        with pytest.raises(ArtifactError, match=r"result\.json") as caught:
            artifacts.result(JOB.key)
        assert (caught.value.key, "\n" in str(caught.value)) == (JOB.key, False)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{}", b"[]", b"1", b'{"key": 1}'])
def test_what_is_no_result_is_an_error_of_one_line_and_the_next_attempt_replaces_it(artifacts, content):
    put(artifacts, "result.json", content)
    with pytest.raises(ArtifactError, match=r"result\.json is (unreadable|corrupt)") as caught:
        artifacts.result(JOB.key)
    assert "\n" not in str(caught.value)
    assert commit(begun(artifacts, "a1")) == artifacts.result(JOB.key)


@pytest.mark.parametrize("damaged", [None, b"{", b"{}"])
def test_a_missing_or_unreadable_spec_is_an_error_of_one_line_that_names_it(artifacts, damaged):
    commit(begun(artifacts, "a1"))
    artifacts._storage.remove(f"{JOB.key}/job.json") if damaged is None else put(artifacts, "job.json", damaged)
    with pytest.raises(ArtifactError, match=r"job\.json is unreadable") as caught:
        artifacts.job(JOB.key)
    assert "\n" not in str(caught.value)
    assert artifacts.damage(JOB.key) == str(caught.value)


def test_another_jobs_result_or_spec_is_refused(artifacts):
    commit(begun(artifacts, "a1"))
    other = evaluate_job(JOB)
    for name in ("result.json", "job.json"):
        artifacts._storage.write(f"{other.key}/{name}", raw(artifacts, name), attempt="somebody")
    with pytest.raises(ArtifactError, match=f"holds the result of job {JOB.key}"):
        artifacts.result(other.key)
    with pytest.raises(ArtifactError, match=f"holds job {JOB.key}"):
        artifacts.job(other.key)


def test_a_file_that_the_result_does_not_name_is_not_read(artifacts):
    folder = begun(artifacts, "a1")
    folder.write(MODEL, CONTENT)
    folder.commit(train_result(JOB))
    with pytest.raises(ArtifactError, match=rf"names no {MODEL}"):
        artifacts.read(JOB.key, MODEL)


def test_what_is_saved_belongs_to_the_job_and_the_next_attempt_reads_it(artifacts):
    first = begun(artifacts, "a1")
    assert first.saved("checkpoint") is None
    first.save("checkpoint", b"epoch 1")
    first.save("checkpoint", b"epoch 2")
    second = begun(artifacts, "a2")
    assert second.saved("checkpoint") == b"epoch 2"
    second.remove("checkpoint")
    second.remove("checkpoint")
    assert second.saved("checkpoint") is None


def test_an_attempt_that_wakes_up_cannot_replace_what_a_newer_one_saved(artifacts):
    old = begun(artifacts, "old")
    old.save("checkpoint", b"epoch 1")
    new = begun(artifacts, "new")
    new.save("checkpoint", b"epoch 7")
    with pytest.raises(SupersededError, match="another attempt"):
        old.save("checkpoint", b"epoch 2")
    assert new.saved("checkpoint") == b"epoch 7"
    new.save("checkpoint", b"epoch 8")


def test_an_attempt_that_wakes_up_after_the_job_was_done_leaves_nothing_behind(artifacts):
    old = begun(artifacts, "old")
    result = commit(begun(artifacts, "new"))
    before = names(artifacts)
    with pytest.raises(SupersededError):
        old.save("checkpoint", b"epoch 2")
    assert commit(old, OTHER_BITS, seconds=99.0) == result
    assert names(artifacts) == before
    assert artifacts.read(JOB.key, MODEL) == CONTENT


def test_the_first_result_stands_with_its_own_files_whichever_attempt_was_given_the_job_last(artifacts):
    old, new = begun(artifacts, "old"), begun(artifacts, "new")
    digest = new.write(MODEL, OTHER_BITS)
    first = commit(old)
    assert new.commit(train_result(JOB).model_copy(update={"files": {MODEL: digest}})) == first == artifacts.result(JOB.key)
    assert artifacts.read(JOB.key, MODEL) == CONTENT
    assert names(artifacts) == sorted(["job.json", STORED, "result.json"])


def test_an_attempt_with_the_same_bits_that_comes_second_harms_nothing(artifacts):
    old, new = begun(artifacts, "old"), begun(artifacts, "new")
    first = commit(new)
    assert commit(old, seconds=99.0) == first
    assert artifacts.damage(JOB.key) is None


def test_a_done_job_is_not_begun_again(artifacts):
    commit(begun(artifacts, "a1"))
    with pytest.raises(SupersededError, match="done already"):
        begun(artifacts, "a2")
    assert names(artifacts) == sorted(["job.json", STORED, "result.json"])
    assert artifacts.damage(JOB.key) is None


def test_what_killed_attempts_left_is_gone_when_the_job_is_done(artifacts):
    killed = begun(artifacts, "killed")
    killed.write(MODEL, OTHER_BITS)
    put(artifacts, f".{MODEL}.killed.tmp", b"half")
    new = begun(artifacts, "new")
    assert f".{MODEL}.killed.tmp" not in names(artifacts)
    commit(new)
    assert names(artifacts) == sorted(["job.json", STORED, "result.json"])


def test_an_attempt_frozen_as_it_begins_does_not_remove_what_a_newer_one_writes(artifacts, monkeypatch):
    put(artifacts, ".checkpoint.dead.tmp", b"half")
    storage = artifacts._storage
    write = type(storage).write

    def thawed_later(self, path, content, **options):
        write(self, path, content, **options)
        if path.endswith("/attempt") and content == b"old":  # frozen here, before it clears away what it found
            begun(artifacts, "new")
            put(artifacts, ".checkpoint.new.tmp", b"being written")

    monkeypatch.setattr(type(storage), "write", thawed_later)
    old = begun(artifacts, "old")
    assert ".checkpoint.new.tmp" in names(artifacts)
    assert ".checkpoint.dead.tmp" not in names(artifacts)
    with pytest.raises(SupersededError):
        old.save("checkpoint", b"epoch 1")


def test_what_an_attempt_left_that_died_as_it_was_done_can_be_cleared_away(artifacts):
    commit(begun(artifacts, "a1"))
    for name in ("attempt", "checkpoint", "progress", ".checkpoint.old.tmp", stored_name(MODEL, hashlib.sha256(OTHER_BITS).hexdigest())):
        put(artifacts, name, b"left")
    artifacts.tidy(JOB)
    assert names(artifacts) == sorted(["job.json", STORED, "result.json"])
    assert artifacts.damage(JOB.key) is None


def test_only_one_of_many_creates_a_file(artifacts):
    storage = artifacts._storage
    assert [storage.create(f"{JOB.key}/file", content, attempt=f"a{content[0]}") for content in (b"1", b"2", b"3")] == [True, False, False]
    assert storage.read(f"{JOB.key}/file") == b"1"
    assert names(artifacts) == ["file"]


def test_a_failing_check_leaves_what_was_there_and_no_temporary_file(artifacts):
    storage = artifacts._storage
    storage.write(f"{JOB.key}/file", b"old", attempt="a1")

    def refuse():
        raise SupersededError("no")

    with pytest.raises(SupersededError):
        storage.write(f"{JOB.key}/file", b"new", attempt="a2", check=refuse)
    assert (storage.read(f"{JOB.key}/file"), names(artifacts)) == (b"old", ["file"])


def test_the_url_finds_the_same_artifacts(artifacts):
    commit(begun(artifacts, "a1"))
    again = Artifacts(artifacts.url)
    assert again.result(JOB.key) == artifacts.result(JOB.key)
    assert again.where(JOB.key, "job.json").endswith(f"/{JOB.key}/job.json")


def test_flags_come_back_bit_for_bit(artifacts):
    job = evaluate_job(JOB)
    folder = artifacts.folder(job.key, attempt="a1")
    folder.begin(job)
    assert folder.commit(flags_result(job)) == artifacts.result(job.key) == flags_result(job)


LEADING_ELSEWHERE = ["../" + "a" * 61, "..", "", ".", "/etc", f"{JOB.key}/..", f"{JOB.key}/../../x", f"{JOB.key}\\x", "a\0"]


@pytest.mark.parametrize("key", LEADING_ELSEWHERE)
def test_a_key_from_elsewhere_leads_nowhere_else(artifacts, key):
    for harmful in (artifacts.discard, artifacts.files, artifacts.size, artifacts.result, artifacts.where, artifacts.job, artifacts.folder):
        with pytest.raises(StorageError, match="neither of them a path"):
            harmful(key)


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "/etc/passwd", "a\\b", "x\0"])
def test_a_file_s_name_from_elsewhere_leads_nowhere_else(artifacts, name):
    folder = begun(artifacts, "a1")
    for harmful in (
        lambda: folder.save(name, b""),
        lambda: folder.remove(name),
        lambda: folder.saved(name),
        lambda: artifacts.where(JOB.key, name),
    ):
        with pytest.raises(StorageError, match="neither of them a path"):
            harmful()


@pytest.mark.parametrize("link", [JOB.key, f"{JOB.key[:2]}/{JOB.key}", JOB.key[:2]])
def test_nothing_is_written_or_removed_through_a_folder_that_is_a_link(tmp_path, link):
    theirs = tmp_path / "theirs"
    held = theirs / JOB.key if link == JOB.key[:2] else theirs
    held.mkdir(parents=True)
    (held / "result.json").write_text("precious")
    artifacts = Artifacts(tmp_path / "artifacts")
    (tmp_path / "artifacts" / link).parent.mkdir(parents=True)
    (tmp_path / "artifacts" / link).symlink_to(theirs)
    folder = artifacts.folder(JOB.key, attempt="a1")
    for harmful in (
        lambda: folder.begin(JOB),
        lambda: folder.commit(train_result(JOB)),
        lambda: folder.remove("result.json"),
        lambda: artifacts.discard(JOB.key),
    ):
        with pytest.raises(StorageError, match="symbolic link"):
            harmful()
    assert {path.name: path.read_text() for path in held.iterdir()} == {"result.json": "precious"}


def as_left_by_earlier_versions(artifacts: Artifacts) -> Artifacts:
    """The same artifacts, opened again after the job's folder was moved to the root."""
    storage = artifacts._storage
    filesystem, root = url_to_fs(storage.where())
    contents = {name: raw(artifacts, name) for name in names(artifacts)}
    for name, content in contents.items():
        filesystem.makedirs(f"{root}/{JOB.key}", exist_ok=True)
        filesystem.pipe_file(f"{root}/{JOB.key}/{name}", content)
    filesystem.rm(f"{root}/{JOB.key[:2]}/{JOB.key}", recursive=True)
    found = Artifacts(artifacts.url)
    if isinstance(storage, FsspecStorage):
        found._storage = FsspecStorage(storage.where())
    return found


def test_a_folder_for_the_first_digits_of_keys_holds_the_jobs(artifacts: Artifacts) -> None:
    commit(begun(artifacts, "a1"))
    assert artifacts.where(JOB.key) == f"{artifacts.url.rstrip('/')}/{JOB.key[:2]}/{JOB.key}"


def test_jobs_of_earlier_versions_are_used_where_they_are(artifacts: Artifacts) -> None:
    """Those lie at the root. One that is discarded is made anew where today's are."""
    result = commit(begun(artifacts, "a1"))
    artifacts = as_left_by_earlier_versions(artifacts)
    assert artifacts.where(JOB.key) == f"{artifacts.url.rstrip('/')}/{JOB.key}"
    assert (artifacts.result(JOB.key), artifacts.read(JOB.key, MODEL), artifacts.damage(JOB.key)) == (result, CONTENT, None)
    assert artifacts.finished() == artifacts.finished({JOB.key, "f" * 64}) == set(artifacts.all_keys()) == {JOB.key}
    with pytest.raises(SupersededError, match="done already"):
        begun(artifacts, "a2")
    artifacts.discard(JOB.key)
    assert (artifacts.all_keys(), artifacts.finished({JOB.key})) == ([], frozenset())
    commit(begun(artifacts, "a3"))
    assert artifacts.where(JOB.key) == f"{artifacts.url.rstrip('/')}/{JOB.key[:2]}/{JOB.key}"
    assert artifacts.finished() == artifacts.finished({JOB.key}) == {JOB.key}


def test_markers_of_databases_are_no_jobs(artifacts: Artifacts) -> None:
    assert artifacts.owners() == {}
    for content in (b"1", b"2"):
        artifacts.add_owner("a" * 64, content)
    assert artifacts.owners() == {"a" * 64: b"2"}
    assert (artifacts.all_keys(), artifacts.finished()) == ([], frozenset())
