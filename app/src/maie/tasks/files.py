"""The folders of uploads and results: ``uploads/<task id>/audio`` or ``text``, ``results/<task id>.<attempt>.json``.

Beside the audio, ``recognised.json`` holds its transcript until the language model's part of the task is done.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from errno import EACCES
from pathlib import Path
from typing import Any

from maie.domain import TaskKind, TaskResult, Turn, to_dict
from maie.exhaustion import telling_a_full_disk

STRAY_RESULT_SECONDS = 3600.0
"""Age from which a result that belongs to no ended task is an orphan."""


class Files:
    """The files of all tasks below one folder."""

    def __init__(self, data_dir: Path) -> None:
        self.uploads = data_dir / "uploads"
        self.results = data_dir / "results"

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            PermissionError: This user may not write to them.
        """
        for folder in (self.uploads, self.results):
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(EACCES, os.strerror(EACCES), str(folder))

    def free_bytes(self) -> int:
        """Bytes that are free where uploads go."""
        return shutil.disk_usage(self.uploads).free

    def audio(self, task_id: str) -> Path:
        """Path of a task's uploaded audio."""
        return self.source(task_id, "audio")

    def source(self, task_id: str, kind: TaskKind) -> Path:
        """Path of what a task works on."""
        return self.uploads / task_id / kind

    def write_turns(self, task_id: str, turns: Sequence[Turn]) -> None:
        """Write a task's text, so that it survives a power cut."""
        path = self.source(task_id, "text")
        path.parent.mkdir(mode=0o750)
        with path.open("w", encoding="utf-8") as stream:
            json.dump([vars(turn) for turn in turns], stream, ensure_ascii=False)
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(path.parent)
        sync_folder(self.uploads)

    def remove_upload(self, task_id: str) -> None:
        """Delete what a task works on; nothing happens where there is nothing."""
        shutil.rmtree(self.uploads / task_id, ignore_errors=True)

    def result(self, task_id: str, attempt: int) -> Path:
        """Path of an attempt's result."""
        return self.results / f"{task_id}.{attempt}.json"

    def write_result(self, task_id: str, attempt: int, result: dict[str, Any]) -> None:
        """Write a result that is whole or absent after a power cut; raises DiskFull where there is no room."""
        _write_whole(self.result(task_id, attempt), result)

    def read_result(self, task_id: str, attempt: int) -> dict[str, Any]:
        """Return the result of an attempt.

        Raises:
            FileNotFoundError: There is none.
        """
        content: dict[str, Any] = json.loads(self.result(task_id, attempt).read_text(encoding="utf-8"))
        return content

    def recognised(self, task_id: str) -> Path:
        """Path of the transcript that waits for the language model."""
        return self.uploads / task_id / "recognised.json"

    def write_recognised(self, task_id: str, result: TaskResult) -> None:
        """Write what recognition found, so that it survives a power cut; raises DiskFull where there is no room."""
        _write_whole(self.recognised(task_id), to_dict(result))

    def read_recognised(self, task_id: str) -> TaskResult | None:
        """Return what recognition found; None where nothing was written, or by a release with other fields."""
        try:
            return TaskResult.of(json.loads(self.recognised(task_id).read_text(encoding="utf-8")), strictly=True)
        except (OSError, ValueError):
            return None

    def remove_result(self, task_id: str, attempt: int) -> None:
        """Delete the result of one attempt; nothing happens where there is none."""
        self.result(task_id, attempt).unlink(missing_ok=True)

    def remove_results(self, task_id: str) -> None:
        """Delete the results of all attempts of a task."""
        for path in self.results.glob(f"{task_id}.*"):
            path.unlink(missing_ok=True)

    def upload_ids(self) -> list[str]:
        """Ids of all tasks that have an upload on disk."""
        return [entry.name for entry in self.uploads.iterdir()]

    def old_results(self) -> Iterator[tuple[str, Path]]:
        """Yield task id and path of every result, whole or partial, older than :data:`STRAY_RESULT_SECONDS`."""
        limit = time.time() - STRAY_RESULT_SECONDS
        for path in self.results.iterdir():
            if path.stat().st_mtime < limit:
                yield path.name.split(".")[0], path


def read_turns(path: Path) -> list[Turn]:
    """Return the turns that :meth:`Files.write_turns` wrote."""
    return [Turn(**turn) for turn in json.loads(path.read_text(encoding="utf-8"))]


def _write_whole(final: Path, content: dict[str, Any]) -> None:
    """Write JSON that is whole or absent after a power cut.

    Raises:
        DiskFull: There is no room for it; nothing of it is left.
    """
    # A worker that was taken for lost may still write the same file.
    partial = final.with_suffix(f".{os.getpid()}.partial")
    try:
        with telling_a_full_disk():
            with partial.open("w", encoding="utf-8") as stream:
                json.dump(content, stream, ensure_ascii=False)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(final)
            sync_folder(final.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that new names in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
