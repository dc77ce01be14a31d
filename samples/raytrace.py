"""A small ray caster on Warp (CPU or CUDA): one triangle mesh in a room of one floor and one wall, softly lit.

World axes: x right, y into the picture, z up, metres. It answers *what is where and how it is lit*; colours are the
caller's, so that a colour may be any function of the place that was hit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import warp as wp

Floats = npt.NDArray[np.float32]

FLOOR, WALL = -1, -2
"""Stand where a triangle's index would be."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: `position` looks at `target` (metres), `height_px` rows see `field_of_view_deg`."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    field_of_view_deg: float = 38.0
    width_px: int = 640
    height_px: int = 480

    def axes(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Right, down and forward of the picture as unit vectors in the world."""
        forward = np.subtract(self.target, self.position)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        return right, np.cross(forward, right), forward


@dataclass(frozen=True)
class Samples:
    """One ray a pixel: the triangle (or `FLOOR`, `WALL`) it hits, barycentric u and v, the point, and the light there.

    `direct` is 0..1 of the lamp's light, `ambient` 0..1 of the room's.
    """

    triangle: npt.NDArray[np.int32]
    u: Floats
    v: Floats
    point: Floats
    direct: Floats
    ambient: Floats


@wp.func
def _spread(state: wp.uint32, turn: float, ratio: float):
    """Number `turn` of a sequence that fills 0..1 evenly from a random beginning."""
    value = wp.randf(state) + turn * ratio
    return value - wp.floor(value)


@wp.func
def _on_sphere(a: float, b: float):
    """The unit vector for two numbers 0..1, even in area."""
    z = 1.0 - 2.0 * a
    r = wp.sqrt(wp.max(1.0 - z * z, 0.0))
    return wp.vec3(r * wp.cos(6.2831853 * b), r * wp.sin(6.2831853 * b), z)


@wp.kernel
def _cast(
    pixels: wp.array(dtype=wp.int32),
    mesh: wp.uint64,
    normals: wp.array(dtype=wp.vec3),
    indices: wp.array(dtype=wp.int32),
    eye: wp.vec3,
    right: wp.vec3,
    down: wp.vec3,
    forward: wp.vec3,
    width: int,
    height: int,
    focal: float,
    wall_y: float,
    lamp: wp.vec3,
    lamp_radius: float,
    number: int,
    out_triangle: wp.array(dtype=wp.int32),
    out_uv: wp.array(dtype=wp.vec2),
    out_point: wp.array(dtype=wp.vec3),
    out_light: wp.array(dtype=wp.vec2),
):
    place = wp.tid()
    pixel = pixels[place]
    # The same noise in every picture: surfaces at rest do not flicker, and compress well.
    state = wp.rand_init(1, pixel)
    turn = float(number)
    # Additive recurrences with generalised golden ratios spread the rays of one pixel evenly (Roberts, 2018).
    column = float(pixel % width) + _spread(state, turn, 0.8567) - 0.5 * float(width)
    row = float(pixel / width) + _spread(state, turn, 0.7339) - 0.5 * float(height)
    ray = wp.normalize(forward * focal + right * column + down * row)

    distance = wp.float32(1.0e6)
    triangle = wp.int32(-2)
    normal = wp.vec3(0.0, -1.0, 0.0)
    u = wp.float32(0.0)
    v = wp.float32(0.0)
    if ray[1] > 1.0e-5:
        distance = (wall_y - eye[1]) / ray[1]
    if ray[2] < -1.0e-5:
        to_floor = -eye[2] / ray[2]
        if to_floor < distance:
            distance = to_floor
            triangle = wp.int32(-1)
            normal = wp.vec3(0.0, 0.0, 1.0)
    query = wp.mesh_query_ray(mesh, eye, ray, distance)
    if query.result:
        distance = query.t
        triangle = query.face
        u = query.u
        v = query.v
        a = normals[indices[triangle * 3 + 0]]
        b = normals[indices[triangle * 3 + 1]]
        c = normals[indices[triangle * 3 + 2]]
        normal = wp.normalize(a * u + b * v + c * (1.0 - u - v))
        if wp.dot(normal, ray) > 0.0:
            normal = normal - ray * (wp.dot(normal, ray) + 0.05)
            normal = wp.normalize(normal)

    point = eye + ray * distance
    start = point + normal * 0.004

    aim = lamp + _on_sphere(_spread(state, turn, 0.7549), _spread(state, turn, 0.5698)) * lamp_radius - start
    reach = wp.length(aim)
    aim = aim / reach
    direct = wp.max(wp.dot(normal, aim), 0.0)
    if direct > 0.0:
        shadow = wp.mesh_query_ray(mesh, start, aim, reach)
        if shadow.result:
            direct = 0.0

    # A cosine-weighted direction; short rays, because only near surfaces block ambient light.
    sky = wp.normalize(normal + _on_sphere(_spread(state, turn, 0.8192), _spread(state, turn, 0.6710)))
    ambient = 0.72 + 0.28 * sky[2]
    near = wp.mesh_query_ray(mesh, start, sky, 0.9)
    if near.result:
        ambient = ambient * 0.55 * wp.min(near.t / 0.9, 1.0)
    else:
        # Floor and wall meet in a corner that gets less light, and send some back.
        if sky[2] < 0.0 and triangle >= 0:
            ambient = ambient * 0.75
        if triangle == -1:
            ambient = ambient * wp.min(1.0, 0.72 + 0.35 * (wall_y - point[1]))
        if triangle == -2:
            ambient = ambient * wp.min(1.0, 0.72 + 0.35 * point[2])

    out_triangle[place] = triangle
    out_uv[place] = wp.vec2(u, v)
    out_point[place] = point
    out_light[place] = wp.vec2(direct, ambient)


class Scene:
    """One posed mesh: vertices (V, 3) metres and triangles (F, 3), in front of the wall at `wall_y_m`."""

    def __init__(self, vertices: Floats, triangles: npt.NDArray[np.int32], wall_y_m: float) -> None:
        self._indices = wp.array(triangles.ravel(), dtype=wp.int32)
        self._mesh = wp.Mesh(points=wp.array(vertices, dtype=wp.vec3), indices=self._indices)
        self._normals = wp.array(vertex_normals(vertices, triangles), dtype=wp.vec3)
        self._wall_y_m = wall_y_m

    def cast(
        self,
        camera: Camera,
        lamp: tuple[float, float, float],
        lamp_radius_m: float,
        number: int,
        pixels: npt.NDArray[np.int32],
    ) -> Samples:
        """Ray `number` through `pixels` (row by row), one more towards the lamp and one into the room from its hit."""
        count = len(pixels)
        right, down, forward = (wp.vec3(*map(float, axis)) for axis in camera.axes())
        triangle = wp.zeros(count, dtype=wp.int32)
        uv = wp.zeros(count, dtype=wp.vec2)
        point = wp.zeros(count, dtype=wp.vec3)
        light = wp.zeros(count, dtype=wp.vec2)
        inputs: list[Any] = [
            wp.array(pixels, dtype=wp.int32),
            self._mesh.id,
            self._normals,
            self._indices,
            wp.vec3(*camera.position),
        ]
        inputs += [right, down, forward, camera.width_px, camera.height_px]
        inputs += [0.5 * camera.height_px / np.tan(np.radians(camera.field_of_view_deg) / 2)]
        inputs += [self._wall_y_m, wp.vec3(*lamp), lamp_radius_m, number]
        wp.launch(_cast, dim=count, inputs=inputs, outputs=[triangle, uv, point, light])
        uv_np, light_np = uv.numpy(), light.numpy()
        return Samples(triangle.numpy(), uv_np[:, 0], uv_np[:, 1], point.numpy(), light_np[:, 0], light_np[:, 1])


def vertex_normals(vertices: Floats, triangles: npt.NDArray[np.int32]) -> Floats:
    """Area-weighted unit normals (V, 3) of a closed mesh."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
