"""The live release is whole at every moment, and what goes back goes to one that is."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import maie_release
import maie_release_info
import pytest
from ansible.module_utils import environments, releases
from plugin_runner import RunModule

A, B, C, D, E, F = (digit * 12 for digit in "abcdef")


def stage(root: Path, release: str, age: int = 0, proven: bool = True, whole: bool = True) -> None:
    folder = root / "releases" / release
    folder.mkdir(parents=True)
    for name in [releases.COMPLETE] * whole + [releases.PROVEN] * proven:
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age,) * 2)


def names(root: Path, release: str, manifest: dict[str, Any]) -> None:
    (root / "releases" / release / releases.MANIFEST).write_text(json.dumps(manifest))


def make_environment(root: Path, name: str) -> None:
    made = root / "made"
    (made / "lib").mkdir(parents=True, exist_ok=True)
    (made / "lib/code.py").write_text("x = 1\n")
    (root / "environments").mkdir(exist_ok=True)
    environments.complete(made, root / "environments" / name)


def record(root: Path) -> list[tuple[str, str]]:
    lines = (root / "history.jsonl").read_text().splitlines()
    return [(entry["release"], entry["outcome"]) for entry in map(json.loads, lines)]


def test_activating_moves_both_links(tmp_path: Path, run_module: RunModule) -> None:
    stage(tmp_path, A)
    stage(tmp_path, B)
    run_module(maie_release, root=str(tmp_path), state="active", release=A)
    result = run_module(maie_release, root=str(tmp_path), state="active", release=B)
    assert (result["changed"], result["current"], result["previous"]) == (True, B, A)
    assert str((tmp_path / "current").readlink()) == f"releases/{B}"
    again = run_module(maie_release, root=str(tmp_path), state="active", release=B)
    assert (again["changed"], again["previous"]) == (False, A)


def test_check_mode_moves_nothing(tmp_path: Path, run_module: RunModule) -> None:
    result = run_module(maie_release, check=True, root=str(tmp_path), state="active", release=A)
    assert result["changed"]
    assert not (tmp_path / "current").is_symlink()


@pytest.mark.parametrize("release", [B, "../../etc", "latest"])
def test_what_is_missing_or_no_release_is_refused(tmp_path: Path, run_module: RunModule, release: str) -> None:
    stage(tmp_path, A)
    run_module(maie_release, root=str(tmp_path), state="active", release=A)
    assert run_module(maie_release, root=str(tmp_path), state="active", release=release)["failed"]
    assert releases.read_links(tmp_path).current == A


def test_what_is_incomplete_is_refused(tmp_path: Path, run_module: RunModule) -> None:
    stage(tmp_path, A, whole=False)
    result = run_module(maie_release, root=str(tmp_path), state="active", release=A)
    assert "incomplete" in result["msg"]
    assert not (tmp_path / "current").is_symlink()


def test_going_back_without_a_previous_release_is_refused(tmp_path: Path, run_module: RunModule) -> None:
    assert "no previous release" in run_module(maie_release, root=str(tmp_path), state="active")["msg"]


def test_the_link_is_whole_at_every_moment(tmp_path: Path) -> None:
    """Somebody who looks all the time, while the link moves 300 times, never finds it gone or dangling."""
    for release in (A, B):
        stage(tmp_path, release)
    releases.point(tmp_path, "current", A)
    seen: list[bool] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append((tmp_path / "current" / releases.COMPLETE).exists())

    watcher = threading.Thread(target=look)
    watcher.start()
    for turn in range(300):
        releases.point(tmp_path, "current", (A, B)[turn % 2])
    done.set()
    watcher.join()
    assert len(seen) > 300
    assert all(seen)


def test_a_leftover_of_an_interrupted_run_is_no_obstacle(tmp_path: Path) -> None:
    stage(tmp_path, A)
    (tmp_path / ".current.new").symlink_to("releases/gone")
    releases.activate(tmp_path, A, "")
    assert releases.read_links(tmp_path) == releases.Links(A, "")


def test_pruning_keeps_the_linked_ones_however_old(tmp_path: Path, run_module: RunModule) -> None:
    for age, release in enumerate((A, B, C, D, E)):
        stage(tmp_path, release, age=age * 100)
    releases.activate(tmp_path, E, D)
    result = run_module(maie_release, root=str(tmp_path), state="pruned", keep=3)
    assert set(result["removed"]) == {B, C}
    assert {path.name for path in (tmp_path / "releases").iterdir()} == {A, D, E}


def test_the_live_release_proves_itself_once(tmp_path: Path, run_module: RunModule) -> None:
    stage(tmp_path, A, proven=False)
    releases.activate(tmp_path, A, "")
    assert run_module(maie_release, check=True, root=str(tmp_path), state="proven")["changed"]
    assert releases.proven_releases(tmp_path) == []
    results = [run_module(maie_release, root=str(tmp_path), state="proven") for _ in range(2)]
    assert [result["changed"] for result in results] == [True, False]
    assert run_module(maie_release_info, root=str(tmp_path))["proven"] == [A]
    assert record(tmp_path) == [(A, "proven")]
    run_module(maie_release, root=str(tmp_path), state="noted", release=B, outcome="failed")
    assert record(tmp_path) == [(A, "proven"), (B, "failed")]


def test_pruning_takes_what_interrupted_runs_left(tmp_path: Path, run_module: RunModule) -> None:
    """A power cut leaves a manifest empty; what lies beside the releases is nobody's business."""
    for release in (A, B, C):
        stage(tmp_path, release, whole=release == A)
        names(tmp_path, release, {"environment": "1" * 12})
    (tmp_path / "releases" / B / releases.MANIFEST).write_bytes(b"")
    (tmp_path / "releases/kept-by-hand").mkdir()
    make_environment(tmp_path, "1" * 12)
    for leftover in ("new", "old"):
        (tmp_path / "environments" / f"{'1' * 12}.{leftover}").mkdir()
    (tmp_path / "environments/note.txt").touch()
    releases.activate(tmp_path, A, "")
    result = run_module(maie_release, root=str(tmp_path), state="pruned", keep=1)
    assert (result["removed"], len(result["removed_environments"])) == ([B, C], 2)
    assert {path.name for path in (tmp_path / "releases").iterdir()} == {A, "kept-by-hand"}
    assert {path.name for path in (tmp_path / "environments").iterdir()} == {"1" * 12, "note.txt"}
    assert not run_module(maie_release, root=str(tmp_path), state="pruned", keep=1)["changed"]


