"""Render the sample videos: `python samples/render.py [NAME ...]` writes `samples/NAME.mp4` (see `samples/README.md`).

A person (person.py) moves through whole repetitions in a plain room; rays (raytrace.py) make the pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from person import Person, Wardrobe, about, frame, turn, two_bones
from PIL import Image, ImageFilter
from raytrace import FLOOR, WALL, Camera, Scene

HERE = Path(__file__).parent
RATE_HZ = 30
RAYS_PER_PIXEL = 32
GLANCE_RAYS = 4
TOUCHED_MARGIN_PX = 12
LAMP = (-1.9, -3.0, 3.2)
LAMP_RADIUS_M = 0.55
WALL_Y_M = 1.5
IRON = (0.03, 0.03, 0.034)
SKIRTING, SKIRTING_M = (0.62, 0.61, 0.58), 0.1
LAMP_COLOUR, ROOM_COLOUR = np.array([1.15, 1.08, 0.98]), np.array([0.52, 0.56, 0.62])

Floats = npt.NDArray[np.float64]
Pose = tuple[dict[str, Floats], Floats]
"""World rotations of bone groups, and where the root joint is."""


@dataclass(frozen=True)
class Performance:
    """One sample: who moves how through `repetitions`, and what the camera and the room are."""

    exercise: str
    repetitions: int
    repetition_s: float
    motion: Callable[[Person, float], Pose]
    phenotype: Mapping[str, float]
    wardrobe: Wardrobe
    camera: Camera
    facing_deg: float
    wall: tuple[float, float, float] = (0.56, 0.58, 0.57)
    floor: tuple[float, float, float] = (0.30, 0.25, 0.20)
    lead_s: float = 0.35
    dumbbells: bool = False

    @property
    def frames(self) -> int:
        return round((self.repetitions * self.repetition_s + 2 * self.lead_s) * RATE_HZ)


def smooth(x: float) -> float:
    """From 0 to 1 with rest at both ends (the minimum-jerk profile of Flash and Hogan, 1985)."""
    x = min(max(x, 0.0), 1.0)
    return x**3 * (10 - 15 * x + 6 * x * x)


def stroke(x: float, down: float = 0.46, hold: float = 0.05, up: float = 0.40) -> float:
    """One repetition: 0 at the start, 1 at the turning point, 0 at the end; `x` 0..1, the rest of it is a pause."""
    return smooth(x / down) if x < down + hold else 1.0 - smooth((x - down - hold) / up)


def limb(person: Person, pose: dict[str, Floats], groups: tuple[str, str], bones: tuple[str, str, str],
         ends: tuple[Floats, Floats], bend: Floats, rest_bend: Floats) -> None:  # fmt: skip
    """Turn a limb's two segments so that its joints run from `ends[0]` to `ends[1]`, the middle one towards `bend`."""
    upper, lower = person.bone(*bones[:2]), person.bone(*bones[1:])
    start, end = ends
    middle = two_bones(start, end, float(np.linalg.norm(upper)), float(np.linalg.norm(lower)), bend)
    hinge, rest_hinge = np.cross(end - start, bend), np.cross(upper + lower, rest_bend)
    pose[groups[0]] = frame(middle - start, hinge) @ frame(upper, rest_hinge).T
    pose[groups[1]] = frame(end - middle, hinge) @ frame(lower, rest_hinge).T


def leg(person: Person, pose: dict[str, Floats], side: str, root: Floats, ankle: Floats, bend: Floats) -> None:
    """Put an ankle where it has to be."""
    hip = root + pose["pelvis"] @ (person.joints[f"upperleg01.{side}"] - person.joints["root"])
    bones = (f"upperleg01.{side}", f"lowerleg01.{side}", f"foot.{side}")
    limb(person, pose, (f"thigh.{side}", f"shin.{side}"), bones, (hip, ankle), bend, np.array([0.0, -1.0, 0.0]))


def shoulder(person: Person, pose: Mapping[str, Floats], side: str, root: Floats) -> Floats:
    """Where the shoulder joint is when pelvis, loin, chest and shoulder girdle are turned as in `pose`."""
    at = root + pose["pelvis"] @ person.bone("root", "spine05") + pose["loin"] @ person.bone("spine05", "spine03")
    at = at + pose["chest"] @ person.bone("spine03", f"clavicle.{side}")
    return at + pose.get(f"shoulder.{side}", pose["chest"]) @ person.bone(f"clavicle.{side}", f"upperarm01.{side}")


