"""What boards in the field say of themselves, line by line (``tests/cases/platform``): parsed, and judged rightly."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import jetson, nvpmodel_conf, tegrastats
from ansible.module_utils.tegrastats import Load
from l4t import l4t_verdict

PROJECT = Path(__file__).parents[2]
PREFLIGHT = yaml.safe_load((PROJECT / "roles/preflight/defaults/main.yml").read_text())


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((PROJECT / f"tests/cases/platform/{name}.yml").read_text())
    return found


@pytest.mark.parametrize("case", cases("nv_tegra_release"), ids=lambda case: str(case["release"]))
def test_release(case: dict[str, Any]) -> None:
    l4t = jetson.parse_tegra_release(case["text"])
    assert l4t is not None
    assert l4t["release"] == case["release"]
    assert l4t["date"] == case.get("date", l4t["date"]) != ""
    assert l4t["kernel_variant"] == case.get("kernel_variant", "")
    jetpack = jetson.jetpack_of(l4t["release"], {})
    assert jetpack == case.get("jetpack")
    facts = {"l4t": {**l4t, "jetpack": jetpack}, "board": {"name": case.get("board", "orin-nano")}}
    verdict = l4t_verdict(facts, PREFLIGHT["preflight_l4t_supported"], PREFLIGHT["preflight_l4t_refused"])
    assert (verdict["ok"], verdict["message"]) == (case["passes"], case["says"])


@pytest.mark.parametrize("case", cases("boards"), ids=lambda case: case.get("tnspec") or case["model"])
def test_board(case: dict[str, Any]) -> None:
    model, compatible = (
        jetson.parse_device_tree_strings(case.get(name, "").replace("\\0", "\0").encode())
        for name in ("model", "compatible")
    )
    tnspec = jetson.parse_tnspec(f"TNSPEC {case['tnspec']}\nTEGRA_CHIPID 0x23\n") if "tnspec" in case else None
    assert tnspec == case.get("tnspec")
    assert model == ([case["model"].removesuffix("\\0")] if "model" in case else [])
    module = jetson.module_of(tnspec, compatible)
    assert (module, jetson.family_of(module)) == (case["module"], case["name"])
    assert jetson.flashed_super(tnspec, compatible) is case["super"]
    assert jetson.engineering_sample(tnspec) == case.get("engineering_sample")


@pytest.mark.parametrize("case", cases("nvpmodel"), ids=lambda case: case["text"].splitlines()[0])
def test_nvpmodel(case: dict[str, Any]) -> None:
    mode = nvpmodel_conf.parse_current_mode(case["text"])
    assert (list(mode) if mode else None) == case.get("mode")
    assert nvpmodel_conf.asks_for_reboot(case["text"]) is case.get("asks_for_reboot", False)
    assert nvpmodel_conf.failure_of(case["text"]) == case.get("failure")


@pytest.mark.parametrize("case", cases("nvpmodel_conf"), ids=lambda case: case["text"].splitlines()[0])
def test_configuration(case: dict[str, Any]) -> None:
    models = nvpmodel_conf.parse_power_models(case["text"])
    assert (models.describe(), models.default_id) == (case["modes"], case["default"])
    assert all(len(model.settings) == 1 for model in models.models)


@pytest.mark.parametrize("case", cases("jetson_clocks"), ids=lambda case: case["text"].splitlines()[0])
def test_clocks(case: dict[str, Any]) -> None:
    clocks = nvpmodel_conf.parse_clocks(case["text"])
    found = {name: list(astuple(clock)) for name, clock in clocks.items()}
    assert found == {name: case[name] for name in ("gpu", "emc") if name in case}
    assert nvpmodel_conf.clocks_pinned(clocks) is case.get("pinned")


@pytest.mark.parametrize("case", cases("tegrastats"), ids=lambda case: case["what"])
def test_stats(case: dict[str, Any]) -> None:
    def load(given: list[int | None] | None) -> Load | None:
        return None if given is None else Load(given[0], tuple(mhz for mhz in given[1:] if mhz is not None))

    stats = tegrastats.parse(case["text"])
    assert stats is not None
    assert (stats.used_bytes, stats.largest_free_blocks) == (case["used"] * 2**20, case["blocks"])
    assert stats.largest_free_block_bytes == case["block_kib"] * 1024
    assert stats.swap_used_bytes == (None if case["swapped"] is None else case["swapped"] * 2**20)
    assert stats.cores == tuple(load(core) for core in case["cores"])
    assert (stats.gpu, stats.memory) == (load(case["gpu"]), load(case["memory"]))
    assert (stats.celsius, stats.milliwatts) == (case["celsius"], case["milliwatts"])


@pytest.mark.parametrize("line", ["", "tegrastats: command not found", "RAM", "RAM 1/2MB"])
def test_whatever_else_is_no_line_of_tegrastats(line: str) -> None:
    assert tegrastats.parse(line) is None
