"""Training from scratch: the recipe, the loop and exact evaluation."""

from nas.records import Evaluation
from nas.runtime.evaluation import evaluate
from nas.train.recipe import num_slots
from nas.train.trainer import TrainData, Trainer

__all__ = ["Evaluation", "TrainData", "Trainer", "evaluate", "num_slots"]
