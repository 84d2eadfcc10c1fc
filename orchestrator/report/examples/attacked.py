"""Adversarial examples of one attack next to the clean ones, with what the network says of both."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.naming.names import job_name
from orchestrator.paths import write_atomically
from orchestrator.report.examples.grid_files import draw, fragment, page
from orchestrator.report.examples.panels import Example, Guess, PanelRow, lines
from orchestrator.report.examples.renderings import Array
from orchestrator.report.examples.stored import adversarial_examples, class_names, clean_examples, data_of, kept_file
from orchestrator.store import Store
from orchestrator.store.reading.dashboard_queries import evaluation_keys
from orchestrator.store.reading.example_outcomes import example_numbers
from workers.artifacts.artifacts import Artifacts
from workers.data.loading.remote import DataRoot
from workers.errors import UserError
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, CraftSpec

MOST_SHOWN = 16
"""Number of examples that are shown by default."""


@dataclass(frozen=True)
class Predictions:
    """Predicted classes, (examples,), and their probabilities in [0, 1], (examples,); None where these are not known."""

    classes: NDArray[np.int64]
    confidences: NDArray[np.float64] | None = None

    def at(self, place: int, names: tuple[str, ...], label: int) -> Guess:
        """Return the prediction of one example."""
        found = int(self.classes[place])
        share = None if self.confidences is None else float(self.confidences[place])
        return Guess(names[found] if names else f"class {found}", share, found == label)

    def of(self, places: NDArray[np.intp]) -> "Predictions":
        """Return the predictions of some of the examples."""
        return Predictions(self.classes[places], None if self.confidences is None else self.confidences[places])


@dataclass(frozen=True)
class AttackedExamples:
    """Test examples of an attack: `clean` and `adversarial`, (examples, *shape), in input units, and `labels`, (examples,).

    `places` are their numbers in the fixed order of evaluation, (examples,), `classes` the names of the classes (empty: they have none).
    `before` and `after` are what the network predicts without and with the attack, None where it is not known: of examples that an attack
    keeps by the mean probabilities over fresh draws, of others by what was recorded in the first repeat. `title` names the attack.

    A notebook shows them as pictures; `save` writes these.
    """

    clean: Array
    adversarial: Array
    labels: NDArray[np.int64]
    places: NDArray[np.int64]
    classes: tuple[str, ...] = ()
    before: Predictions | None = None
    after: Predictions | None = None
    title: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "AttackedExamples":
        """Return the first of the examples."""
        return self._of(np.arange(min(count, len(self))))

    def fooled(self) -> "AttackedExamples":
        """Return the examples that the network predicts right before the attack, and wrong after it.

        Raises:
            UserError: predictions are not known.
        """
        if self.before is None or self.after is None:
            raise UserError("examples that are fooled: the predictions are not known; those of attacks with keep_examples are")
        return self._of(((self.before.classes == self.labels) & (self.after.classes != self.labels)).nonzero()[0])

    def _of(self, chosen: NDArray[np.intp]) -> "AttackedExamples":
        return replace(
            self,
            clean=self.clean[chosen],
            adversarial=self.adversarial[chosen],
            labels=self.labels[chosen],
            places=self.places[chosen],
            before=None if self.before is None else self.before.of(chosen),
            after=None if self.after is None else self.after.of(chosen),
        )

    @property
    def examples(self) -> list[Example]:
        """The examples one by one."""
        return [self._example(place) for place in range(len(self))]

    def _example(self, place: int) -> Example:
        label = int(self.labels[place])
        guesses = {name: None if said is None else said.at(place, self.classes, label) for name, said in self._said.items()}
        name = self.classes[label] if self.classes else f"class {label}"
        return Example(self.clean[place], self.adversarial[place], number=int(self.places[place]), label=name, **guesses)

    @property
    def _said(self) -> dict[str, Predictions | None]:
        return {"before": self.before, "after": self.after}

    @property
    def lines(self) -> list[PanelRow]:
        """Panels of the picture grid."""
        return list(lines(self.examples))

    @property
    def note(self) -> str:
        """Summary of what is seen of the examples, in one line."""
        if self.before is None or self.after is None:
            return f"{len(self)} examples; what the network predicts was not recorded"
        before, after = ((said.classes == self.labels).sum() for said in (self.before, self.after))
        draws = "" if self.after.confidences is None else "; percentages are probabilities of the predicted class"
        return f"{len(self)} examples: {before} right before the attack, {after} after it{draws}"

    def save(self, path: str | Path) -> Path:
        """Write the picture grid, as a PNG image or an HTML page by the file's ending.

        Raises:
            UserError: the ending is another one, or the file cannot be written.
        """
        file = Path(path).expanduser()
        if file.suffix not in (".png", ".html"):
            raise UserError(f"{file}: must end with .png or .html")
        if file.suffix == ".png":
            write_atomically(file, draw(self.lines, title=self.title, notes=[self.note]))
        else:
            write_atomically(file, page(self.lines, title=self.title, notes=[self.note]).encode())
        return file

    def __repr__(self) -> str:
        return f"{self.title}\n{self.note}"

    def _repr_html_(self) -> str:
        shown = self.first(MOST_SHOWN)
        more = f"<p>The first {len(shown)} of {len(self)}.</p>" if len(shown) < len(self) else ""
        return f"{fragment(shown.lines)}{more}"


def attacked_examples(store: Store, artifacts: Artifacts, job_key: str, *, root: DataRoot) -> AttackedExamples:
    """Load the examples that an attack or craft job keeps, or on which an attack job measured, next to the clean ones.

    Raises:
        UserError: the job keeps none.
        ArtifactError: its files are not there, or have changed.
        DataError: the data set's files are not there (a job that keeps its own clean examples does not need them).
    """
    job = artifacts.job(job_key)
    if isinstance(job.spec, AttackSpec) and (kept := kept_file(artifacts, job_key)) is not None:
        return AttackedExamples(
            clean=kept["clean"],
            adversarial=kept["adversarial"],
            labels=kept["labels"],
            places=kept["places"],
            classes=class_names(artifacts, job.parents["model"]),
            before=_likeliest(kept["clean_probabilities"]),
            after=_likeliest(kept["probabilities"]),
            title=_title(artifacts, job),
        )
    return _crafted(store, artifacts, job_key, job, root=root)


def _title(artifacts: Artifacts, job: Job) -> str:
    return f"{job_name(job)}, on {job_name(artifacts.job(job.parents['model']))}"


def _likeliest(probabilities: NDArray[np.float32]) -> Predictions:
    return Predictions(probabilities.argmax(axis=1), probabilities.max(axis=1).astype(np.float64))


def _crafted(store: Store, artifacts: Artifacts, job_key: str, job: Job, *, root: DataRoot) -> AttackedExamples:
    made_by, made = (key := job.parents.get("examples", job_key)), artifacts.job(key)
    if not isinstance(made.spec, CraftSpec):
        none = "keeps none, for no example was left to it" if getattr(job.spec, "keep_examples", 0) else "keeps none"
        keeping = "attacks with keep_examples do, and of knowledge omniscient or transfer"
        raise UserError(f"examples of {job_key}: this {job.stage} job {none}; {keeping}")
    adversarial, model = adversarial_examples(artifacts, made_by), job.parents["model"]
    data, evaluation = data_of(artifacts, made.parents["model"]), made.spec.evaluation
    order = evaluation.resolved_order
    clean, labels = clean_examples(data, len(adversarial), order=order, root=root, split=evaluation.split)
    after = _recorded(store, [job_key], len(labels)) if isinstance(job.spec, AttackSpec) else None
    on_test = evaluation_keys(store, model) if evaluation.split == "test" else {}
    before = _recorded(store, [job for job, of in on_test.items() if of == order], len(labels))
    places = np.arange(len(labels))
    return AttackedExamples(clean, adversarial, labels, places, class_names(artifacts, model), before, after, _title(artifacts, job))


def _recorded(store: Store, job_keys: list[str], count: int) -> Predictions | None:
    """Return the classes that the first of these jobs recorded, if it did so of at least as many examples."""
    found = example_numbers(store, job_keys[0]).classes if job_keys else None
    return None if found is None or len(found) < count else Predictions(found[:count])
