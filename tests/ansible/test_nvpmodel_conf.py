"""What is made of nvpmodel's configuration and of what nvpmodel and jetson_clocks print."""

from __future__ import annotations

import pytest
from ansible.module_utils import nvpmodel_conf
from ansible.module_utils.nvpmodel_conf import Limits, PowerModel, PowerModels
from recorded import FOLDER, SYSTEMS, text

SUPER = "orin-nano-super-36.4.3"
NOT_SUPER = "orin-nano-36.4.3"
NX = "orin-nx-16-super-36.4.3"
AGX = "agx-orin-36.4.3"


def models_of(system: str) -> PowerModels:
    return nvpmodel_conf.parse_power_models(text(system, "/etc/nvpmodel.conf"))


def mode_of(system: str, name: str) -> tuple[PowerModels, PowerModel]:
    models = models_of(system)
    model = models.find(name)
    assert model is not None
    return models, model


def test_power_models_of_the_super_board() -> None:
    models = models_of(SUPER)
    assert models.describe() == "15W (0), 25W (1), MAXN_SUPER (2)"
    assert models.default_id == 1
    assert [model.gpu_max_hz for model in models.models] == [612_000_000, 918_000_000, nvpmodel_conf.UNCAPPED]
    assert [model.emc_max_hz for model in models.models] == [2_133_000_000, 3_199_000_000, nvpmodel_conf.UNCAPPED]
    assert [model.cores for model in models.models] == [6, 6, 6]
    assert [model.cores for model in models_of(NOT_SUPER).models] == [6, 4]


def test_a_memory_cap_of_zero_is_none() -> None:
    assert [model.emc_max_hz for model in models_of(NOT_SUPER).models] == [nvpmodel_conf.UNCAPPED, 2_133_000_000]


def test_the_paths_of_the_newer_kernel_come_first() -> None:
    models = models_of(SUPER)
    assert models.gpu_limit_paths[0] == "/sys/devices/platform/17000000.gpu/devfreq_dev/max_freq"
    assert models.gpu_limit_paths[1] == "/sys/devices/17000000.ga10b/devfreq/17000000.ga10b/max_freq"
    assert models.gpu_table_paths[0] == "/sys/devices/platform/17000000.gpu/devfreq_dev/available_frequencies"
    assert models.emc_limit_paths[:2] == (
        "/sys/kernel/nvpmodel_clk_cap/emc",
        "/sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
    )


def test_comments_and_settings_of_the_unknown_are_passed_over() -> None:
    conf = (
        "# a comment\n< POWER_MODEL ID=0 NAME=A >\nGPU MAX_FREQ 1\nGPU_POWER CONTROL on\nX\n< PM_CONFIG DEFAULT=0 >\n"
    )
    models = nvpmodel_conf.parse_power_models(conf)
    assert models.models == (PowerModel(0, "A", {("GPU", "MAX_FREQ"): 1}),)
    assert nvpmodel_conf.parse_power_models("").models == ()


@pytest.mark.parametrize(
    ("system", "wanted", "model_id"),
    [
        (SUPER, "MAXN_SUPER", 2),
        (SUPER, "maxn_super", 2),
        (SUPER, "0", 0),
        (NX, "MAXN_SUPER", 0),
        (AGX, "MAXN", 0),
        (NOT_SUPER, "MAXN_SUPER", None),
        (NOT_SUPER, "7", None),
    ],
)
def test_a_mode_is_found_by_name_in_the_boards_own_list(system: str, wanted: str, model_id: int | None) -> None:
    model = models_of(system).find(wanted)
    assert (model.id if model else None) == model_id


@pytest.mark.parametrize(
    "printed",
    [
        "NV Power Mode: 15W\n0\n",
        "NV Fan Mode:quiet\nNV Power Mode: 15W\n0\n",
        "NVPM WARN: fan mode is not set!\nNV Power Mode: 15W\n0\n",
        "NVPM VERB: Config file: /etc/nvpmodel.conf\nNVPM VERB: Current mode: NV Power Mode: 15W\n0\n",
        "NV Power Mode: 15W\n0\nNVPM ERROR: Error opening /sys/kernel/nvpmodel_emc_cap/emc_iso_cap: 13\n",
    ],
)
def test_current_mode(printed: str) -> None:
    assert nvpmodel_conf.parse_current_mode(printed) == (0, "15W")


def test_no_current_mode_in_an_error() -> None:
    assert nvpmodel_conf.parse_current_mode("NVPM ERROR: failed to parse\n") is None


@pytest.mark.parametrize(
    ("status", "persisted"),
    [
        ("pmode:0002 fmode:fan_mode_quiet\n", "pmode:0003 fmode:fan_mode_quiet\n"),
        ("pmode:0002", "pmode:0003"),
        ("", "pmode:0003\n"),
    ],
)
def test_a_mode_is_persisted_and_the_fan_kept(status: str, persisted: str) -> None:
    assert nvpmodel_conf.persist_mode(status, 3) == persisted
    assert nvpmodel_conf.parse_persisted_mode(persisted) == 3


def test_the_reboot_question_is_seen() -> None:
    printed = (
        "NVPM WARN: Golden image context is already created\n"
        "NVPM WARN: Reboot required for changing to this power mode: 3\n"
        "NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:\n"
        "NVPM ERROR: bad input!\nNVPM ERROR: optMask is 1, no request for power mode\n"
    )
    assert nvpmodel_conf.asks_for_reboot(printed)
    assert not nvpmodel_conf.asks_for_reboot("")


