"""The adapter: for each matrix of the model what it adds to it, as a sum of a few outer products in 8 bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from maie_training.adapter.base import Floats

_MOST = 127


@dataclass(frozen=True)
class Change:
    """What is added to one matrix: the sum over the rank of ``scales`` times column of ``up`` times row of ``down``.

    Attributes:
        up: Output × rank.
        down: Rank × input.
        scales: One for each of the rank.
    """

    up: npt.NDArray[np.int8]
    down: npt.NDArray[np.int8]
    scales: Floats

    def added_to(self, weight: Floats) -> Floats:
        """Return the changed matrix, in float32.

        Products are added one by one: a product of matrices would add them in an order of its library's own, and
        the bytes of the model would depend on the machine that makes it.
        """
        total = np.zeros_like(weight)
        for column, row, scale in zip(self.up.T, self.down, self.scales, strict=True):
            total += np.multiply.outer(column.astype(np.float32) * scale, row.astype(np.float32))
        return weight + total


Adapter = Mapping[tuple[int, str], Change]
"""By layer and part, as :meth:`~maie_training.adapter.base.BaseModel.weight` has them."""


def average(trainings: Sequence[tuple[Floats, Floats]]) -> Change:
    """Average what several trainings add to a matrix, each ``up`` (output × rank) times ``down`` (rank × input)."""
    up = np.concatenate([up for up, _ in trainings], axis=1).astype(np.float64) / len(trainings)
    down = np.concatenate([down for _, down in trainings]).astype(np.float64)
    # Their ranks add up. Singular vectors tell the strong from the weak, so that each has a scale of its own.
    left, left_inner = np.linalg.qr(up)
    right, right_inner = np.linalg.qr(down.T)
    inner_left, strengths, inner_right = np.linalg.svd(left_inner @ right_inner.T)
    columns, rows = left @ inner_left, inner_right @ right.T
    column_scales = np.abs(columns).max(axis=0) / _MOST
    row_scales = np.abs(rows).max(axis=1) / _MOST
    return Change(
        up=np.rint(columns / column_scales).astype(np.int8),
        down=np.rint(rows / row_scales[:, None]).astype(np.int8),
        scales=(strengths * column_scales * row_scales).astype(np.float32),
    )


def write_adapter(path: Path, adapter: Adapter) -> None:
    """Write ``<layer>.<part>.up``, ``.down`` and ``.scales`` of each matrix into one file."""
    arrays = {
        f"{layer}.{part}.{name}": getattr(change, name)
        for (layer, part), change in sorted(adapter.items())
        for name in ("up", "down", "scales")
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)


def read_adapter(path: Path) -> Adapter:
    """Read what :func:`write_adapter` wrote."""
    changes: dict[tuple[int, str], Change] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            if name.endswith(".scales"):
                stem = name.removesuffix(".scales")
                layer, part = stem.split(".", 1)
                changes[int(layer), part] = Change(arrays[f"{stem}.up"], arrays[f"{stem}.down"], arrays[name])
    return changes
