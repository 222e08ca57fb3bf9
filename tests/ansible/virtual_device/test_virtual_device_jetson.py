"""The doubles of NVIDIA's programs: what they print, change, remember and refuse."""

from __future__ import annotations

import io
import re

import pytest
import virtual_device_files
from ansible.module_utils import tegrastats as reader
from maie_jetson import board, jetson_clocks, nvfancontrol, nvpmodel, powerconf, release, tegrastats
from virtual_device_files import Device

GPU = "/sys/devices/platform/17000000.gpu/devfreq_dev"
EMC_CAP = "/sys/kernel/nvpmodel_clk_cap/emc"


def gpu_limit(device: Device) -> int:
    return int(device.read(f"{GPU}/max_freq"))


def test_power_models_are_those_of_the_board() -> None:
    conf = powerconf.parse(virtual_device_files.POWER_CONF.read_text())
    assert {number: mode.name for number, mode in conf.modes.items()} == {0: "15W", 1: "25W", 2: "MAXN_SUPER"}
    assert conf.default == 1
    assert conf.path("GPU", "MAX_FREQ") == f"{GPU}/max_freq"


def test_conf_without_default_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="no default mode"):
        powerconf.parse("< POWER_MODEL ID=0 NAME=15W >\nGPU MAX_FREQ 1\n")


