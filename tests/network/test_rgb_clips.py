"""What a network on pictures relies on: clips as the published code cuts them, and published weights that load."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.films import MakeVideo, rgb_windows

from fitcli.network.builders import build
from fitcli.network.rgb_clips import SOURCE_RATE_HZ, RgbClipSpec, rgb_clip, spread
from fitcli.network.spec import NetworkSpec, rgb_spec
from fitcli.video import Frame, Image, Listener, frames

SMALL = RgbClipSpec(frames=8, window_s=2.0, side=16, short_side=16)


def published_preprocessing(video: np.ndarray, spec: RgbClipSpec) -> np.ndarray:
    """UniformTemporalSubsample, NormalizeVideo, ShortSideScale, CenterCropVideo, in plain torch."""
    clip = torch.from_numpy(video).permute(3, 0, 1, 2).float()
    clip = clip[:, torch.linspace(0, clip.shape[1] - 1, spec.frames).long()]
    clip = (clip / 255 - spec.mean) / spec.std
    height, width = clip.shape[2:]
    short = spec.short_side
    size = (int(height / width * short), short) if width < height else (short, int(width / height * short))
    clip = torch.nn.functional.interpolate(clip, size=size, mode="bilinear", align_corners=False)
    top, left = round((size[0] - spec.side) / 2), round((size[1] - spec.side) / 2)
    return clip[:, :, top : top + spec.side, left : left + spec.side].numpy()


@pytest.mark.parametrize(
    ("width", "height"), [(640, 360), (360, 640), (101, 77), (257, 511)], ids=["wide", "tall", "small", "odd"]
)
@pytest.mark.parametrize(("side", "short_side"), [(64, 64), (112, 128)])
def test_a_clip_is_preprocessed_as_published(width: int, height: int, side: int, short_side: int) -> None:
    spec = RgbClipSpec(frames=8, window_s=2.0, side=side, short_side=short_side)
    video = np.random.default_rng(1).integers(0, 256, (11, height, width, 3), np.uint8)
    ours = rgb_clip(video, spec)
    assert ours.shape == (3, 8, side, side)
    assert ours.dtype == np.float32
    assert np.abs(ours - published_preprocessing(video, spec)).max() < 1e-4


@pytest.mark.parametrize("chosen", [4, 8, 13, 16, 32])
def test_frames_are_chosen_as_torch_chooses_them(chosen: int) -> None:
    for count in range(1, 400):
        assert np.array_equal(spread(count, chosen), torch.linspace(0, count - 1, chosen).long().numpy()), count


def stream(seconds: float, rate_hz: float = 30.0, size: int = 24) -> Iterator[Frame]:
    """Pictures whose grey level is their time in tenths of a second."""
    for number in range(round(seconds * rate_hz)):
        time_s = number / rate_hz
        yield Frame(time_s, np.full((size, size, 3), int(time_s * 10) % 256, np.uint8))


def tenths(clip: np.ndarray) -> list[int]:
    return [round(float(grey)) for grey in (clip[0, :, 8, 8] * SMALL.std + SMALL.mean) * 255]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.7, [(0, 0.7)]),
        (2.0, [(0, 2.0)]),
        (2.3, [(0, 2.0)]),
        (3.0, [(0, 2.0), (1.0, 3.0)]),
        (6.0, [(0, 2.0), (2.0, 4.0), (4.0, 6.0)]),
    ],
)
def test_windows_cover_a_video_and_the_last_ends_with_it(seconds: float, expected: list[tuple[float, float]]) -> None:
    windows = list(rgb_windows(stream(seconds), SMALL))
    assert [(w.start_s, w.end_s) for w in windows] == [pytest.approx(pair, abs=0.05) for pair in expected]
    for window, (start_s, end_s) in zip(windows, expected, strict=True):
        shown = tenths(window.clip)
        assert shown == sorted(shown)
        assert shown[0] == pytest.approx(start_s * 10, abs=1)
        assert shown[-1] == pytest.approx(end_s * 10, abs=1)


def test_windows_go_on_after_a_gap_in_the_video() -> None:
    with_gap = [frame for frame in stream(12) if not 3 < frame.time_s < 9]
    windows = list(rgb_windows(with_gap, SMALL))
    assert [w.start_s for w in windows] == pytest.approx([0, 1, 9, 10], abs=0.1)


def test_memory_does_not_grow_with_the_video() -> None:
    peaks = []
    for seconds in (4, 40):
        tracemalloc.start()
        for _ in rgb_windows(stream(seconds), SMALL):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_full_frames_are_heard_in_the_same_pass(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "a.mp4", frames=60, size=(320, 240), rotation_deg=90)
    heard: list[Frame] = []

    def hear(time_s: float, render: Callable[[], Image]) -> None:
        heard.append(Frame(time_s, render()))

    small = list(frames(path, rate_hz=15, max_side=160, listener=Listener(hear, SOURCE_RATE_HZ)))
    alone = list(frames(path, rate_hz=None, max_side=None))
    assert len(small) == 30
    assert {frame.image.shape for frame in small} == {(160, 120, 3)}
    assert [frame.time_s for frame in heard] == [frame.time_s for frame in alone]
    assert all(np.array_equal(ours.image, theirs.image) for ours, theirs in zip(heard, alone, strict=True))
    assert [frame.time_s for frame in small] == [frame.time_s for frame in frames(path, rate_hz=15)]


def test_slow_motion_is_heard_at_the_listeners_rate(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "slow.mp4", frames=240, rate_hz=240, size=(64, 48))
    heard: list[float] = []
    list(frames(path, listener=Listener(lambda time_s, _: heard.append(time_s), SOURCE_RATE_HZ)))
    assert len(heard) == pytest.approx(64, abs=2)


def published(name: str) -> Any:
    from pytorchvideo.models.slowfast import create_slowfast
    from pytorchvideo.models.x3d import create_x3d

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "slowfast_r18":
            return create_slowfast(model_depth=18)
        return create_x3d(input_clip_length=13, input_crop_size=160)


@pytest.mark.parametrize(("name", "head"), [("slowfast_r18", "blocks.6.proj"), ("x3d_s", "blocks.5.proj")])
def test_published_weights_load_strictly_but_for_their_head(name: str, head: str) -> None:
    theirs = published(name).state_dict()
    backbone = build(rgb_spec(name)).backbone
    backbone.load_state_dict({key: value for key, value in theirs.items() if not key.startswith(head)}, strict=True)


@pytest.mark.parametrize("reduction", [2, 3, 7, 10, 16])
def test_every_channel_reduction_makes_a_network(reduction: int) -> None:
    spec = rgb_spec("slowfast_r18", channel_reduction=reduction, side=64, frames=8)
    with torch.inference_mode():
        exercise, muscle = build(spec).eval()(torch.zeros(1, *spec.clip_shape))
    assert (exercise.shape, muscle.shape) == ((1, 16), (1, 11))


@pytest.mark.parametrize(("exercises", "muscles"), [((), None), (None, ())], ids=["muscles alone", "exercises alone"])
def test_a_network_may_have_one_head(exercises: tuple[str, ...] | None, muscles: tuple[str, ...] | None) -> None:
    heads: dict[str, Any] = {
        key: value for key, value in (("exercises", exercises), ("muscles", muscles)) if value is not None
    }
    spec = rgb_spec("x3d_xs", side=64, **heads)
    with torch.inference_mode():
        logits = build(spec).eval()(torch.zeros(2, *spec.clip_shape))
    assert [part.shape[1] for part in logits] == [len(spec.exercises), len(spec.muscles)]
    assert NetworkSpec.from_plain(spec.to_plain()) == spec


def test_the_slow_pathway_reads_from_the_first_frame_to_the_last() -> None:
    assert rgb_spec("slowfast_r50").slow_frames == (0, 4, 8, 13, 17, 22, 26, 31)
