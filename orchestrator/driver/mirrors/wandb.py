"""Mirror in Weights & Biases: a project's run for each model, grouped by sweep. `WANDB_MODE=offline` writes folders for `wandb sync`."""

from typing import Any

from orchestrator.driver.mirrors.entry import Entry, MirroredModel

_KEY_DIGITS = 16
_SECONDS = 15.0


class WeightsAndBiases:
    """`Target` in a project, by the package `wandb` with its own settings: its login, `WANDB_MODE`, `WANDB_DIR` and the like."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._runs: dict[str, Any] = {}

    def write(self, entry: Entry) -> None:
        self._run(entry.model).log({entry.counts: entry.step, **entry.values})

    def close(self) -> None:
        for run in self._runs.values():
            run.finish()

    def _run(self, model: MirroredModel) -> Any:
        """The model's run, which is continued where the project has it."""
        if model.key not in self._runs:
            self._runs[model.key] = self._opened(model)
        return self._runs[model.key]

    def _opened(self, model: MirroredModel) -> Any:
        import wandb

        quiet = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_stats=True,
            x_disable_meta=True,
            init_timeout=_SECONDS,
        )
        try:
            run = wandb.init(
                project=self._project,
                group=model.sweep,
                id=model.key[:_KEY_DIGITS],
                name=model.name,
                config=dict(model.settings),
                resume="allow",
                reinit="create_new",
                settings=quiet,
            )
        except wandb.errors.CommError as error:
            raise OSError(f"no answer: {error}") from None
        for step, metric in (("epoch", "training/*"), ("repeat", "*")):
            run.define_metric(metric, step_metric=step)
        return run
