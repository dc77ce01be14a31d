"""The Lightning module: one network of the hybrid, both heads in one loss, missing labels masked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor

from fitcli.network.builders import build
from fitcli.network.spec import NetworkSpec
from fitcli.training.labels import UNKNOWN
from fitcli.training.pose.distill import Teachers
from fitcli.training.recipe import MUSCLE_LOSS_WEIGHT, warm_up_and_cosine

TEACHING = 0.5
"""Share of the teachers' answers in the target of a clip that has a label."""
TAUGHT_WEIGHT, TAUGHT_MUSCLE_WEIGHT = 0.5, 0.3
"""Weight in the loss of a clip, or a muscle, that only the teachers answer for."""


@dataclass(frozen=True)
class _Lesson:
    """Targets and weights: exercise (B, E) and (B,), muscle (B, 11) and (B, 11)."""

    exercise: Tensor
    exercise_weight: Tensor
    muscle: Tensor
    muscle_weight: Tensor


class HybridModule(L.LightningModule):
    """Trains the network of `spec`.

    learning_rate: the peak, reached after a tenth of the steps and then lowered along half a cosine to nearly 0.
    mixup: Beta(mixup, mixup) blends pairs of clips after the heatmap layer; 0 turns it off.
    teachers: networks whose answers are half of the target, where a batch says which of them may speak.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.1,
        mixup: float = 0.3,
        teachers: Teachers | None = None,
    ) -> None:
        super().__init__()
        # Beside the module's own parts: what teaches is neither trained nor stored with it.
        self._teachers = (teachers,)
        self.spec = spec
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.label_smoothing, self.mixup = label_smoothing, mixup
        self.network = build(spec).to(memory_format=torch.channels_last_3d)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(clips)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor:
        clips, exercise, muscles, shares = batch
        lesson = self._lesson(clips, exercise, muscles, shares)
        # Teachers may look at more moments than the network that they teach.
        volume = self.network.heatmaps(clips[:, :: clips.shape[1] // self.spec.frames])
        if self.mixup:
            share = torch.distributions.Beta(self.mixup, self.mixup).sample((len(clips),)).to(clips.device)
            share = torch.maximum(share, 1 - share)
            other = torch.randperm(len(clips), device=clips.device)
            # A clip is blended only with one that is known as well for the same heads, or targets would lie.
            less = (lesson.exercise_weight[other] < lesson.exercise_weight) | (
                lesson.muscle_weight[other] < lesson.muscle_weight
            ).any(1)
            share = torch.where(less, 1.0, share)
            volume = _blend(volume, other, share)
            lesson = replace(
                lesson, exercise=_blend(lesson.exercise, other, share), muscle=_blend(lesson.muscle, other, share)
            )
        if volume.ndim == 5:
            volume = volume.contiguous(memory_format=torch.channels_last_3d)
        exercise_logits, muscle_logits = self.network.from_volume(volume)
        exercise_terms = -(lesson.exercise * exercise_logits.float().log_softmax(-1)).sum(-1)
        exercise_loss = _mean(exercise_terms, lesson.exercise_weight)
        muscle_terms = F.binary_cross_entropy_with_logits(muscle_logits.float(), lesson.muscle, reduction="none")
        muscle_loss = _mean(muscle_terms, lesson.muscle_weight)
        loss = exercise_loss + MUSCLE_LOSS_WEIGHT * muscle_loss
        losses = {"loss": loss, "exercise_loss": exercise_loss, "muscle_loss": muscle_loss}
        self.log_dict(losses, prog_bar=True, sync_dist=True)
        return loss

    def _lesson(self, clips: Tensor, exercise: Tensor, muscles: Tensor, shares: Tensor) -> _Lesson:
        """The labels where they are known, softened by the teachers, who answer alone where they are not."""
        known, answered = (exercise != UNKNOWN).float(), (~muscles.isnan()).float()
        count = len(self.spec.exercises)
        labels = F.one_hot(exercise.clamp(min=0), count).float()
        muscles = muscles.nan_to_num()
        smooth = self.label_smoothing
        if not shares.shape[1]:
            return _Lesson(labels * (1 - smooth) + smooth / count, known, muscles, answered)
        with torch.no_grad(), torch.autocast(clips.device.type, enabled=False):
            taught, felt = self._teach(clips.float(), shares)
        trust = torch.where(known > 0, TEACHING, 1.0)[:, None]
        trust_muscle = torch.where(answered > 0, TEACHING, 1.0)
        # The teachers' doubts replace most of the smoothing.
        return _Lesson(
            (labels * (1 - trust) + taught * trust) * (1 - smooth / 2) + smooth / 2 / count,
            torch.where(known > 0, 1.0, TAUGHT_WEIGHT),
            muscles * (1 - trust_muscle) + felt * trust_muscle,
            torch.where(answered > 0, 1.0, TAUGHT_MUSCLE_WEIGHT),
        )

    def _teach(self, clips: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        (teachers,) = self._teachers
        if teachers is None:
            raise ValueError("The clips come with shares of teachers, but there are none.")
        answers: tuple[Tensor, Tensor] = teachers.to(clips.device)(clips, shares)
        return answers

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": self.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=self.learning_rate,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_up_and_cosine(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _mean(terms: Tensor, weights: Tensor) -> Tensor:
    return (terms * weights).sum() / weights.sum().clamp(min=1)


def _blend(values: Tensor, other: Tensor, share: Tensor) -> Tensor:
    weight = share.view(-1, *(1,) * (values.ndim - 1))
    return values * weight + values[other] * (1 - weight)
