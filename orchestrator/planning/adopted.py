"""Weights that a space's networks adopt: their digests, found when it is loaded, and their copies among the artifacts, for workers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from search_spaces import LoadedSpace, load_space
from workers.artifacts.artifacts import MODEL_FILE, Artifacts
from workers.errors import ArtifactError, UserError
from workers.spec.model import ModelSpec
from workers.weights.digest import of_body
from workers.weights.file_digest import weights_digest
from workers.weights.place import WeightsPlace


def load_sweep(name_or_path: str, overrides: Sequence[str], artifacts: Artifacts | None = None) -> LoadedSpace:
    """Return a space as `load_space` does, with the digests of the weights that it names.

    Without `artifacts`, where only the space itself is checked, weights of trained models count by their key.

    Raises:
        UserError: there is no such space, or weights cannot be read.
        SpaceError: the file or an override is wrong.
    """
    loaded = load_space(name_or_path, overrides)
    named = loaded.space.named_weights
    if not named:
        return loaded
    return replace(loaded, space=loaded.space.with_weights({written: _digest(written, loaded.folder, artifacts) for written in named}))


def _digest(written: str, folder: Path, artifacts: Artifacts | None) -> str:
    place = WeightsPlace(written, folder)
    try:
        place.check()
    except ValueError as error:
        raise UserError(f"model.weights={written}: {error}") from error
    if not place.is_key:
        return weights_digest(place.path)
    return written if artifacts is None else of_body(_model(written, artifacts))


def adopted_model(written: str, artifacts: Artifacts) -> ModelSpec | None:
    """Return the trained model whose weights are adopted, as it was trained; None where they come from a file.

    Raises:
        UserError: there is no such model, or several, or its files are damaged.
    """
    return artifacts.model(_key(written, artifacts)).model if WeightsPlace(written, Path()).is_key else None


def _model(written: str, artifacts: Artifacts) -> bytes:
    """The file of the model that the first digits of a key mean."""
    try:
        return artifacts.read(_key(written, artifacts), MODEL_FILE)
    except ArtifactError as error:
        raise UserError(f"model.weights={written}: {error}") from error


def _key(written: str, artifacts: Artifacts) -> str:
    """The key of the model that its first digits mean.

    Raises:
        UserError: there is no such model, or several, or its files are damaged.
    """
    finished = artifacts.finished()
    found = [key for key in artifacts.all_keys() if key.startswith(written) and key in finished]
    if len(found) != 1:
        many = (
            f"{len(found)} finished jobs begin so; give more digits" if found else f"no finished job among the artifacts ({artifacts.url})"
        )
        raise UserError(f"model.weights={written}: {many}")
    try:
        artifacts.model(found[0])
    except ArtifactError as error:
        raise UserError(f"model.weights={written}: {error}") from error
    return found[0]


def keep_weights(loaded: LoadedSpace, digests: Mapping[str, str], artifacts: Artifacts) -> None:
    """Copy the weights that a space names into the artifact store, where workers find them by digest; what is there already stays.

    Raises:
        UserError: weights cannot be read, or have changed since their digest was computed.
        StorageError: the artifacts cannot be written.
    """
    for written, digest in digests.items():
        if artifacts.has_weights(digest):
            continue
        from workers.weights.tensors import body_of, digest_of_tensors, read_tensors, to_safetensors

        place = WeightsPlace(written, loaded.folder)
        tensors = body_of(_model(written, artifacts)) if place.is_key else read_tensors(place.path)
        if digest_of_tensors(tensors) != digest:
            raise UserError(f"model.weights={written}: has changed while the launch was prepared; launch again")
        artifacts.add_weights(digest, to_safetensors(tensors))
