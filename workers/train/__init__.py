"""Training, its schedules and its checkpoints."""

from workers.train.checkpoint import Checkpoint
from workers.train.loop import train
from workers.train.optimizer import learning_rate

__all__ = ["Checkpoint", "learning_rate", "train"]