def arm_lengths(person: Person, side: str) -> tuple[float, float]:
    """Upper arm and forearm, metres."""
    upper = person.bone(f"upperarm01.{side}", f"lowerarm01.{side}")
    lower = person.bone(f"lowerarm01.{side}", f"wrist.{side}")
    return float(np.linalg.norm(upper)), float(np.linalg.norm(lower))


def arm(person: Person, pose: dict[str, Floats], side: str, start: Floats, wrist: Floats, bend: Floats) -> None:
    """Reach from the shoulder at `start` to the wrist's place, the elbow towards `bend`."""
    bones = (f"upperarm01.{side}", f"lowerarm01.{side}", f"wrist.{side}")
    rest = person.bone(*bones[:2]) - person.bone(*bones[1:])
    limb(person, pose, (f"upperarm.{side}", f"forearm.{side}"), bones, (start, wrist), bend, rest)


def hand(
    person: Person, pose: dict[str, Floats], side: str, along: Floats, back: Floats, curl_deg: float = 0.0
) -> None:
    """Turn the hand: fingers `along`, its back towards `back`, fingers curled; the forearm shares the turning."""
    target = frame(along, back)
    pose[f"hand.{side}"] = target @ person.hand(side).T
    axis = pose[f"forearm.{side}"] @ person.bone(f"lowerarm01.{side}", f"wrist.{side}")
    axis /= np.linalg.norm(axis)
    across = person.hand(side)[:, 2]
    unturned, wanted = (pose[f"{group}.{side}"] @ across for group in ("forearm", "hand"))
    unturned, wanted = unturned - axis * (unturned @ axis), wanted - axis * (wanted @ axis)
    roll = np.degrees(np.arctan2(np.cross(unturned, wanted) @ axis, unturned @ wanted))
    pose[f"wrist.{side}"] = about(axis, 0.75 * roll) @ pose[f"forearm.{side}"]
    pose[f"forearm.{side}"] = about(axis, 0.25 * roll) @ pose[f"forearm.{side}"]
    for joint, share in (("finger1", 0.8), ("finger2", 1.9), ("finger3", 2.5)):
        pose[f"{joint}.{side}"] = about(-target[:, 2], share * curl_deg) @ pose[f"hand.{side}"]
    pose[f"thumb.{side}"] = about(-target[:, 2], 0.35 * curl_deg) @ pose[f"hand.{side}"]


def squat(person: Person, depth: float) -> Pose:
    """Feet planted, hips back and down until the thighs are level, arms rising forward as a counterweight."""
    pose = {
        "pelvis": turn("x", 4 + 34 * depth),
        "loin": turn("x", 3 + 41 * depth),
        "chest": turn("x", 1 + 40 * depth),
        "neck": turn("x", 4 + 20 * depth),
        "head": turn("x", 2 + 10 * depth),
    }
    root = person.joints["root"] + np.array([0.0, 0.23 * depth, -0.47 * depth])
    for side, sign in (("L", 1), ("R", -1)):
        toes_out = turn("z", 14 * sign)
        pose[f"foot.{side}"] = toes_out
        leg(person, pose, side, root, person.joints[f"foot.{side}"], toes_out @ np.array([0.1 * sign, -1.0, 0.0]))
        lift = np.radians(12 + 76 * smooth(min(depth * 1.25, 1.0)))
        reach = np.array([sign * (0.22 - 0.26 * depth), -np.sin(lift), -np.cos(lift)])
        reach *= 0.975 * sum(arm_lengths(person, side)) / np.linalg.norm(reach)
        start = shoulder(person, pose, side, root)
        arm(person, pose, side, start, start + reach, np.array([0.8 * sign, 0.5, -0.3]))
    return pose, root


