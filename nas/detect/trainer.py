"""The training loop of a detector: SGD on the multibox loss, counted in iterations.

Source: SSD (arXiv:1512.02325), Sec. 3; MobileNeXt (arXiv:2007.02269), Sec. 4.3, and the authors'
SSDLite code.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch.nn.utils import get_total_norm

from nas.config import DetectConfig
from nas.detect.data import DetectData
from nas.detect.measure import detect, measure
from nas.detection_record import DetectionEvaluation
from nas.distributed.ranks import ALONE, Ranks
from nas.models.detection import IMAGE_SIZE, Detections, SSDLite, multibox_loss, num_matched
from nas.runtime.compute import Batch, Compute
from nas.runtime.loop import EpochCallback, EpochLoop, norm_of
from nas.runtime.meter import LossMeter
from nas.runtime.run_directory import RunDirectory


def learning_rate_at(iteration: int, config: DetectConfig) -> float:
    """Return the learning rate of an iteration, counted from 0.

    lr * decay_factor ** (number of decay_iterations that are over), times a factor that rises
    linearly from warmup_factor to 1 in the first warmup_iterations.
    """
    falls = bisect_right(config.decay_iterations, iteration)
    rate = config.learning_rate_scale * config.learning_rate * config.decay_factor**falls
    if iteration >= config.warmup_iterations:
        return rate
    progress = iteration / config.warmup_iterations
    return rate * (config.warmup_factor * (1 - progress) + progress)


class DetectTrainer(EpochLoop):
    """Trains a detector and measures it after every `eval_interval` iterations.

    One such interval is an epoch of the loop. Test images never choose anything.

    Deviation: the loss is divided by the matched priors of the whole batch, over all processes and
    micro-batches; the authors divide by those of each process.
    """

    config: DetectConfig

    def __init__(
        self,
        net: SSDLite,
        *,
        config: DetectConfig,
        data: DetectData,
        run: RunDirectory,
        description: dict[str, Any],
        compute: Compute,
        callbacks: Iterable[EpochCallback] = (),
        ranks: Ranks = ALONE,
    ):
        """Build the optimizer.

        Args:
            net: The detector, on the device of `compute`.
            config: The recipe.
            data: The images to train and measure on.
            run: Receives metrics.jsonl and the checkpoints.
            description: Stored in every checkpoint, so that the detector can be built again.
            compute: The arithmetic.
            callbacks: Called with the record of each interval.
            ranks: The processes that train together.
        """
        super().__init__(
            config=config,
            epochs=config.iterations // config.eval_interval,
            train_loader=data.train_loader,
            run=run,
            compute=compute,
            callbacks=callbacks,
            ranks=ranks,
        )
        self.net = net
        self.data = data
        self.description = description
        self.optimizer = torch.optim.SGD(
            net.parameters(),
            config.learning_rate,
            config.momentum,
            weight_decay=config.weight_decay,
        )
        self.scaler = compute.scaler()
        example = torch.zeros((2, 3, IMAGE_SIZE, IMAGE_SIZE), device=self.device)
        self._parallel_net = ranks.parallel(net, example)
        self.last_detections: list[Detections] | None = None

    def new_meter(self) -> LossMeter:
        """Return an empty meter of both losses."""
        return LossMeter(self.device, ("class_loss", "box_loss"))

    def place(self) -> str:
        """See `EpochLoop`."""
        return f"iteration {self.iteration}"

    def describe_progress(self) -> str:
        """See `EpochLoop`."""
        return f"after {self.iteration} of {self.config.iterations} iterations"

    def train(self) -> tuple[DetectionEvaluation, list[Detections]]:
        """Run to the last iteration; return its test results and the detections.

        Raises:
            Stopped: A signal asked the run to stop; a checkpoint was written.
            TrainingError: A loss or a gradient is not finite.
        """
        self.run_epochs()
        detections = self.last_detections or self._detect()
        return measure(self.data.test, detections), detections

    def run_epoch(self) -> dict[str, Any]:
        """Train for the rest of an interval, then measure; return its record."""
        self.net.train()
        for batch in self.train_batches():
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate_at(self.iteration, self.config)
            self.step(batch)
            self.step_done()
        meter = cast(LossMeter, self.epoch_meter())
        self.ranks.broadcast_(self.net.buffers())
        self.last_detections = self._detect()
        evaluation = measure(self.data.test, self.last_detections)
        return {
            "epoch": self.epoch,
            "iteration": self.iteration,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": meter.loss,
            **{f"train_{name}": value for name, value in meter.means.items()},
            "test_map_11": evaluation.map_11,
            "test_map_area": evaluation.map_area,
            "test_map_coco": evaluation.map_coco,
        }

    def step(self, batch: Batch) -> None:
        """Update the weights once.

        Args:
            batch: Images and the targets of `match`, on the device of the network.
        """
        restore_buffers = self.guard.remember_buffers(self.net)
        self.optimizer.zero_grad()
        matched = num_matched(batch[1]).double()
        self.ranks.mean_([matched])
        matched = matched.clamp(min=1 / self.ranks.size).float()
        losses = torch.zeros(2, device=self.device)
        for (images, targets), _ in self.compute.split(batch):
            with self.compute.autocast():
                logits, offsets = self._parallel_net(images)
            both = torch.stack(multibox_loss(logits, offsets, targets, self.config.negatives))
            both = both / matched
            self.scaler.scale(both.sum()).backward()
            losses += both.detach()
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.net.parameters() if p.grad is not None]
        values = {
            "train_loss": self.mean_over_ranks([losses.sum()]),
            "gradient_norm": get_total_norm(gradients),
        }
        if self.scaler.is_enabled():  # it leaves out such a step itself
            del values["gradient_norm"]
        if not self.guard.check_finite("weight step", **values):
            self.scaler.update()
            restore_buffers()
            return
        cast(LossMeter, self.train_meter).add(*losses)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def example_batch(self) -> Batch:
        """Return random images in the form of this process's batches."""
        num = self.config.batch_size // self.ranks.size
        targets = torch.zeros(num, len(self.net.priors), 5)
        targets[:, ::100, 0] = 1
        return self.compute.to_device((torch.randn(num, 3, IMAGE_SIZE, IMAGE_SIZE), targets))

    def norms(self) -> dict[str, float]:
        """Return the norm of the weights."""
        return {"weights": norm_of(self.net)}

    def describe(self, record: dict[str, Any]) -> str:
        """Return the line that is shown after an interval."""
        return (
            f"iteration {record['iteration']}/{self.config.iterations}  "
            f"train loss {record['train_loss']:.4f} (class {record['train_class_loss']:.4f}, "
            f"box {record['train_box_loss']:.4f})  test mAP {record['test_map_11']:.2f} % "
            f"(11 points), {record['test_map_area']:.2f} % (area), "
            f"{record['test_map_coco']:.2f} % (COCO)"
        )

    def _detect(self) -> list[Detections]:
        return detect(
            self.net,
            self.data.test_loader,
            compute=self.compute,
            on_batch=self.check_stop,
            ranks=self.ranks,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state in forms that `torch.load(weights_only=True)` reads."""
        return super().state_dict() | {
            "description": self.description,
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        super().load_state_dict(state)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
