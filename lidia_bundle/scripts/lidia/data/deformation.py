"""Turns, scales, shears and bends training crops together with their labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import Randomizable
from numpy.typing import NDArray

CONTROL_SPACING = 16
"""Distance in voxels of the control points of the elastic deformation."""


class RandDeformation(Randomizable):
    """Draws sampling positions of a crop: an affine map followed by an elastic displacement.

    One interpolation does all of it, where MONAI's RandAffined and Rand3DElasticd would each smooth the
    image once; and the crop is sampled from the case around it, so that its edges need no padding.

    Args:
        prob: share of crops that are deformed.
        rotation: largest rotation in radians about the axes X, Y, Z.
        scale: range of the factor on the size of the anatomy, drawn for each axis around a shared factor.
        anisotropy: largest relative deviation of an axis from the shared factor.
        shear: largest shear.
        elastic: SD of the displacement of a control point in voxels; 0 omits the elastic part.

    Raises:
        ValueError: if `prob` is no probability or `scale` no range of positive numbers.
    """

    def __init__(
        self,
        prob: float = 0.0,
        rotation: Sequence[float] = (0.2, 0.2, 0.35),
        scale: Sequence[float] = (0.75, 1.25),
        anisotropy: float = 0.1,
        shear: float = 0.1,
        elastic: float = 1.5,
    ) -> None:
        if not 0 <= prob <= 1 or len(scale) != 2 or not 0 < scale[0] <= scale[1]:
            raise ValueError(f"prob {prob} must lie in 0..1, scale {scale} be two rising positive numbers")
        self.prob, self.rotation, self.scale = prob, tuple(rotation), tuple(scale)
        self.anisotropy, self.shear, self.elastic = anisotropy, shear, elastic

    def draw(self, size: Sequence[int]) -> torch.Tensor | None:
        """Draws the positions of a crop's voxels, relative to its middle.

        Args:
            size: voxels of the crop along X, Y, Z.

        Returns:
            float32 (3, X, Y, Z) in voxels of the case, or None if this crop is not deformed.
        """
        if self.R.random_sample() >= self.prob:
            return None
        matrix = torch.as_tensor(self.draw_matrix(), dtype=torch.float32)
        axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in size]
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
        positions = (matrix @ grid.reshape(3, -1)).reshape(grid.shape)
        if self.elastic:
            shape = [max(2, round(n / CONTROL_SPACING) + 1) for n in size]
            control = self.R.normal(0, self.elastic, (1, 3, *shape)).astype(np.float32)
            positions += interpolate_lattice(torch.as_tensor(control[0]), size)
        return positions

    def draw_matrix(self) -> NDArray[np.float64]:
        """Draws the 3 x 3 matrix from positions in the crop to positions in the case."""
        matrix = np.eye(3)
        for axis, limit in enumerate(self.rotation):
            angle = self.R.uniform(-limit, limit)
            first, second = (a for a in range(3) if a != axis)
            turn = np.eye(3)
            turn[first, first] = turn[second, second] = np.cos(angle)
            turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
            matrix = turn @ matrix
        sheared = np.eye(3)
        sheared[np.triu_indices(3, 1)] = self.R.uniform(-self.shear, self.shear, 3)
        size = self.R.uniform(*self.scale) * (1 + self.R.uniform(-self.anisotropy, self.anisotropy, 3))
        return matrix @ sheared @ np.diag(1 / size)


def interpolate_lattice(control: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Interpolates control points linearly, axis by axis, as `F.interpolate` does.

    Args:
        control: (C, x, y, z); the first and last points lie on the corners of the result.
        size: voxels along X, Y, Z.

    Returns:
        (C, X, Y, Z).
    """
    to_x, to_y, to_z = (
        make_linear_weights(points, n) for points, n in zip(control.shape[1:], size, strict=True)
    )
    values = to_y @ (control @ to_z.T)  # (C, x, Y, Z)
    return (to_x @ values.flatten(2)).unflatten(2, values.shape[2:])


def make_linear_weights(points: int, size: int) -> torch.Tensor:
    """Makes the (size, points) matrix that interpolates linearly from points to voxels, corners aligned."""
    place = torch.linspace(0, points - 1, size)[:, None]
    return (1 - (place - torch.arange(points)).abs()).clamp(min=0)


def sample_positions(
    image: torch.Tensor, label: torch.Tensor, positions: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples a case at positions, linearly for the image and by nearest neighbour for the label.

    Args:
        image: (C, X, Y, Z); a channel of NaN stays NaN.
        label: int16 (K, X, Y, Z).
        positions: (3, x, y, z) in voxels; outside the volume its edge is repeated.

    Returns:
        (C, x, y, z) float32 and (K, x, y, z) int16.
    """
    shape = torch.as_tensor(image.shape[1:], dtype=torch.float32)
    scaled = positions.movedim(0, -1) * (2 / (shape - 1).clamp(min=1)) - 1
    grid = scaled.flip(-1)[None]
    absent = torch.isnan(image[:, 0, 0, 0])
    values = torch.empty((len(image), *positions.shape[1:]), dtype=torch.float32)
    values[absent] = torch.nan
    if not absent.all():
        present = image[~absent].float()[None]
        values[~absent] = F.grid_sample(
            present, grid, mode="bilinear", padding_mode="border", align_corners=True
        )[0]
    return values, label.flatten(1)[:, find_nearest_voxels(positions, label.shape[1:])]


def find_nearest_voxels(positions: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Finds the flat index (x, y, z) of the voxel nearest to each position (3, x, y, z) in a volume."""
    index = torch.zeros((), dtype=torch.int32)
    for place, n in zip(positions, shape, strict=True):
        index = index * n + place.round().clamp_(0, n - 1).to(torch.int32)
    return index
