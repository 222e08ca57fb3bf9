"""The clocks of the board: which files stand for them, what the silicon can do, what they are set to."""

from __future__ import annotations

from pathlib import Path

from maie_virtual.faults import fault
from maie_virtual.paths import device, runtime

CPU_CORES = 6
CPU_KHZ = (729600, 1728000)
GPU_HZ = (306000000, 408000000, 510000000, 612000000, 714000000, 816000000, 918000000, 1020000000)
GPU_HZ_NOT_SUPER = (306000000, 408000000, 510000000, 612000000, 624750000)
EMC_HZ = (204000000, 3199000000)
EMC_HZ_NOT_SUPER = (204000000, 2133000000)

GPU = "/sys/devices/platform/17000000.gpu/devfreq_dev"
EMC = "/sys/kernel/debug/bpmp/debug/clk/emc"
EMC_CAP = "/sys/kernel/nvpmodel_clk_cap/emc"
CPUS = "/sys/devices/system/cpu"


def file(path: str) -> Path:
    """The file that stands for a kernel file; those of the CPUs belong to the machine, so theirs are apart."""
    if path.startswith(CPUS):
        return runtime("cpu") / path.removeprefix(CPUS).lstrip("/")
    return device(path)


def cpu(core: int, name: str) -> str:
    """Path of a core's frequency setting, such as `scaling_max_freq`."""
    return f"{CPUS}/cpu{core}/cpufreq/{name}"


def read(path: str) -> int:
    """A setting as a number."""
    return int(file(path).read_text())


def write(path: str, value: int) -> None:
    """Change a setting; the file must be there, as in sysfs."""
    with file(path).open("r+") as stream:
        stream.truncate(0)
        stream.write(f"{value}\n")


def online(core: int) -> bool:
    """Whether the power mode leaves a core on."""
    return read(f"{CPUS}/cpu{core}/online") == 1


def gpu_table() -> tuple[int, ...]:
    """Frequencies that the board's GPU can run at, in Hz."""
    return GPU_HZ_NOT_SUPER if fault("not_super") else GPU_HZ


def emc_range() -> tuple[int, int]:
    """(lowest, highest) frequency of the board's memory, in Hz."""
    return EMC_HZ_NOT_SUPER if fault("not_super") else EMC_HZ


def limits(path: str) -> tuple[int, int]:
    """(lowest, highest) value that the silicon allows for a setting."""
    if path.startswith(CPUS):
        return CPU_KHZ
    if path.startswith(GPU):
        return gpu_table()[0], gpu_table()[-1]
    return emc_range()


def set_within_limits(path: str, value: int) -> None:
    """Write a clock as the kernel takes it: clamped to what the silicon can do; -1 asks for the highest."""
    low, high = limits(path)
    write(path, high if value < 0 else min(max(value, low), high))


def initial_files() -> dict[str, str]:
    """Path → content of every clock file after a boot, before a power mode was applied."""
    gpu, emc = gpu_table(), emc_range()
    files = {
        f"{GPU}/available_frequencies": " ".join(map(str, gpu)),
        f"{GPU}/min_freq": f"{gpu[0]}",
        f"{GPU}/max_freq": f"{gpu[-1]}",
        f"{GPU}/cur_freq": f"{gpu[0]}",
        f"{GPU}/governor": "nvhost_podgov",
        "/sys/devices/platform/17000000.gpu/tpc_pg_mask": "240",
        "/sys/devices/platform/17000000.gpu/load": "0",
        "/sys/devices/platform/gpu.0/tpc_pg_mask": "240",
        EMC_CAP: f"{emc[1]}",
        f"{EMC}/min_rate": f"{emc[0]}",
        f"{EMC}/max_rate": f"{emc[1]}",
        f"{EMC}/rate": "2133000000",
        f"{EMC}/mrq_rate_locked": "0",
    }
    for core in range(CPU_CORES):
        files[f"{CPUS}/cpu{core}/online"] = "1"
        files[cpu(core, "scaling_governor")] = "schedutil"
        files[cpu(core, "scaling_min_freq")] = f"{CPU_KHZ[0]}"
        files[cpu(core, "scaling_max_freq")] = f"{CPU_KHZ[1]}"
        files[cpu(core, "scaling_cur_freq")] = f"{CPU_KHZ[0]}"
    return files