def push_up(person: Person, depth: float) -> Pose:
    """Balls of the feet and palms planted, the body a plank that turns about the feet."""

    def plank(lean_deg: float) -> tuple[dict[str, Floats], Floats]:
        lean = turn("x", lean_deg)
        pose = {"pelvis": turn("x", lean_deg - 2), "loin": lean, "chest": lean, "neck": turn("x", lean_deg - 12)}
        pose["head"] = turn("x", lean_deg - 22)
        balls = np.zeros(3)
        for side in "LR":
            pose[f"thigh.{side}"] = pose[f"shin.{side}"] = lean
            pose[f"foot.{side}"], pose[f"toes.{side}"] = turn("x", lean_deg - 14), np.eye(3)
            chain = (
                ("root", "pelvis"),
                (f"upperleg01.{side}", f"thigh.{side}"),
                (f"lowerleg01.{side}", f"shin.{side}"),
            )
            names = [name for name, _ in chain] + [f"foot.{side}", f"toe2-1.{side}"]
            turns = [pose[group] for _, group in chain] + [pose[f"foot.{side}"]]
            balls += 0.5 * sum(t @ person.bone(a, b) for t, a, b in zip(turns, names, names[1:], strict=False))
        toes = person.joints["toe2-1.L"]
        return pose, np.array([0.0, 0.72, toes[2]]) - balls

    arms = sum(arm_lengths(person, "L"))
    wrist_z = person.sole_z + 0.028

    def height(lean_deg: float) -> float:
        pose, root = plank(lean_deg)
        return float(shoulder(person, pose, "L", root)[2]) - wrist_z

    leans = np.linspace(60, 92, 65)
    heights = np.array([height(lean) for lean in leans])  # falls as the body goes down
    high, low = (float(np.interp(-h, -heights, leans)) for h in (0.975 * arms, 0.40 * arms))
    top, top_root = plank(high)
    pose, root = plank(high + (low - high) * depth)
    for side, sign in (("L", 1), ("R", -1)):
        above = shoulder(person, top, side, top_root)
        wrist = np.array([above[0] + sign * 0.09, above[1] + 0.03, wrist_z])
        start = shoulder(person, pose, side, root)
        arm(person, pose, side, start, wrist, np.array([0.75 * sign, 0.65, 0.25]))
        hand(person, pose, side, np.array([0.1 * sign, -1.0, 0.05]), np.array([0.0, 0.0, 1.0]))
    return pose, root


def bicep_curl(person: Person, depth: float) -> Pose:
    """Standing, a dumbbell in each hand, palms forward; the elbows stay at the sides and drift forward a little."""
    sway = 2.5 * np.sin(np.pi * depth)
    pose = {
        "pelvis": turn("x", 2 - sway),
        "loin": turn("x", 1 - sway),
        "chest": turn("x", -sway),
        "neck": turn("x", 3),
        "head": turn("x", 4),
    }
    root = person.joints["root"] + np.array([0.0, 0.0, -0.004])
    for side, sign in (("L", 1), ("R", -1)):
        toes_out = turn("z", 10 * sign)
        pose[f"foot.{side}"] = toes_out
        leg(person, pose, side, root, person.joints[f"foot.{side}"], toes_out @ np.array([0.0, -1.0, 0.0]))
        upper, lower = arm_lengths(person, side)
        swing, bend = np.radians(2 + 14 * depth), np.radians(14 + 118 * depth)
        out = np.radians(11)
        down = np.array([sign * np.sin(out), -np.sin(swing) * np.cos(out), -np.cos(swing) * np.cos(out)])
        palm = np.array([0.0, -np.cos(swing + bend), np.sin(swing + bend)])
        forearm = np.array([sign * 0.10, -np.sin(swing + bend), -np.cos(swing + bend)])
        forearm /= np.linalg.norm(forearm)
        start = shoulder(person, pose, side, root)
        arm(person, pose, side, start, start + upper * down + lower * forearm, down)
        hand(person, pose, side, forearm, -palm, curl_deg=62)
    return pose, root


