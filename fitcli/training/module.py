"""The Lightning module: one network of the hybrid, both heads in one loss, missing labels masked."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor

from fitcli.network.builders import build
from fitcli.network.spec import NetworkSpec
from fitcli.training.dataset import UNKNOWN

MUSCLE_LOSS_WEIGHT = 2.0
"""Binary cross-entropy averaged over 11 muscles is several times smaller than a cross-entropy over 17 classes."""


class HybridModule(L.LightningModule):
    """Trains the network of `spec`.

    learning_rate: the peak, reached after a tenth of the steps and then lowered along half a cosine to nearly 0.
    mixup: Beta(mixup, mixup) blends pairs of clips after the heatmap layer; 0 turns it off.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.1,
        mixup: float = 0.3,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.label_smoothing, self.mixup = label_smoothing, mixup
        self.network = build(spec).to(memory_format=torch.channels_last_3d)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(clips)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor:
        clips, exercise, muscles = batch
        volume = self.network.heatmaps(clips)
        known = (exercise != UNKNOWN).float()
        targets = F.one_hot(exercise.clamp(min=0), len(self.spec.exercises)).float() * known[:, None]
        answered = (~muscles.isnan()).float()
        muscles = muscles.nan_to_num()
        if self.mixup:
            share = torch.distributions.Beta(self.mixup, self.mixup).sample((len(clips),)).to(clips.device)
            share = torch.maximum(share, 1 - share)
            other = torch.randperm(len(clips), device=clips.device)
            # A clip is blended only with one whose labels are known for the same heads, or targets would lie.
            share = torch.where((known[other] < known) | (answered[other] < answered).any(1), 1.0, share)
            volume = _blend(volume, other, share)
            targets, muscles = _blend(targets, other, share), _blend(muscles, other, share)
        volume = volume.contiguous(memory_format=torch.channels_last_3d)
        exercise_logits, muscle_logits = self.network.from_volume(volume)
        smooth = self.label_smoothing
        targets = targets * (1 - smooth) + known[:, None] * smooth / len(self.spec.exercises)
        exercise_loss = -(targets * exercise_logits.float().log_softmax(-1)).sum() / known.sum().clamp(min=1)
        muscle_terms = F.binary_cross_entropy_with_logits(muscle_logits.float(), muscles, reduction="none")
        muscle_loss = (muscle_terms * answered).sum() / answered.sum().clamp(min=1)
        loss = exercise_loss + MUSCLE_LOSS_WEIGHT * muscle_loss
        self.log_dict({"loss": loss, "exercise_loss": exercise_loss, "muscle_loss": muscle_loss}, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": self.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=self.learning_rate,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        warm_up = max(1, steps // 10)

        def rate(step: int) -> float:
            if step < warm_up:
                return (step + 1) / warm_up
            return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _blend(values: Tensor, other: Tensor, share: Tensor) -> Tensor:
    weight = share.view(-1, *(1,) * (values.ndim - 1))
    return values * weight + values[other] * (1 - weight)
