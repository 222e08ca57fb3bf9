"""Builds of ``fixtures/ctranslate2``, a small project that builds like CTranslate2, on virtual hosts of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.virtual import play, remove


@contextmanager
def hosts_for_a_build(inventory: Path, prepare: Path, folder: Path, units: int) -> Iterator[dict[str, Any]]:
    """Make an inventory's hosts, with the project's repositories on its builder, and remove them in the end.

    Args:
        inventory: Its hosts and no others are made and removed; one of them is in the group ``builders``.
        prepare: The playbook that makes the repositories; it writes the project's commit into ``commit_file``.
        folder: Where the wheelhouse is to be, and what is noted on the way.
        units: How many translation units are compiled, beside the three that the project always has.

    Yields:
        The variables of the build.
    """
    made = play("playbooks/virtual.yml", inventory=inventory)
    assert made.returncode == 0, made.stdout
    commit = folder / "commit"
    prepared = play(str(prepare), "-e", f"commit_file={commit}", inventory=inventory)
    assert prepared.returncode == 0, prepared.stdout
    options = {"WITH_CUDA": "ON", "WITH_MKL": "OFF", "WITH_RUY": "ON", "OPENMP_RUNTIME": "COMP", "UNITS": str(units)}
    yield {
        "builders_recipes": ["ctranslate2"],
        "wheelhouse_dir": str(folder / "house"),
        "wheelhouse_ccache": False,
        "ctranslate2_source": {"git": "file:///srv/ctranslate2", "commit": commit.read_text(), "tag": "v4.7.1"},
        "ctranslate2_inference": False,
        "ctranslate2_options": options,
    }
    remove(inventory)
