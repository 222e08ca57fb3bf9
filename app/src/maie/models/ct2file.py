"""Reads the description of a model in a ``model.bin`` of CTranslate2, without its weights."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from maie.errors import ConfigurationError

FIRST_VERSION, LAST_VERSION = 5, 6
"""Versions of the format that this can read: those that CTranslate2 3 and 4 write."""

MAX_SCALAR_BYTES = 8


@dataclass(frozen=True)
class Variable:
    """One variable of a model.

    Attributes:
        shape: Sizes of its dimensions, outermost first; empty for a single number.
        number: The value of a single whole number, else None.
    """

    shape: tuple[int, ...]
    number: int | None

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def variables(path: Path) -> Mapping[str, Variable]:
    """Return the variables of a ``model.bin`` by name.

    Raises:
        ConfigurationError: It is no such file, or of an unknown version.
    """
    try:
        with path.open("rb") as file:
            version = _number(file, "<I")
            if not FIRST_VERSION <= version <= LAST_VERSION:
                raise ConfigurationError(f"{path} is no CTranslate2 model of a known version ({version}).")
            _text(file)
            _number(file, "<I")
            return dict(_variable(file) for _ in range(_number(file, "<I")))
    except (OSError, struct.error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read as a CTranslate2 model: {error}") from error


def _number(file: IO[bytes], form: str) -> int:
    return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])


def _text(file: IO[bytes]) -> str:
    return file.read(_number(file, "<H")).decode("utf-8").rstrip("\0")


def _variable(file: IO[bytes]) -> tuple[str, Variable]:
    name = _text(file)
    shape = tuple(_number(file, "<I") for _ in range(_number(file, "<B")))
    _number(file, "<B")
    size = _number(file, "<I")
    if shape or size > MAX_SCALAR_BYTES:
        file.seek(size, 1)
        return name, Variable(shape, None)
    return name, Variable((), int.from_bytes(file.read(size), "little"))
