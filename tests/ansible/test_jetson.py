"""What the parsers make of the files and outputs of boards, as published and as posted by their owners."""

from __future__ import annotations

import pytest
from ansible.module_utils import jetson
from recorded import AGX_ORIN, ORIN_NANO, ORIN_NANO_SUPER, RELEASE_35_4_1, RELEASE_36_4_3


@pytest.mark.parametrize(
    ("text", "release"),
    [(RELEASE_36_4_3, "36.4.3"), (RELEASE_35_4_1, "35.4.1"), ("# R39 (release), REVISION: 2.1,", "39.2.1")],
)
def test_release(text: str, release: str) -> None:
    found = jetson.parse_tegra_release(text)
    assert found is not None
    assert found["release"] == release


def test_release_tells_date_and_kernel() -> None:
    found = jetson.parse_tegra_release(RELEASE_36_4_3)
    assert found == {"release": "36.4.3", "date": "Wed Jan  8 01:49:37 UTC 2025", "kernel_variant": "oot"}


@pytest.mark.parametrize("text", ["", "Debian GNU/Linux 12", "R36 (release)"])
def test_no_release_elsewhere(text: str) -> None:
    assert jetson.parse_tegra_release(text) is None


def test_device_tree_strings_lose_their_nul() -> None:
    raw = b"nvidia,p3768-0000+p3767-0005-super\0nvidia,tegra234\0"
    assert jetson.parse_device_tree_strings(raw) == ["nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234"]


@pytest.mark.parametrize(
    ("tnspec", "compatible", "is_super"),
    [
        ("3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-super-", [], True),
        ("3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-", ["nvidia,p3768-0000+p3767-0005-super"], False),
        (None, ["nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234"], True),
        (None, ["nvidia,p3768-0000+p3767-0005"], False),
        (None, [], None),
    ],
)
def test_super_is_what_the_board_was_flashed_with(tnspec: str | None, compatible: list[str], is_super: bool) -> None:
    assert jetson.flashed_super(tnspec, compatible) is is_super


def test_tnspec() -> None:
    text = "TNSPEC 3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-super-\nCOMPATIBLE_SPEC 3767-300-0005--1--jetson-\n"
    assert jetson.parse_tnspec(text) == "3767-300-0005-R.1-1-1-jetson-orin-nano-devkit-super-"
    assert jetson.parse_tnspec("") is None


def test_power_models_of_the_super_board() -> None:
    models = jetson.parse_power_models(ORIN_NANO_SUPER)
    assert models.describe() == "15W (0), 25W (1), MAXN_SUPER (2)"
    assert models.default_id == 1
    assert [model.gpu_max_hz for model in models.models] == [612_000_000, 918_000_000, jetson.UNCAPPED]
    assert [model.emc_max_hz for model in models.models] == [2_133_000_000, 3_199_000_000, jetson.UNCAPPED]
    assert [model.cores for model in models.models] == [2, 1, 0]
    assert models.gpu_limit_paths[0] == jetson.GPU_LIMIT


@pytest.mark.parametrize(
    ("text", "wanted", "model_id"),
    [
        (ORIN_NANO_SUPER, "MAXN_SUPER", 2),
        (ORIN_NANO_SUPER, "maxn_super", 2),
        (ORIN_NANO_SUPER, "0", 0),
        (AGX_ORIN, "MAXN", 0),
        (ORIN_NANO, "MAXN_SUPER", None),
        (ORIN_NANO, "7", None),
    ],
)
def test_a_mode_is_found_by_name_in_the_boards_own_list(text: str, wanted: str, model_id: int | None) -> None:
    model = jetson.parse_power_models(text).find(wanted)
    assert (model.id if model else None) == model_id


@pytest.mark.parametrize(
    "printed",
    [
        "NV Power Mode: 15W\n0\n",
        "NV Fan Mode:quiet\nNV Power Mode: 15W\n0\n",
        "NVPM WARN: fan mode is not set!\nNV Power Mode: 15W\n0\n",
        "NVPM VERB: Config file: /etc/nvpmodel.conf\nNVPM VERB: Current mode: NV Power Mode: 15W\n0\n",
    ],
)
def test_current_mode(printed: str) -> None:
    assert jetson.parse_current_mode(printed) == (0, "15W")


def test_no_current_mode_in_an_error() -> None:
    assert jetson.parse_current_mode("NVPM ERROR: failed to parse\n") is None


@pytest.mark.parametrize(
    ("status", "persisted"),
    [
        ("pmode:0002 fmode:fan_mode_quiet\n", "pmode:0003 fmode:fan_mode_quiet\n"),
        ("pmode:0002", "pmode:0003"),
        ("", "pmode:0003\n"),
    ],
)
def test_a_mode_is_persisted_and_the_fan_kept(status: str, persisted: str) -> None:
    assert jetson.persist_mode(status, 3) == persisted
    assert jetson.parse_persisted_mode(persisted) == 3


def test_the_reboot_question_is_seen() -> None:
    printed = (
        "NVPM WARN: Golden image context is already created\n"
        "NVPM WARN: Reboot required for changing to this power mode: 3\n"
        "NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:\n"
        "NVPM ERROR: bad input!\nNVPM ERROR: optMask is 1, no request for power mode\n"
    )
    assert jetson.asks_for_reboot(printed)
    assert not jetson.asks_for_reboot("")


@pytest.mark.parametrize(
    ("mode", "real_hz", "is_right"),
    [
        ("MAXN_SUPER", 1_020_000_000, True),
        ("MAXN_SUPER", 624_750_000, False),
        ("25W", 918_000_000, True),
        ("25W", 624_750_000, False),
        ("15W", 624_750_000, True),
        ("15W", 1_020_000_000, False),
    ],
)
def test_the_gpus_real_limit_decides(mode: str, real_hz: int, is_right: bool) -> None:
    models = jetson.parse_power_models(ORIN_NANO_SUPER)
    model = models.find(mode)
    assert model is not None
    assert (jetson.limit_problem(models, model, real_hz) is None) is is_right


def test_packages_of_one_release() -> None:
    listing = (
        "nvidia-l4t-core\t36.4.3-20250107174145\tinstalled\n"
        "nvidia-l4t-kernel\t5.15.148-tegra-36.4.3-20250107174145\tinstalled\n"
        "nvidia-l4t-gone\t36.4.0-20240912212859\tnot-installed\n"
    )
    packages = jetson.parse_packages(listing)
    assert set(packages) == {"nvidia-l4t-core", "nvidia-l4t-kernel"}
    assert jetson.package_releases(packages) == ["36.4.3"]


def test_packages_of_two_releases() -> None:
    packages = {"nvidia-l4t-core": "36.4.4-20250616085344", "nvidia-l4t-cuda": "36.4.7-20250918154033"}
    assert jetson.package_releases(packages) == ["36.4.4", "36.4.7"]


def test_memory_and_swap() -> None:
    assert jetson.parse_meminfo("MemTotal:        7802880 kB\nMemAvailable: 6900000 kB\n") == {
        "MemTotal": 7_802_880 * 1024,
        "MemAvailable": 6_900_000 * 1024,
    }
    table = (
        "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition\t650240\t0\t5\n/var/maie.swap file\t65532\t12\t-2\n"
    )
    assert jetson.parse_swaps(table) == [
        {"path": "/dev/zram0", "kind": "partition", "size_bytes": 650240 * 1024, "used_bytes": 0},
        {"path": "/var/maie.swap", "kind": "file", "size_bytes": 65532 * 1024, "used_bytes": 12 * 1024},
    ]