def test_new_board_is_in_the_default_mode(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    assert nvpmodel.main(["-q"]) == 0
    assert capsys.readouterr().out == "NV Power Mode: 25W\n1\n"


@pytest.mark.parametrize(
    ("mode", "gpu", "memory", "cpu"),
    [(0, 612000000, 2133000000, 1497600), (1, 918000000, 3199000000, 1344000), (2, 1020000000, 3199000000, 1728000)],
)
def test_mode_sets_the_limits(device: Device, mode: int, gpu: int, memory: int, cpu: int) -> None:
    assert nvpmodel.main(["-m", str(mode)]) == 0
    assert gpu_limit(device) == gpu
    assert int(device.read(EMC_CAP)) == memory
    assert int(device.read("/run/maie-virtual/cpu/cpu5/cpufreq/scaling_max_freq")) == cpu
    assert device.read("/var/lib/nvpmodel/status") == f"pmode:{mode:04}\n"


def test_mode_outlives_a_boot(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    nvpmodel.main(["-m", "0"])
    board.write_files()
    assert gpu_limit(device) == 1020000000
    assert nvpmodel.main(["-f", "/etc/nvpmodel.conf"]) == 0
    assert gpu_limit(device) == 612000000
    nvpmodel.main(["-q"])
    assert capsys.readouterr().out == "NV Power Mode: 15W\n0\n"


def test_unknown_mode_is_refused(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    assert nvpmodel.main(["-m", "7"]) == nvpmodel.FAILED
    assert "NVPM ERROR" in capsys.readouterr().err
    assert not device.path("/var/lib/nvpmodel/status").exists()


def test_verbose_listing_names_the_modes(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    assert nvpmodel.main(["-p", "--verbose"]) == 0
    printed = capsys.readouterr().out
    assert "NVPM VERB: PM_CONFIG: DEFAULT=25W(1)" in printed
    assert re.findall(r"POWER_MODEL: ID=(\d) NAME=(\w+)", printed) == [("0", "15W"), ("1", "25W"), ("2", "MAXN_SUPER")]


def test_verbose_query_shows_real_and_wanted(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    nvpmodel.main(["-m", "2"])
    nvpmodel.main(["-q", "--verbose"])
    printed = capsys.readouterr().out
    assert "NVPM VERB: Current mode: NV Power Mode: MAXN_SUPER\n2\n" in printed
    assert f"PATH {GPU}/max_freq: REAL_VAL: 1020000000 CONF_VAL: 2147483647" in printed


def test_only_root_changes_the_mode(
    device: Device, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert nvpmodel.main(["-m", "0"]) == 0
    assert "NVPM ERROR: failed to set power mode!" in capsys.readouterr().err
    assert not device.path("/var/lib/nvpmodel/status").exists()
    assert nvpmodel.main(["-q"]) == 0


def test_board_that_is_not_super_stays_slow(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    device.faults("not_super: true\n")
    assert nvpmodel.main(["-m", "2"]) == 0
    nvpmodel.main(["-q"])
    assert capsys.readouterr().out == "NV Power Mode: MAXN_SUPER\n2\n"
    assert gpu_limit(device) == 624750000
    board.write_files()
    assert "super" not in device.read("/etc/nv_boot_control.conf")
    assert "Super" not in device.read("/sys/firmware/devicetree/base/model")


def test_board_says_that_it_is_super(device: Device) -> None:
    assert "jetson-orin-nano-devkit-super-\n" in device.read("/etc/nv_boot_control.conf")
    assert device.read("/sys/firmware/devicetree/base/model").endswith("Kit Super\0")
    assert device.read("/sys/firmware/devicetree/base/compatible").split("\0")[0].endswith("p3767-0005-super")


def test_fault_is_read_at_each_call(device: Device) -> None:
    assert nvpmodel.main([]) == 0
    device.faults("nvpmodel_fails: true\n")
    assert nvpmodel.main(["-m", "0"]) == nvpmodel.FAILED
    assert gpu_limit(device) == 918000000
    device.faults("nvpmodel_fails: false\n")
    assert nvpmodel.main(["-m", "0"]) == 0
    assert gpu_limit(device) == 612000000


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """Clocks that `jetson_clocks --show` prints for each part: lowest, highest, present, and EMC's override."""
    capsys.readouterr()
    assert jetson_clocks.main(["--show"]) == 0
    rows = capsys.readouterr().out.splitlines()
    return {row.split()[0]: re.findall(r"Freq(?:Override)?=(\d+)", row) for row in rows}


def test_clocks_are_pinned_to_the_mode_and_restored(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    nvpmodel.main(["-m", "1"])
    before = shown(capsys)
    store = device.path("/l4t_dfs.conf")
    assert jetson_clocks.main(["--store", str(store)]) == 0
    assert jetson_clocks.main([]) == 0
    pinned = shown(capsys)
    assert pinned["GPU"] == ["918000000"] * 3
    assert pinned["cpu0:"] == ["1344000"] * 3
    assert pinned["EMC"][-1] == "1"
    assert jetson_clocks.main(["--restore", str(store)]) == 0
    assert shown(capsys) == before
    assert before["GPU"][0] != before["GPU"][1]


def test_clocks_as_jetpack_7_shows_them(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    device.write("/etc/nv_tegra_release", release.tegra_release("39.2.1"))
    capsys.readouterr()
    assert jetson_clocks.main(["--show"]) == 0
    printed = capsys.readouterr().out
    assert "Online CPUs: 0-5, Offline CPUs: \ncpu0:  Governor=schedutil MinFreq=729600 " in printed
    assert re.search(r"^EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=\d+$", printed, re.MULTILINE)


def test_clocks_need_root_and_a_stored_file(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    assert jetson_clocks.main(["--restore", str(device.path("/none"))]) == 1
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert jetson_clocks.main([]) == 1
    assert int(device.read(f"{GPU}/min_freq")) < gpu_limit(device)


@pytest.mark.parametrize(("answer", "status"), [("", 1), ("N\n", 1), ("Y\n", 0)])
def test_stored_clocks_are_overwritten_only_if_somebody_says_so(
    device: Device, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    store = device.path("/l4t_dfs.conf")
    assert jetson_clocks.main(["--store", str(store)]) == 0
    free = store.read_text()
    assert jetson_clocks.main([]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert jetson_clocks.main(["--store", str(store)]) == status
    assert (store.read_text() == free) is bool(status)


RAILS6 = "VDD_IN 4744mW/4744mW VDD_CPU_GPU_CV 1273mW/1273mW VDD_SOC 1234mW/1234mW"
ZONES6 = "cpu@51.218C soc2@51.093C soc0@50.125C gpu@51.593C tj@51.718C soc1@50.343C"
ZONES7 = "cpu@51.218C/51.218C soc2@51.093C/51.093C soc0@50.125C/50.125C gpu@51.593C/51.593C"
FORMS = {
    ("36.5.2", True): rf"EMC_FREQ 0%@2133 GR3D_FREQ 0%@\[306\] NVDEC off NVJPG off .*APE 200 {ZONES6} {RAILS6}",
    ("36.5.2", False): f"GR3D_FREQ 0% {ZONES6} {RAILS6}",
    ("39.2.1", True): f"EMC_FREQ .* NVDEC0 off NVJPG0 off .*{ZONES7} .*VDD_SOC 1234mW/1234mW/1234mW",
    ("35.4.1", True): r"EMC_FREQ .* CV0@-256C CPU@51.218C .*tj@51.718C SOC1@50.343C",
}
"""By release and by who asks, the end of the line."""


@pytest.mark.parametrize(("name", "root"), FORMS)
@pytest.mark.parametrize("swap", [0, 3_901_440])
def test_tegrastats_line(device: Device, name: str, root: bool, swap: int) -> None:
    """In the form of each JetPack; what is read of it is tested with lines of boards."""
    device.write("/etc/nv_tegra_release", release.tegra_release(name))
    meminfo = f"MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\nSwapTotal: {swap} kB\nSwapFree: {swap} kB\n"
    device.write("/proc/meminfo", meminfo)
    swapped = r"SWAP 0/3810MB \(cached 0MB\) " if swap else ""
    line = tegrastats.line(root)
    begin = rf"\d\d-\d\d-\d{{4}} \d\d:\d\d:\d\d RAM 7813/15625MB \(lfb 1x4MB\) {swapped}CPU \[(0%@729,){{5}}0%@729\] "
    assert re.fullmatch(begin + FORMS[name, root], line), line
    stats = reader.parse(line)
    assert stats is not None
    assert (stats.swap_used_bytes, stats.celsius["cpu"], stats.gpu) == (
        0 if swap else None,
        51.218,
        reader.Load(0, (306,) if root else ()),
    )
    assert stats.milliwatts.get("VDD_IN") == (None if name.startswith("35.") else 4744)


def test_scattered_memory_has_small_blocks_only(device: Device) -> None:
    device.write("/proc/meminfo", device.read("/run/maie-virtual/meminfo"))
    device.faults("scattered_memory: true\n")
    assert "(lfb 1x1MB)" in tegrastats.line(root=True)


def test_cached_fan_profile_wins(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    nvfancontrol.main(["-q"])
    assert capsys.readouterr().out.startswith("FAN1:FAN_PROFILE:quiet\n")
    device.write("/var/lib/nvfancontrol/status", nvfancontrol.lines(nvfancontrol.state()))
    conf = device.read("/etc/nvfancontrol.conf")
    device.write("/etc/nvfancontrol.conf", conf.replace("FAN_DEFAULT_PROFILE quiet", "FAN_DEFAULT_PROFILE cool"))
    assert nvfancontrol.state()["FAN_PROFILE"] == "quiet"
    device.path("/var/lib/nvfancontrol/status").unlink()
    assert nvfancontrol.state()["FAN_PROFILE"] == "cool"