FULL = 1_020_000_000
HALF = 624_750_000
FAST = 3_199_000_000
SLOW = 2_133_000_000


@pytest.mark.parametrize(
    ("system", "mode", "gpu_hz", "emc_hz", "ceiling_hz", "problem"),
    [
        (SUPER, "MAXN_SUPER", FULL, FAST, FULL, None),
        (SUPER, "MAXN_SUPER", FULL, FAST, None, None),
        (SUPER, "MAXN_SUPER", FULL, None, FULL, None),
        (SUPER, "MAXN_SUPER", None, None, None, None),
        (SUPER, "MAXN_SUPER", HALF, SLOW, None, "GPU allows 625 MHz, less than the 918 MHz of a slower mode"),
        (SUPER, "MAXN_SUPER", 918_000_000, FAST, FULL, "GPU allows 918 MHz, not its full 1020 MHz"),
        (SUPER, "MAXN_SUPER", FULL, SLOW, FULL, "memory allows 2133 MHz, less than the 3199 MHz of a slower mode"),
        (SUPER, "25W", 918_000_000, FAST, FULL, None),
        (SUPER, "25W", HALF, FAST, HALF, "GPU allows 625 MHz, not the mode's 918 MHz"),
        (SUPER, "25W", 918_000_000, SLOW, FULL, "memory allows 2133 MHz, not the mode's 3199 MHz"),
        (SUPER, "25W", 918_000_000, 0, FULL, "memory has no limit although the mode sets one"),
        (SUPER, "15W", HALF, SLOW, FULL, None),
        (SUPER, "15W", FULL, SLOW, FULL, "GPU allows 1020 MHz, not the mode's 612 MHz"),
        (NOT_SUPER, "15W", HALF, 0, HALF, None),
        (NOT_SUPER, "15W", HALF, SLOW, HALF, None),
        (NX, "MAXN_SUPER", 1_173_000_000, FAST, 1_173_000_000, None),
        (NX, "MAXN_SUPER", 918_000_000, FAST, None, "GPU allows 918 MHz, less than the 1173 MHz of a slower mode"),
        (AGX, "MODE_30W", 612_000_000, FAST, 1_300_500_000, None),
    ],
)
def test_the_real_limits_decide(
    system: str, mode: str, gpu_hz: int | None, emc_hz: int | None, ceiling_hz: int | None, problem: str | None
) -> None:
    found = nvpmodel_conf.limit_problem(*mode_of(system, mode), Limits(gpu_hz, emc_hz, ceiling_hz))
    assert found == (f"the {problem}" if problem else None)


@pytest.mark.parametrize(
    ("system", "mode", "ceiling_hz", "lacking"),
    [
        (SUPER, "MAXN_SUPER", FULL, None),
        (SUPER, "MAXN_SUPER", HALF, 918_000_000),
        (SUPER, "25W", HALF, 918_000_000),
        (SUPER, "15W", HALF, None),
        (SUPER, "MAXN_SUPER", None, None),
        (NX, "MAXN_SUPER", 918_000_000, 1_173_000_000),
        (NOT_SUPER, "15W", HALF, None),
    ],
)
def test_a_mode_for_a_faster_gpu_is_told_from_its_table(
    system: str, mode: str, ceiling_hz: int | None, lacking: int | None
) -> None:
    assert nvpmodel_conf.gpu_lacks(*mode_of(system, mode), Limits(None, None, ceiling_hz)) == lacking


GPU_FREE = "GPU MinFreq=306000000 MaxFreq=918000000 CurrentFreq=306000000\n"
GPU_PINNED = "GPU MinFreq=918000000 MaxFreq=918000000 CurrentFreq=918000000\n"
EMC = "EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=3199000000"


@pytest.mark.parametrize(
    ("printed", "pinned"),
    [
        (f"{GPU_FREE}{EMC} FreqOverride=0\n", False),
        (f"{GPU_PINNED}{EMC} FreqOverride=1\n", True),
        (f"{GPU_PINNED}{EMC} FreqOverride=0\n", False),
        (f"{GPU_FREE}{EMC} FreqOverride=1\n", False),
        (f"{GPU_FREE}{EMC}\n", False),
        (f"{GPU_PINNED}{EMC}\n", False),
        (f"{GPU_PINNED}EMC MinFreq=3199000000 MaxFreq=3199000000 CurrentFreq=3199000000\n", True),
        (f"{GPU_PINNED.replace('GPU', 'gpu-gpc-0')}{EMC} FreqOverride=1\n", True),
        (GPU_PINNED, None),
        (GPU_FREE, False),
        (f"{EMC} FreqOverride=1\n", None),
        ("Error: Run this script(/usr/bin/jetson_clocks) as a root user\n", None),
    ],
)
def test_pinned_clocks(printed: str, pinned: bool | None) -> None:
    assert nvpmodel_conf.clocks_pinned(nvpmodel_conf.parse_clocks(printed)) is pinned


@pytest.mark.parametrize("system", [name for name in SYSTEMS if (FOLDER / name / "etc/nvpmodel.conf").exists()])
def test_each_recorded_jetson_has_modes_and_a_default(system: str) -> None:
    models = models_of(system)
    assert models.default_id in {model.id for model in models.models}
    assert all(model.gpu_max_hz for model in models.models)