@pytest.mark.parametrize("content", [b"", b'{"env', b"[]", b"\xff"])
def test_a_whole_release_with_a_damaged_manifest_is_not_made_live(
    tmp_path: Path, run_module: RunModule, content: bytes
) -> None:
    """What it needs is unknown, so nothing is removed, and no deployment fails for that."""
    for release in (A, B):
        stage(tmp_path, release)
    (tmp_path / "releases" / B / releases.MANIFEST).write_bytes(content)
    make_environment(tmp_path, "1" * 12)
    releases.activate(tmp_path, A, B)
    assert not run_module(maie_release, root=str(tmp_path), state="pruned", keep=1)["changed"]
    assert "manifest.json is damaged" in run_module(maie_release, root=str(tmp_path), state="active")["msg"]
    assert releases.read_links(tmp_path).current == A


def test_the_proof_of_a_release_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(tmp_path, A, proven=False)
    synced: list[str] = []
    monkeypatch.setattr(releases.durable, "sync", lambda path: synced.append(path.name))
    releases.prove(tmp_path, A)
    assert synced == [releases.PROVEN, A]


def test_pruning_takes_the_environments_that_no_release_names(tmp_path: Path, run_module: RunModule) -> None:
    """Releases share environments: one goes with the last release that names it, and what is half there goes too."""
    for age, (release, environment) in enumerate({A: "1" * 12, B: "1" * 12, C: "2" * 12, D: "3" * 12}.items()):
        stage(tmp_path, release, age=age * 100)
        names(tmp_path, release, {"environment": "5" * 12, "llm_environment": {"id": environment}})
        make_environment(tmp_path, environment)
    stage(tmp_path, E)
    names(tmp_path, E, {"llm_environment": None})
    stage(tmp_path, F, whole=False)
    names(tmp_path, F, {"environment": "4" * 12})
    make_environment(tmp_path, "5" * 12)
    (tmp_path / "environments/half").mkdir()
    (tmp_path / "environments" / f"{'4' * 12}.new").mkdir()
    releases.activate(tmp_path, D, E)
    for check in (True, False):
        result = run_module(maie_release, check=check, root=str(tmp_path), state="pruned", keep=3)
        gone = {"2" * 12, f"{'4' * 12}.new", "half"}
        assert (set(result["removed"]), set(result["removed_environments"])) == ({B, C, F}, gone)
    left = {path.name for path in (tmp_path / "environments").iterdir()}
    assert left == {"1" * 12, "3" * 12, "5" * 12}
    assert not run_module(maie_release, root=str(tmp_path), state="pruned", keep=3)["changed"]


