"""Sets, repetitions, holds, tempo, range of motion and the measures of form cues, from a `PoseTrack`."""

from fitcli.motion.counting import count_repetitions
from fitcli.motion.live import LiveCount, LiveCounter
from fitcli.motion.sets import WindowLabel, find_sets

__all__ = ["LiveCount", "LiveCounter", "WindowLabel", "count_repetitions", "find_sets"]
