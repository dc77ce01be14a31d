"""What training on pose sequences and on videos has in common: how the heads are weighed, and the learning rate."""

from __future__ import annotations

import math

MUSCLE_LOSS_WEIGHT = 2.0
"""Binary cross-entropy averaged over the muscles is several times smaller than a cross-entropy over the exercises."""


def warm_up_and_cosine(step: int, steps: int) -> float:
    """Share of the peak learning rate: rises over a tenth of the steps, then falls along half a cosine to nearly 0."""
    warm_up = max(1, steps // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))
