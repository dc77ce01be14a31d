"""Video files in and out with PyAV: probe, upright frames sampled by their times, and a writer that keeps times."""

from fitcli.video.clock import GAP_S, SHORTEST_S
from fitcli.video.files import VIDEO_SUFFIXES, expand
from fitcli.video.picture import Frame, Image, fitted, fitted_box
from fitcli.video.reading import SAMPLE_RATE_HZ, Listener, VideoFile, Watched, frames, probe
from fitcli.video.writing import VideoWriter

__all__ = [
    "GAP_S",
    "SAMPLE_RATE_HZ",
    "SHORTEST_S",
    "VIDEO_SUFFIXES",
    "Frame",
    "Image",
    "Listener",
    "VideoFile",
    "VideoWriter",
    "Watched",
    "expand",
    "fitted",
    "fitted_box",
    "frames",
    "probe",
]
