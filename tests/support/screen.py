"""A display without a monitor, and what it shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import ImageGrab


def near(image: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """The pixels of an RGB image (height, width, 3) that have about that colour, (height, width)."""
    close: npt.NDArray[np.bool_] = np.abs(image.astype(int) - colour).max(axis=2) < 40
    return close


class Screen:
    """A display without a monitor; what it shows is asked of the display itself, as a screenshot is."""

    def __init__(self, display: str) -> None:
        self.display = display

    def pixels(self) -> npt.NDArray[np.uint8]:
        """(height, width, 3) RGB."""
        return np.asarray(ImageGrab.grab(xdisplay=self.display).convert("RGB"))
