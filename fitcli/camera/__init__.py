"""The camera: frames at their true arrival times, recorded and shown. The only room that uses OpenCV."""

from fitcli.camera.capture import Camera, Recorder, Recording
from fitcli.camera.newest import Newest
from fitcli.camera.source import CameraFrame, Resolution, cameras
from fitcli.camera.window import Window, display_trouble, window_opens, window_trouble

__all__ = [
    "Camera",
    "CameraFrame",
    "Newest",
    "Recorder",
    "Recording",
    "Resolution",
    "Window",
    "cameras",
    "display_trouble",
    "window_opens",
    "window_trouble",
]