def test_a_release_whose_environment_was_changed_is_not_made_live(tmp_path: Path, run_module: RunModule) -> None:
    for release in (A, B, C):
        stage(tmp_path, release)
        names(tmp_path, release, {"environment": release})
        make_environment(tmp_path, release)
    releases.activate(tmp_path, A, "")
    releases.activate(tmp_path, B, A)
    code = tmp_path / "environments" / A / "lib/code.py"
    code.chmod(0o644)
    code.write_text("x = 2\n")
    activated = run_module(maie_release, root=str(tmp_path), state="active", release=A)
    for refused in (activated, run_module(maie_release_info, root=str(tmp_path), wanted=A)):
        assert f"environment {A}: lib/code.py was changed" in refused["msg"]
    assert releases.read_links(tmp_path).current == B
    # A failed deploy goes past it, and the way on is free.
    releases.activate(tmp_path, C, B)
    begun = {"current": A, "previous": B}
    assert run_module(maie_release_info, root=str(tmp_path), begun=begun)["retreat"]["release"] == B
    releases.activate(tmp_path, C, A)


def test_a_failed_deploy_leaves_no_host_dead_for_a_damaged_environment(tmp_path: Path, run_module: RunModule) -> None:
    """The earlier release served until the deployment: with none that is intact, the host goes back to that one."""
    for release in (A, B, C):
        stage(tmp_path, release, proven=release != C)
        names(tmp_path, release, {"environment": release})
    make_environment(tmp_path, C)
    releases.point(tmp_path, "current", C)
    begun = {"current": A, "previous": B}
    retreat = run_module(maie_release_info, root=str(tmp_path), begun=begun)["retreat"]
    assert (retreat["stays"], retreat["release"], retreat["previous"]) == (False, A, "")
    assert f"Release {A} is live again, but not intact, environment {A}: it is missing" in retreat["told"]
    back = {"root": str(tmp_path), "state": "active", "release": A, "previous": ""}
    assert run_module(maie_release, **back)["failed"]
    assert run_module(maie_release, **back, only_intact=False)["current"] == A
    # The way back of the role takes it, and a rollback on request does not.
    tasks = Path(__file__).parents[2] / "roles/release/tasks"
    loose = [path.name for path in tasks.glob("*.yml") if "__release_only_intact: false" in path.read_text()]
    assert loose == ["go_back.yml"]


def test_only_whole_releases_count_as_proven(tmp_path: Path, run_module: RunModule) -> None:
    stage(tmp_path, A)
    stage(tmp_path, B, whole=False)
    stage(tmp_path, C, proven=False)
    result = run_module(maie_release_info, root=str(tmp_path))
    assert (set(result["whole"]), result["proven"]) == ({A, C}, [A])


@pytest.mark.parametrize(
    ("live", "remembered", "begun", "stays", "back", "previous"),
    [
        pytest.param("", "", {}, True, "", "", id="nothing was made live"),
        pytest.param(A, B, {}, True, "", "", id="what is live has proven itself"),
        pytest.param(D, A, {"current": A, "previous": B}, False, A, B, id="as it was when the deploy began"),
        pytest.param(B, A, {"current": A, "previous": B}, False, A, "", id="from one that had proven itself before"),
        pytest.param(D, E, {"current": E, "previous": B}, False, B, "", id="past one that never proved itself"),
        pytest.param(D, A, {}, False, A, "", id="to the one that is remembered"),
        pytest.param(D, "", {"current": "", "previous": ""}, False, "", "", id="a first installation"),
    ],
)
def test_a_failed_deploy_goes_back_to_what_has_proven_itself(
    tmp_path: Path, run_module: RunModule, live: str, remembered: str, begun: dict[str, str], stays: bool, back: str,
    previous: str,
) -> None:  # fmt: skip
    for release in (A, B, D, E):
        stage(tmp_path, release, proven=release in (A, B))
    for name, release in (("current", live), ("previous", remembered)):
        releases.point(tmp_path, name, release)
    retreat = run_module(maie_release_info, root=str(tmp_path), begun=begun)["retreat"]
    assert (retreat["stays"], retreat["release"], retreat["previous"]) == (stays, back, previous)
    assert (back or ("no release" if not stays else "not touched")) in retreat["told"]


@pytest.mark.parametrize(
    ("asked", "found", "refusal"),
    [
        ("", B, ""),
        (C, C, ""),
        (D, "", f"Release {D} is missing or incomplete on this host; whole ones: "),
        (E, "", f"Release {E} is missing or incomplete on this host; whole ones: "),
    ],
)
def test_on_request_a_host_goes_back_to_any_whole_release(
    tmp_path: Path, run_module: RunModule, asked: str, found: str, refusal: str
) -> None:
    for release in (A, B, C, D):
        stage(tmp_path, release, whole=release != D)
    releases.activate(tmp_path, A, B)
    result = run_module(maie_release_info, root=str(tmp_path), wanted=asked)
    assert (result.get("wanted", ""), result.get("msg", "")[: len(refusal)]) == (found, refusal)
    releases.point(tmp_path, "previous", "")
    assert "no previous release" in run_module(maie_release_info, root=str(tmp_path), wanted="")["msg"]