PERFORMANCES = {
    "squat": Performance(
        exercise="squat",
        repetitions=2,
        repetition_s=2.3,
        motion=squat,
        phenotype={"gender": 0.0, "age": 0.62, "muscle": 0.66, "weight": 0.5, "height": 0.55, "proportions": 0.7},
        wardrobe=Wardrobe(
            skin=(0.50, 0.27, 0.18), hair=(0.035, 0.022, 0.016), shirt=(0.05, 0.16, 0.34), shorts=(0.03, 0.03, 0.035)
        ),
        camera=Camera(position=(0.0, -4.1, 1.35), target=(0.06, 0.0, 0.85), field_of_view_deg=32.0),
        facing_deg=38.0,
    ),
    "push-up": Performance(
        exercise="push-up",
        repetitions=3,
        repetition_s=1.7,
        motion=push_up,
        phenotype={"gender": 1.0, "age": 0.6, "muscle": 0.7, "weight": 0.42, "height": 0.5, "proportions": 0.7},
        wardrobe=Wardrobe(
            skin=(0.28, 0.13, 0.075), hair=(0.014, 0.010, 0.009), shirt=(0.46, 0.12, 0.10), shorts=(0.05, 0.055, 0.07)
        ),
        camera=Camera(position=(0.0, -3.6, 0.95), target=(0.06, 0.0, 0.34), field_of_view_deg=27.0),
        facing_deg=68.0,
        wall=(0.50, 0.53, 0.56),
        floor=(0.22, 0.24, 0.25),
    ),
    "bicep-curl": Performance(
        exercise="bicep curl",
        repetitions=2,
        repetition_s=2.4,
        motion=bicep_curl,
        phenotype={"gender": 0.0, "age": 0.72, "muscle": 0.75, "weight": 0.58, "height": 0.5, "proportions": 0.6},
        wardrobe=Wardrobe(
            skin=(0.56, 0.34, 0.24), hair=(0.16, 0.10, 0.05), shirt=(0.36, 0.36, 0.35), shorts=(0.05, 0.09, 0.07)
        ),
        camera=Camera(position=(0.0, -4.0, 1.3), target=(0.03, 0.0, 0.87), field_of_view_deg=32.0),
        facing_deg=-28.0,
        wall=(0.60, 0.57, 0.52),
        floor=(0.26, 0.19, 0.14),
        dumbbells=True,
    ),
}


@cache
def _person(name: str) -> Person:
    performance = PERFORMANCES[name]
    return Person(performance.phenotype, performance.wardrobe)


def render_frame(name: str, index: int) -> npt.NDArray[np.uint8]:
    """Picture number `index` of a performance: (height, width, 3) sRGB."""
    performance, person = PERFORMANCES[name], _person(name)
    at = (index / RATE_HZ - performance.lead_s) / performance.repetition_s
    depth = stroke(at % 1.0) if 0 <= at < performance.repetitions else 0.0
    rotations, root = performance.motion(person, depth)
    vertices, joints = person.pose(rotations, root)
    triangles = person.triangles
    for side in "LR" if performance.dumbbells else "":
        axes = rotations[f"hand.{side}"] @ person.hand(side)
        grip = joints[f"wrist.{side}"] + 0.085 * axes[:, 0] - 0.028 * axes[:, 1]
        iron, faces = dumbbell(grip, axes[:, 2])
        triangles = np.concatenate([triangles, faces + len(vertices)])
        vertices = np.concatenate([vertices, iron])
    vertices[:, 2] -= person.sole_z
    vertices = vertices @ turn("z", performance.facing_deg).T
    return _shade(name, Scene(vertices.astype(np.float32), triangles.astype(np.int32), WALL_Y_M))


