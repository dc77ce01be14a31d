"""A clothed person from anny's CC0 MakeHuman body, posed by the directions of its limbs.

Body axes are anny's: x to the person's left, y backwards, z up, metres, turned into the room by the caller's `facing`.
A pose is the world rotation of a few groups of bones, relative to the rest pose; `two_bones` finds those of a limb
whose end has to stay where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import anny
import numpy as np
import numpy.typing as npt
import torch
from raytrace import vertex_normals

Floats = npt.NDArray[np.float64]

GROUPS = {
    "pelvis": ("root", "pelvis.L", "pelvis.R"),
    "loin": ("spine05", "spine04"),
    "chest": ("spine03", "spine02", "spine01"),
    "neck": ("neck01", "neck02", "neck03"),
    "head": ("head", "eye.L", "eye.R"),
} | {
    f"{name}.{side}": tuple(f"{bone}.{side}" for bone in bones)
    for side in "LR"
    for name, bones in {
        "shoulder": ("clavicle", "shoulder01"),
        "upperarm": ("upperarm01", "upperarm02"),
        "forearm": ("lowerarm01",),
        "wrist": ("lowerarm02",),
        "hand": ("wrist", "metacarpal1", "metacarpal2", "metacarpal3", "metacarpal4"),
        "thumb": ("finger1-1", "finger1-2", "finger1-3"),
        "finger1": tuple(f"finger{n}-1" for n in range(2, 6)),
        "finger2": tuple(f"finger{n}-2" for n in range(2, 6)),
        "finger3": tuple(f"finger{n}-3" for n in range(2, 6)),
        "thigh": ("upperleg01", "upperleg02"),
        "shin": ("lowerleg01", "lowerleg02"),
        "foot": ("foot",),
        "toes": tuple(f"toe{n}-{m}" for n in range(1, 6) for m in range(1, 4 if n > 1 else 3)),
    }.items()
}
"""Bones that turn together."""

PARENT = {"loin": "pelvis", "chest": "loin", "neck": "chest", "head": "neck"} | {
    f"{child}.{side}": parent if parent in ("chest", "pelvis") else f"{parent}.{side}"
    for side in "LR"
    for child, parent in {
        "shoulder": "chest",
        "upperarm": "shoulder",
        "forearm": "upperarm",
        "wrist": "forearm",
        "hand": "wrist",
        "thumb": "hand",
        "finger1": "hand",
        "finger2": "finger1",
        "finger3": "finger2",
        "thigh": "pelvis",
        "shin": "thigh",
        "foot": "shin",
        "toes": "foot",
    }.items()
}
"""A group that a pose leaves out turns with its parent."""

ARM_BONES = {bone[:-2] for group in ("upperarm", "forearm", "wrist", "hand") for bone in GROUPS[f"{group}.L"]} | {
    bone[:-2] for group in ("thumb", "finger1", "finger2", "finger3") for bone in GROUPS[f"{group}.L"]
}


@dataclass(frozen=True)
class Wardrobe:
    """Linear RGB colours 0..1, and how far down the limbs (0 at the shoulder or hip, 1 at elbow or knee) cloth goes."""

    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    shirt: tuple[float, float, float]
    shorts: tuple[float, float, float]
    shoes: tuple[float, float, float] = (0.045, 0.05, 0.06)
    sleeve: float = 0.62
    leg: float = 0.72


def turn(axis: str, angle_deg: float) -> Floats:
    """The rotation (3, 3) about "x", "y" or "z", right-handed."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.eye(3)
    rotation[i, i] = rotation[j, j] = c
    rotation[i, j], rotation[j, i] = -s, s
    return rotation


def about(axis: Floats, angle_deg: float) -> Floats:
    """The rotation (3, 3) about a unit vector, right-handed."""
    cross = np.cross(np.eye(3), axis)
    angle = np.radians(angle_deg)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def frame(along: Floats, towards: Floats) -> Floats:
    """Orthonormal columns (3, 3): the first along `along`, the second as near to `towards` as it can."""
    x = along / np.linalg.norm(along)
    y = towards - x * (towards @ x)
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def two_bones(start: Floats, end: Floats, upper: float, lower: float, bend: Floats) -> Floats:
    """Where the middle joint of a limb lies whose ends are given; it points towards `bend`.

    An end out of reach leaves the limb straight; the caller sees to it that this does not happen.
    """
    span = end - start
    length = float(np.linalg.norm(span))
    along = (upper**2 - lower**2 + length**2) / (2 * length)
    out = np.sqrt(max(upper**2 - along**2, 0.0))
    axes = frame(span, bend)
    return start + axes[:, 0] * along + axes[:, 1] * out


