"""The section of a space by which attacks are made shard by shard, and end once they are decided."""

from typing import Literal

from search_spaces.schema.axes import Axis
from search_spaces.schema.search_section import SearchSection
from workers.components.settings import Frozen
from workers.spec.fields import Count, OpenShare, Positive
from workers.spec.stage_specs import MeasuringSettings

Contestants = Literal["attacks", "models", "none"]
Survivors = Literal["finish", "stop"]


class RacingSection(Frozen):
    """A race for each data set, ball and knowledge; in a search, of each trial against the best so far.

    `among` are those that leave once they cannot be the best; with `none`, and without a `precision`, all examples are attacked, in
    shards that other races share.
    """

    shard: Count = 500
    among: Axis[Contestants] = ("attacks", "models")
    precision: Positive | None = None
    error_rate: OpenShare = 0.05
    survivors: Survivors = "finish"

    def require_fitting(self, evaluation: MeasuringSettings, *, order_is_given: bool) -> None:
        """Check that an evaluation can be made in such shards.

        Raises:
            ValueError: it cannot.
        """
        examples, batch = evaluation.examples, evaluation.batch_size
        if examples is None:
            raise ValueError(
                "needs evaluation.examples, a number of which an attack may stop short; for all of them say how many there are"
            )
        if self.shard % batch or examples % batch:
            raise ValueError(
                f"shard={self.shard}, evaluation.examples={examples}: must be multiples of evaluation.batch_size, which is {batch}"
            )
        if self.survivors == "stop" and "none" in self.among:
            raise ValueError("survivors=stop: no model or attack competes where among is none; leave it out")
        if order_is_given and evaluation.order != "random":
            raise ValueError(f"evaluation.order={evaluation.order}: must be random where attacks race; leave it out")

    def require_searched_by(self, search: SearchSection, *, seeds: object) -> None:
        """Check that the trials of a search, with these seeds as they are written, can race.

        Raises:
            ValueError: they cannot.
        """
        if superfluous := sorted({"among", "precision", "survivors"} & self.model_fields_set):
            raise ValueError(f"{superfluous[0]}: not with method optuna, whose trials race for the best; leave it out")
        if [objective.metric for objective in search.objectives] != ["robust_accuracy"]:
            raise ValueError("needs one objective in search.objectives, robust_accuracy, to race by")
        if search.rungs or search.precision:
            raise ValueError(f"not with search.{'rungs' if search.rungs else 'precision'}, which decides in another way")
        if isinstance(seeds, list) and len(seeds) > 1:
            raise ValueError(f"seed has {len(seeds)} values, and a trial that races has one model")