def dumbbell(center: Floats, axis: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """A handle between two discs: vertices (V, 3) and triangles (F, 3), spun from its outline."""
    outline = np.array([(0.135, 0), (0.135, 0.05), (0.075, 0.05), (0.075, 0.015)])  # metres along the axis, off it
    outline = np.concatenate([outline, outline[::-1] * (-1, 1)])
    side = frame(axis, np.array([0.0, 0.0, 1.0]) + 0.1 * axis[::-1])
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.cos(around)[:, None] * side[:, 1] + np.sin(around)[:, None] * side[:, 2]
    vertices = center + outline[:, None, :1] * side[:, 0] + outline[:, None, 1:] * ring
    index = np.arange(len(outline) * 24).reshape(len(outline), 24)
    a, b = index[:-1], index[1:]
    c, d = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
    return vertices.reshape(-1, 3), np.stack([a, b, c, c, b, d], axis=-1).reshape(-1, 3)


def _shade(name: str, scene: Scene) -> npt.NDArray[np.uint8]:
    """The picture (height, width, 3) sRGB: only pixels that the person or a shadow touches get all their own rays."""
    camera = PERFORMANCES[name].camera
    empty_glance, empty = _empty_room(name)
    glance = _radiance(name, scene, _all_pixels(camera), range(GLANCE_RAYS))
    # Rays are the same in every picture, so an untouched pixel looks exactly as in the empty room.
    touched = (glance != empty_glance).any(axis=1).reshape(camera.height_px, camera.width_px)
    wide = ImageFilter.MaxFilter(2 * TOUCHED_MARGIN_PX + 1)
    near = np.flatnonzero(np.asarray(Image.fromarray(touched).convert("L").filter(wide))).astype(np.int32)
    total = empty.copy()
    total[near] = glance[near] + _radiance(name, scene, near, range(GLANCE_RAYS, RAYS_PER_PIXEL))
    linear = 1.0 - np.exp(-1.25 * total / RAYS_PER_PIXEL)  # a soft shoulder instead of clipped highlights
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (srgb.reshape(camera.height_px, camera.width_px, 3) * 255 + 0.5).astype(np.uint8)


@cache
def _empty_room(name: str) -> tuple[Floats, Floats]:
    """Radiance of the first glance and of all rays where nobody is."""
    far_away = np.array([[0, -99, 99], [0, -99, 99.1], [0.1, -99, 99]], np.float32)
    scene = Scene(far_away, np.array([[0, 1, 2]], np.int32), WALL_Y_M)
    pixels = _all_pixels(PERFORMANCES[name].camera)
    glance = _radiance(name, scene, pixels, range(GLANCE_RAYS))
    return glance, glance + _radiance(name, scene, pixels, range(GLANCE_RAYS, RAYS_PER_PIXEL))


def _all_pixels(camera: Camera) -> npt.NDArray[np.int32]:
    return np.arange(camera.width_px * camera.height_px, dtype=np.int32)


def _radiance(name: str, scene: Scene, pixels: npt.NDArray[np.int32], rays: range) -> Floats:
    """Linear RGB (len(pixels), 3), summed over the rays of these numbers."""
    performance, person = PERFORMANCES[name], _person(name)
    total = np.zeros((len(pixels), 3))
    for number in rays:
        samples = scene.cast(performance.camera, LAMP, LAMP_RADIUS_M, number, pixels)
        colour = np.empty_like(total)
        colour[samples.triangle == WALL] = performance.wall
        colour[(samples.triangle == WALL) & (samples.point[:, 2] < SKIRTING_M)] = SKIRTING
        colour[samples.triangle == FLOOR] = performance.floor
        colour[samples.triangle >= len(person.triangles)] = IRON
        body = (samples.triangle >= 0) & (samples.triangle < len(person.triangles))
        colour[body] = person.colours(samples.triangle[body], samples.u[body], samples.v[body])
        total += colour * (samples.direct[:, None] * LAMP_COLOUR + samples.ambient[:, None] * ROOM_COLOUR)
    return total


def write_video(name: str, path: Path, processes: int) -> None:
    """Render one performance into an H.264 MP4 that any player takes."""
    import av

    performance = PERFORMANCES[name]
    unfinished = path.with_suffix(".part.mp4")
    with (
        av.open(unfinished, "w", options={"movflags": "+faststart"}) as container,
        ProcessPoolExecutor(processes) as pool,
    ):
        stream = container.add_stream("libx264", rate=RATE_HZ, options={"crf": "23", "preset": "veryslow"})
        stream.width, stream.height = performance.camera.width_px, performance.camera.height_px
        stream.pix_fmt = "yuv420p"
        pictures = pool.map(render_frame, [name] * performance.frames, range(performance.frames), chunksize=4)
        for index, picture in enumerate(pictures):
            print(f"\r{name}: {index + 1}/{performance.frames}", end="", file=sys.stderr, flush=True)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    unfinished.replace(path)
    print(file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PERFORMANCES, []], help="samples to render (default: all)")
    parser.add_argument("--frame", type=int, help="write only this picture, as NAME.png, to look at")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    for name in arguments.names or PERFORMANCES:
        if arguments.frame is not None:
            Image.fromarray(render_frame(name, arguments.frame)).save(f"{name}.png")
        else:
            write_video(name, HERE / f"{name}.mp4", arguments.processes)


if __name__ == "__main__":
    main()