class Person:
    """One body: `phenotype` are anny's shape parameters 0..1."""

    def __init__(self, phenotype: Mapping[str, float], wardrobe: Wardrobe) -> None:
        self._model = anny.Anny(topology="anny", pose_parameterization="world-orient").to(dtype=torch.float32)
        self._names = list(self._model.bone_labels)
        identity = torch.eye(4)[None, None].repeat(1, self._model.bone_count, 1, 1)
        shape = {name: phenotype.get(name, 0.5) for name in self._model.phenotype_labels}
        with torch.no_grad():
            rest = self._model(pose_parameters=identity, phenotype_kwargs=shape)
        self._rest_poses = rest["rest_bone_poses"]
        vertices = rest["rest_vertices"][0].numpy().astype(np.float64)
        self.triangles = np.asarray(self._model.faces, dtype=np.int32)
        poses = self._rest_poses[0].numpy().astype(np.float64)
        self.joints: dict[str, Floats] = {name: poses[i, :3, 3] for i, name in enumerate(self._names)}
        self.wardrobe = wardrobe
        self._skin = vertices
        self.rest, self._is_eye = self._dress(vertices)
        self.sole_z = float(self.rest[:, 2].min())

    def bone(self, upper: str, lower: str) -> Floats:
        """The vector from one rest joint to another."""
        return self.joints[lower] - self.joints[upper]

    def hand(self, side: str) -> Floats:
        """The rest hand's axes as columns (3, 3): along the fingers, out of its back, and across the palm."""
        along = self.bone(f"wrist.{side}", f"finger3-1.{side}")
        across = self.bone(f"finger5-1.{side}", f"finger2-1.{side}")
        return frame(along, np.cross(across, along) * (1 if side == "L" else -1))

    def pose(self, rotations: Mapping[str, Floats], root: Floats) -> tuple[Floats, dict[str, Floats]]:
        """Skinned vertices (V, 3) and joint positions for world rotations of `GROUPS` with the root joint at `root`."""
        world = dict(rotations)
        for group in GROUPS:
            if group not in world:
                world[group] = world[PARENT[group]] if group in PARENT else np.eye(3)
        parameters = self._rest_poses.clone()
        for group, bones in GROUPS.items():
            for bone in bones:
                i = self._names.index(bone)
                parameters[0, i, :3, :3] = (
                    torch.tensor(world[group], dtype=torch.float32) @ self._rest_poses[0, i, :3, :3]
                )
        parameters[0, 0, :3, 3] = torch.tensor(root, dtype=torch.float32)
        with torch.no_grad():
            transforms, poses = self._model.get_bone_transforms(parameters, self._rest_poses, "world-orient")
            rest = torch.tensor(self.rest, dtype=torch.float32)[None]
            vertices = self._model.get_skinned_vertices(bone_transforms=transforms, rest_vertices=rest)
        joints = {name: poses[0, i, :3, 3].numpy().astype(np.float64) for i, name in enumerate(self._names)}
        return vertices[0].numpy().astype(np.float64), joints

    def _share(self, points: Floats, upper: str, lower: str) -> Floats:
        """How far down a limb's segment points (N, 3) lie: 0 at its upper joint, 1 at its lower."""
        along = self.bone(upper, lower)
        return np.asarray((points - self.joints[upper]) @ along / (along @ along))

    def materials(self, points: Floats, arm_weight: Floats) -> npt.NDArray[np.int64]:
        """What covers rest-pose points (N, 3): indices in `MATERIALS`. `arm_weight`: how far each moves with an arm."""
        joints, wear = self.joints, self.wardrobe
        mirrored = points * np.where(points[:, :1] < 0, (-1, 1, 1), (1, 1, 1))
        x, y, z = mirrored.T
        arm = self._share(mirrored, "upperarm01.L", "lowerarm01.L")
        leg = self._share(mirrored, "upperleg01.L", "lowerleg01.L")
        head, neck, eye = joints["head"], joints["neck01"], joints["eye.L"]
        waist = joints["upperleg01.L"][2] + 0.10
        out = np.zeros(len(points), dtype=np.int64)

        collar = np.sqrt(x**2 + (y - neck[1] + 0.025) ** 2 + (0.75 * (z - neck[2] - 0.02)) ** 2) < 0.09
        chin = (x < 0.065) & (z > neck[2] - 0.06)
        torso = (z > waist) & (z < neck[2] + 0.03) & ~collar & ~chin
        is_arm = arm_weight > 0.5
        out[torso & ~is_arm | is_arm & (arm < wear.sleeve)] = MATERIALS.index("shirt")
        out[(z <= waist) & (leg < wear.leg) & ~is_arm] = MATERIALS.index("shorts")
        out[z < joints["foot.L"][2]] = MATERIALS.index("shoes")

        # The hairline falls from the forehead past the temples and behind the ears to the nape.
        front = eye[2] + 0.062
        nape = head[2] - 0.015
        line = np.clip(front - (y - eye[1] + 0.005) * 0.85, nape, front)
        sideburn = (abs(y - head[1] + 0.012) < 0.014) & (z > eye[2] - 0.015)
        out[(z > nape) & ((z > line) | sideburn) & ~is_arm] = MATERIALS.index("hair")
        brow = eye[2] + 0.019 + 0.006 * np.cos((x - eye[0]) * 60)
        out[(abs(z - brow) < 0.004) & (abs(x - eye[0] - 0.003) < 0.022) & (y < eye[1])] = MATERIALS.index("hair")
        return out

    def _dress(self, vertices: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Cloth, shoes and hair stand off the skin, smoothed; eyes are told apart by their bones."""
        weights, bones = self._model.vertex_bone_weights.numpy(), self._model.vertex_bone_indices.numpy()
        main = np.array(self._names)[bones[np.arange(len(bones)), weights.argmax(axis=1)]]
        is_eye = np.char.startswith(main, "eye.")
        on_arm = np.array([name[:-2] in ARM_BONES for name in self._names])
        self._arm_weight = (weights * on_arm[bones]).sum(axis=1)
        material = np.where(is_eye, MATERIALS.index("skin"), self.materials(vertices, self._arm_weight))
        normals = vertex_normals(vertices.astype(np.float32), self.triangles)
        area = _vertex_areas(vertices, self.triangles)
        dressed = vertices.copy()
        for name, (thickness_m, blur_m) in CLOTH.items():
            # A Gaussian mean over the surface in space, not over the mesh: it bridges the gaps between toes, and dense
            # detail counts no more than its area.
            mine = np.flatnonzero(material == MATERIALS.index(name))
            lowest, highest = vertices[mine].min(axis=0) - 3 * blur_m, vertices[mine].max(axis=0) + 3 * blur_m
            near = np.flatnonzero(((vertices > lowest) & (vertices < highest)).all(axis=1))
            square = ((vertices[mine, None] - vertices[None, near]) ** 2).sum(axis=2)
            weight = np.exp(-square / (2 * blur_m**2)) * area[near]
            weight *= (normals[mine] @ normals[near].T) > -0.3  # not across a limb
            weight /= weight.sum(axis=1, keepdims=True)
            direction = weight @ normals[near]
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            covered = weight @ (material[near] == MATERIALS.index(name))  # thins out towards the hem
            dressed[mine] = weight @ vertices[near] + direction * (thickness_m * covered)[:, None]
        return dressed, is_eye

    def colours(self, triangle: npt.NDArray[np.int32], u: Floats, v: Floats) -> Floats:
        """Linear RGB (N, 3) where rays hit `triangle` at barycentric `u`, `v`."""
        corners = self.triangles[triangle]
        share = np.stack([u, v, 1 - u - v], axis=1)[:, :, None]
        points = (self._skin[corners] * share).sum(axis=1)
        wear = self.wardrobe
        table = np.array([wear.skin, wear.shirt, wear.shorts, wear.shoes, wear.hair])
        arm_weight = (self._arm_weight[corners] * share[:, :, 0]).sum(axis=1)
        colour = table[self.materials(points, arm_weight)]
        eyes = self._is_eye[corners[:, 0]]
        eye = self.joints["eye.L"]
        side = np.where(points[:, 0] < 0, -1, 1)
        iris = np.hypot(points[:, 0] - side * eye[0], points[:, 2] - eye[2]) < 0.0065
        colour[eyes] = np.where(iris[eyes, None], (0.05, 0.03, 0.02), (0.7, 0.68, 0.66))
        return np.asarray(colour)


MATERIALS = ("skin", "shirt", "shorts", "shoes", "hair")
CLOTH = {"shirt": (0.016, 0.022), "shorts": (0.018, 0.018), "shoes": (0.014, 0.012), "hair": (0.020, 0.008)}
"""How far each stands off the body, and over what distance it smooths it, metres."""


def _vertex_areas(vertices: Floats, triangles: npt.NDArray[np.int32]) -> Floats:
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    return np.bincount(triangles.ravel(), weights=np.repeat(area, 3), minlength=len(vertices))
