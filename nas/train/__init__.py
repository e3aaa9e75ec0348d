"""Training a network: the recipe, the loop, the whole run, and the trained network."""

from nas.records import Evaluation
from nas.runtime.evaluation import evaluate
from nas.train.recipe import num_slots
from nas.train.run import TrainResult, train
from nas.train.trainer import TrainData, Trainer

__all__ = ["Evaluation", "TrainData", "TrainResult", "Trainer", "evaluate", "num_slots", "train"]
