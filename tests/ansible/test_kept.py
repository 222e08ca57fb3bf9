"""What was there is written down once, whole, and comes back byte for byte."""

from __future__ import annotations

import base64
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import kept_host
import kept_state
import pytest
from ansible.module_utils import kept, kept_things
from kept_host import SWAPS_HEADER
from plugin_runner import RunModule


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host in a folder; see :mod:`kept_host`."""
    kept_host.make(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(kept_things, "UNIT_LINKS", tmp_path / "links")
    monkeypatch.setattr(kept_things, "SYSCTLS", tmp_path / "sys")
    monkeypatch.setattr(kept_things, "SWAPS", tmp_path / "swaps")
    return tmp_path


@pytest.fixture
def run(host: Path, run_module: RunModule) -> RunModule:
    """Run the module for the record in the host's folder ``kept``."""
    return partial(run_module, kept_state, folder=str(host / "kept"))


def record(host: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((host / "kept/before.json").read_text())
    return content


def test_files_come_back_with_bytes_mode_and_links(host: Path, run: RunModule) -> None:
    root = host / "root"
    (root / "fstab").write_bytes(b"\xff\x00 not text")
    (root / "fstab").chmod(0o640)
    (root / "default.target").symlink_to("/lib//systemd/graphical.target")
    files = [str(root / name) for name in ("fstab", "default.target", "new.d/deep/zz.conf")]
    assert run(state="kept", files=files)["changed"]

    (root / "fstab").write_text("changed")
    (root / "fstab").chmod(0o600)
    (root / "default.target").unlink()
    (root / "default.target").symlink_to("multi-user.target")
    (root / "new.d/deep").mkdir(parents=True)
    (root / "new.d/deep/zz.conf").write_text("new")
    result = run(state="restored")
    assert result.get("changed"), result

    assert (root / "fstab").read_bytes() == b"\xff\x00 not text"
    assert (root / "fstab").stat().st_mode & 0o7777 == 0o640
    assert os.readlink(root / "default.target") == "/lib//systemd/graphical.target"  # noqa: PTH115 - as written
    assert not (root / "new.d").exists()
    assert not (host / "kept").exists()


def test_a_file_is_nobody_elses_before_it_has_its_mode(
    host: Path, run: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = host / "root/program"
    file.write_text("before")
    file.chmod(0o4711)
    run(state="kept", files=[str(file)])
    file.write_text("after")
    modes, fchown = [], os.fchown

    def change_owner(descriptor: int, user: int, group: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o7777)
        fchown(descriptor, user, group)

    monkeypatch.setattr(os, "fchown", change_owner)
    run(state="restored")
    assert modes == [0o600]
    assert file.stat().st_mode & 0o7777 == 0o4711
    assert file.read_text() == "before"


def test_all_is_on_the_disk_before_the_record_goes(host: Path, run: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    file, seen = host / "root/fstab", []
    file.write_text("before")
    run(state="kept", files=[str(file)])
    file.write_text("after")
    monkeypatch.setattr(os, "sync", lambda: seen.append((file.read_text(), (host / "kept/before.json").exists())))
    run(state="restored")
    assert seen == [("before", True)]
    assert not (host / "kept").exists()


@pytest.mark.parametrize("damaged", ["", "{}", "[1]", '{"values": 1, "notes": {}}', "\udcff"])
def test_a_damaged_record_is_told(host: Path, run: RunModule, damaged: str) -> None:
    (host / "kept").mkdir()
    (host / "kept/before.json").write_bytes(damaged.encode(errors="surrogateescape"))
    for state in ("kept", "read", "restored"):
        result = run(state=state)
        assert result["msg"].startswith(f"{host / 'kept/before.json'} is damaged")
    assert (host / "kept/before.json").exists()


def test_a_program_that_hangs_is_given_up_and_the_record_stays(
    host: Path, run: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    (host / "units/fan.service").write_text("active")
    run(state="kept", units=["fan.service"])
    (host / "bin/systemctl").write_text("#!/bin/sh\nexec sleep 5\n")
    monkeypatch.setattr(kept_things, "TIMEOUT", 0.2)
    result = run(state="restored")
    assert "fan.service' did not end within 0.2 s; reboot the host." in result["msg"]
    assert (host / "kept/before.json").exists()


def test_a_folder_that_others_use_now_stays(host: Path, run: RunModule) -> None:
    run(state="kept", files=[str(host / "root/new.d/zz.conf")])
    (host / "root/new.d").mkdir()
    (host / "root/new.d/zz.conf").write_text("ours")
    (host / "root/new.d/others.conf").write_text("theirs")
    run(state="restored")
    assert [path.name for path in (host / "root/new.d").iterdir()] == ["others.conf"]


def test_what_is_kept_is_never_kept_again(host: Path, run: RunModule) -> None:
    file, later = host / "root/one", host / "root/two"
    file.write_text("first")
    run(state="kept", files=[str(file)], notes={"mode": "1"})
    file.write_text("changed by a run that was killed")
    later.write_text("named later")
    again = run(state="kept", files=[str(file), str(later)], notes={"mode": "2"})
    assert again["changed"]
    assert again["notes"] == {"mode": "1"}
    kept_files = record(host)["values"]["files"]
    assert [base64.b64decode(kept_files[str(path)]["content"]) for path in (file, later)] == [b"first", b"named later"]
    third = run(state="kept", files=[str(file), str(later)])
    assert not third["changed"]


def test_units_holds_settings_and_swap_come_back(host: Path, run: RunModule) -> None:
    (host / "units/avahi.service").write_text("active")
    (host / "units/wait.service").write_text("inactive")
    (host / "links/a.wants").mkdir()
    (host / "links/a.wants/avahi.service").symlink_to("/lib/avahi.service")
    (host / "sys/vm/swappiness").write_text("60\n")
    run(
        state="kept",
        units=["avahi.service", "wait.service", "ours.service", "absent.service"],
        sysctls=["vm.swappiness"],
        holds=["core", "tools"],
        swaps=["/var/ours.swap"],
    )
    (host / "units/avahi.service").write_text("inactive")
    (host / "units/ours.service").write_text("active")
    (host / "links/a.wants/avahi.service").unlink()
    (host / "links/a.wants").rmdir()
    (host / "links/avahi.service").symlink_to("/dev/null")
    (host / "links/b.wants").mkdir()
    (host / "links/b.wants/ours.service").symlink_to("/etc/ours.service")
    (host / "sys/vm/swappiness").write_text("10\n")
    (host / "held").write_text("tools\ncore\n")
    (host / "swaps").write_text(SWAPS_HEADER + "/var/ours.swap file 64 0 -2\n")

    result = run(state="restored")
    assert "units: ours.service" in result.get("different", []), result["msg"]
    assert (host / "units/avahi.service").read_text() == "active\n"
    assert (host / "units/ours.service").read_text() == "inactive\n"
    links = {str(path.relative_to(host / "links")) for path in (host / "links").rglob("*")}
    assert links == {"a.wants", "a.wants/avahi.service"}
    assert (host / "sys/vm/swappiness").read_text() == "60\n"
    assert (host / "held").read_text() == "tools\n"
    assert (host / "swaps").read_text() == SWAPS_HEADER + "/dev/zram0 file 64 0 5\n"


def test_sockets_start_before_their_services(host: Path, run: RunModule) -> None:
    units = ["avahi.service", "avahi.socket"]
    for unit in units:
        (host / "units" / unit).write_text("active")
    run(state="kept", units=units)
    for unit in units:
        (host / "units" / unit).write_text("inactive")
    run(state="restored")
    started = [line for line in (host / "asked").read_text().splitlines() if line.startswith("start")]
    assert started == ["start avahi.socket", "start avahi.service"]


def test_units_that_write_kept_files_are_stopped_meanwhile(host: Path, run: RunModule) -> None:
    """And when they start they may take a moment to write them anew."""
    (host / "units/fan.service").write_text("active")
    file = host / "root/status"
    file.write_text("quiet")
    with (host / "bin/systemctl").open("a") as program:
        anew = f": >{file}; (sleep 0.5; printf quiet >{file}) >/dev/null 2>&1 &"
        program.write(f"if [ \"$(tail -n 1 {host}/asked)\" = 'start fan.service' ]; then {anew} fi\n")
    run(state="kept", files=[str(file)], units=["fan.service"])
    file.write_text("cool")
    assert run(state="restored", reread=["fan.service"])["changed"]
    asked = [line for line in (host / "asked").read_text().splitlines() if not line.startswith("show")]
    assert asked == ["stop fan.service", "daemon-reexec", "start fan.service"]


def test_swap_that_a_unit_sets_up_is_left_to_it(host: Path, run: RunModule) -> None:
    run(state="kept", swaps=["/var/ours.swap"])
    (host / "swaps").write_text(SWAPS_HEADER)
    with (host / "bin/systemctl").open("a") as program:
        program.write(f"case $* in zram) echo /dev/zram0 partition 64 0 5 >> {host}/swaps;; esac\n")
    assert run(state="restored", swap_unit="zram")["changed"]
    assert (host / "swaps").read_text() == SWAPS_HEADER + "/dev/zram0 partition 64 0 5\n"


def test_check_mode_only_tells(host: Path, run: RunModule) -> None:
    file = host / "root/fstab"
    file.write_text("before\n")
    first = run(check=True, state="kept", files=[str(file)])
    assert first["changed"]
    assert str(file) in first["diff"]["after"]
    assert not (host / "kept").exists()
    run(state="kept", files=[str(file)])
    file.write_text("after\n")
    told = run(check=True, state="restored")
    assert told["changed"]
    assert told["diff"][0]["before"].endswith("after\n")
    assert told["diff"][0]["after"].endswith("before\n")
    assert file.read_text() == "after\n"
    assert (host / "kept/before.json").exists()


def test_without_a_record_nothing_is_put_back(host: Path, run: RunModule) -> None:
    result = run(state="restored")
    assert (result["changed"], result["exists"]) == (False, False)


def test_what_does_not_come_back_is_named_and_the_record_stays(
    host: Path, run: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_things, "SETTLING_SECONDS", 0)
    (host / "units/fan.service").write_text("active")
    run(state="kept", units=["fan.service"])
    (host / "units/fan.service").write_text("failed")
    (host / "bin/systemctl").write_text((host / "bin/systemctl").read_text().replace("start)", "restart)"))
    result = run(state="restored")
    assert "fan.service (units)" in result["msg"]
    assert (host / "kept/before.json").exists()


def test_what_others_removed_is_left_to_them(host: Path, run: RunModule) -> None:
    (host / "units/gone.service").write_text("active")
    run(state="kept", units=["gone.service"], holds=["gone"])
    (host / "units/gone.service").unlink()
    assert not run(state="restored").get("failed")


def test_made_things_go_and_those_that_were_there_stay(host: Path, run: RunModule) -> None:
    ours, theirs = host / "root/ours", host / "root/theirs"
    theirs.write_text("large")
    run(state="kept", made=[str(ours), str(theirs)])
    (ours / "venv").mkdir(parents=True)
    run(state="restored")
    assert not ours.exists()
    assert theirs.read_text() == "large"


def test_a_cut_while_writing_leaves_the_old_record(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = host / "kept"
    kept.store(folder, kept.Record({"files": {}}, {"mode": "1"}))

    def cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dump", cut)
    with pytest.raises(KeyboardInterrupt):
        kept.store(folder, kept.Record({"files": {}}, {"mode": "2"}))
    found = kept.load(folder)
    assert found is not None
    assert found.notes == {"mode": "1"}
