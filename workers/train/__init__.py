"""Training, its schedules and its checkpoints."""

from workers.train.checkpoint import Checkpoint
from workers.train.loop import Extra, train
from workers.train.optimizer import learning_rate

__all__ = ["Checkpoint", "Extra", "learning_rate", "train"]
