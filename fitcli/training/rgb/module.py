"""The Lightning module for networks on RGB: the paper's recipe, and what its ablations vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fitcli.network.builders import build
from fitcli.network.spec import NetworkSpec
from fitcli.training.labels import UNKNOWN
from fitcli.training.metrics import exercise_metrics, muscle_metrics
from fitcli.training.recipe import MUSCLE_LOSS_WEIGHT, warm_up_and_cosine

Loss = Literal["bce", "published"]
Optimizer = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine"]


@dataclass(frozen=True)
class RgbRecipe:
    """How a network on RGB is trained; the defaults are the paper's (arXiv 2406.06703) but for the muscles' loss.

    loss: of the muscles. "bce" is binary cross-entropy, one question a muscle; "published" the reference system's
        cross-entropy on multi-hot targets, which asks which one muscle works.
    freeze_backbone: only the heads learn, on features that stay as they are; batch norms keep their statistics.
    """

    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    optimizer: Optimizer = "adam"
    schedule: Schedule = "constant"
    loss: Loss = "bce"
    freeze_backbone: bool = False


@dataclass(frozen=True)
class Scores:
    """Logits and targets of N clips in the order of the list. exercise: (N, E), muscle: (N, 11); (N, 0) for no head."""

    exercise: np.ndarray
    muscle: np.ndarray
    exercise_target: np.ndarray
    muscle_target: np.ndarray


class RgbModule(L.LightningModule):
    """Trains the network of `spec` by `recipe`; measures the middle clips of a validation set as a whole."""

    def __init__(self, spec: NetworkSpec, recipe: RgbRecipe) -> None:
        super().__init__()
        self.spec, self.recipe = spec, recipe
        self.network = build(spec).to(memory_format=torch.channels_last_3d)
        if recipe.freeze_backbone:
            self.network.backbone.requires_grad_(False)
        self.figures: dict[str, float] = {}
        self._parts: list[dict[str, Tensor]] = []
        self._scored: list[tuple[Tensor, ...]] = []

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(clips)  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> RgbModule:
        super().train(mode)
        if self.recipe.freeze_backbone:
            for part in self.network.backbone.modules():
                if not isinstance(part, nn.Dropout):  # it stands before the heads and is theirs
                    part.training = False
        return self

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor:
        pictures, exercise, muscles = batch
        # Normalised here: a quarter of the bytes travels to the device.
        clips = (pictures.float() / 255 - self.spec.mean) / self.spec.std
        clips = clips.permute(0, 4, 1, 2, 3).contiguous(memory_format=torch.channels_last_3d)
        exercise_logits, muscle_logits = self.network(clips)
        losses = self.losses(exercise_logits, muscle_logits, exercise, muscles)
        self._log(losses, batch_index)
        return losses["loss"]

    def _log(self, losses: dict[str, Tensor], batch_index: int) -> None:
        """Log what a step lost on its whole batch, in however many parts that is computed."""
        self._parts.append({name: loss.detach() for name, loss in losses.items()})
        means = {name: torch.stack([part[name] for part in self._parts]).mean() for name in losses}
        self.log_dict(means, prog_bar=True, sync_dist=True)
        if (batch_index + 1) % self.trainer.accumulate_grad_batches == 0:
            self._parts = []

    def losses(
        self, exercise_logits: Tensor, muscle_logits: Tensor, exercise: Tensor, muscles: Tensor
    ) -> dict[str, Tensor]:
        """The loss and, where both heads learn, its two parts; labels that are not known count for nothing."""
        parts: dict[str, Tensor] = {}
        if self.spec.exercises:
            each = F.cross_entropy(exercise_logits.float(), exercise, ignore_index=UNKNOWN, reduction="sum")
            parts["exercise_loss"] = each / (exercise != UNKNOWN).sum().clamp(min=1)
        if self.spec.muscles:
            parts["muscle_loss"] = self._muscle_loss(muscle_logits.float(), muscles)
        if len(parts) == 1:
            return {"loss": next(iter(parts.values()))}
        weight = MUSCLE_LOSS_WEIGHT if self.recipe.loss == "bce" else 1.0
        return {"loss": parts["exercise_loss"] + weight * parts["muscle_loss"], **parts}

    def _muscle_loss(self, logits: Tensor, muscles: Tensor) -> Tensor:
        known = (~muscles.isnan()).float()
        targets = muscles.nan_to_num()
        if self.recipe.loss == "published":
            whole = known.all(1).float()
            return (-(targets * logits.log_softmax(-1)).sum(-1) * whole).sum() / whole.sum().clamp(min=1)
        terms = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return (terms * known).sum() / known.sum().clamp(min=1)

    def validation_step(self, batch: list[Tensor], batch_index: int) -> None:
        clips, exercise, muscles, numbers = batch
        scores = self.network(clips.contiguous(memory_format=torch.channels_last_3d))
        self._scored.append(tuple(t.detach().float().cpu() for t in (*scores, exercise, muscles, numbers)))

    def on_validation_epoch_end(self) -> None:
        scored = self._gathered()
        if scored is None:
            return
        exercise, muscle, exercise_target, muscle_target = scored
        losses = self.losses(exercise, muscle, exercise_target.long(), muscle_target)
        figures = {f"val_{name}": float(value) for name, value in losses.items()}
        figures |= {f"val_{name}": value for name, value in figures_of(self.spec, as_scores(scored)).items()}
        self.figures = {name: value for name, value in figures.items() if value == value}
        # Every process has all scores, so that all decide alike when to stop.
        self.log_dict(self.figures, prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["figures"] = self.figures

    def _gathered(self) -> tuple[Tensor, ...] | None:
        """Scores and targets of all processes, in the order of the videos, each once."""
        mine = tuple(torch.cat(parts) for parts in zip(*self._scored, strict=True)) if self._scored else None
        self._scored = []
        everybody = [mine]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            everybody = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(everybody, mine)
        present = [part for part in everybody if part is not None]
        if not present:
            return None
        *tensors, numbers = (torch.cat(parts) for parts in zip(*present, strict=True))
        order = torch.from_numpy(np.unique(numbers.numpy(), return_index=True)[1])
        return tuple(tensor[order] for tensor in tensors)

    def configure_optimizers(self) -> Any:
        learning = [p for p in self.network.parameters() if p.requires_grad]
        kind = torch.optim.AdamW if self.recipe.optimizer == "adamw" else torch.optim.Adam
        groups = [
            {"params": [p for p in learning if p.ndim > 1], "weight_decay": self.recipe.weight_decay},
            {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = kind(groups, lr=self.recipe.learning_rate)
        if self.recipe.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_up_and_cosine(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def as_scores(scored: tuple[Tensor, ...]) -> Scores:
    """Gathered tensors as arrays."""
    exercise, muscle, exercise_target, muscle_target = (tensor.numpy() for tensor in scored)
    return Scores(exercise, muscle, exercise_target.astype(np.int64), muscle_target)


def figures_of(spec: NetworkSpec, scores: Scores) -> dict[str, float]:
    """Metrics of a whole set for the heads that the network has, with the muscles' predict-nothing baseline."""
    figures: dict[str, float] = {}
    known = scores.exercise_target >= 0
    if spec.exercises and known.any():
        probabilities = torch.from_numpy(scores.exercise[known]).softmax(-1).numpy()
        measured = exercise_metrics(probabilities, scores.exercise_target[known], spec.exercises)
        figures |= {
            "clips": float(measured.clips),
            "top1": measured.top1,
            "top3": measured.top3,
            "macro_top1": measured.macro_top1,
        }
    evidence = ~np.isnan(scores.muscle_target).all(1) if spec.muscles else np.zeros(0, bool)
    if evidence.any():
        activations = torch.from_numpy(scores.muscle[evidence]).sigmoid().numpy()
        muscle = muscle_metrics(activations, scores.muscle_target[evidence])
        figures |= {
            "muscle_micro_accuracy": muscle.micro_accuracy,
            "muscle_predict_nothing": muscle.predict_nothing,
            "muscle_average_precision": muscle.mean_average_precision,
            "muscle_auc": muscle.auc,
            "muscle_macro_f1": muscle.macro_f1,
        }
    return figures
