"""Time stamps: a rising clock from the stamps of a file, its gaps, and sampling on a grid of times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import floor
from typing import TypeVar

_Item = TypeVar("_Item")

GAP_S = 4.0
"""Frames further apart than this belong to two stretches, and no window or set spans the time between them. It is the
length of a window of the shipped networks, and of a pause that ends a set."""

SHORTEST_S = 0.5
"""A shorter stretch cannot show a movement; `probe` and `frames` still read it."""

_RESTART_FRAMES = 8  # so many late frames in a row mean that the clock of the file restarted


def clocked(
    timed: Iterable[tuple[float | None, _Item]], usual_s: float, origin_s: float
) -> Iterator[tuple[float, _Item]]:
    """Items with their seconds since `origin_s`, strictly rising, from times on the file's own clock.

    Raw streams carry no times: their items follow each other at `usual_s`. A few late items are damage and are dropped,
    and so is one that is far ahead of all that follow. Many late items mean that the clock restarted, because
    recordings were concatenated.
    """
    last_s, shift_s = -usual_s, -origin_s
    late: list[tuple[float, _Item]] = []
    ahead: tuple[float, _Item] | None = None  # an item after a gap, held until the next one confirms it
    for raw_s, item in timed:
        time_s = (ahead[0] if ahead else last_s) + usual_s if raw_s is None else raw_s + shift_s
        if time_s <= last_s and raw_s is not None:
            late = [*late, (raw_s, item)] if late and raw_s > late[-1][0] else [(raw_s, item)]
            if len(late) < _RESTART_FRAMES:
                continue
            if ahead:
                yield ahead
                last_s, ahead = ahead[0], None
            shift_s = last_s + usual_s - late[0][0]
            yield from ((raw_s + shift_s, item) for raw_s, item in late)
            last_s, late = late[-1][0] + shift_s, []
            continue
        late = []
        if ahead and time_s > ahead[0]:
            yield ahead
            last_s = ahead[0]
        ahead = None
        if last_s >= 0 and time_s - last_s > GAP_S:
            ahead = time_s, item
            continue
        last_s = time_s
        yield time_s, item
    if ahead:
        yield ahead


def sampled(
    timed: Iterable[tuple[float, _Item]], begin_s: float, rate_hz: float | None
) -> Iterator[tuple[float, _Item]]:
    """The frames that are nearest to any point of the grid `begin_s + k / rate_hz`.

    The grid ends at a gap, and a new one begins with the next frame: the stretch after a gap is sampled as if it were
    the whole video.
    """
    if rate_hz is None:
        yield from timed
        return
    held: tuple[float, _Item] | None = None
    half_gap_s = 0.0
    due_s = begin_s  # the first grid point without a frame
    for entry in timed:
        if held is not None and entry[0] - held[0] > GAP_S:
            if due_s <= held[0] + half_gap_s:
                yield held
            held, half_gap_s, begin_s = None, 0.0, entry[0]
            due_s = begin_s
        if held is not None:
            half_gap_s = (entry[0] - held[0]) / 2
            reach_s = held[0] + half_gap_s  # up to this time the held frame is nearer than the new one
            if due_s <= reach_s:
                yield held
                due_s = begin_s + (floor((reach_s - begin_s) * rate_hz) + 1) / rate_hz
        held = entry
    if held is not None and due_s <= held[0] + half_gap_s:
        yield held
