"""The memory plan of the embedded profile against what the real processes took at their peak."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from maie.llm.base import PROMPT_SHARE
from maie.models.figures import figures
from maie.plan import make_plan, needs
from maie.plan.phases import PlannedModels, phases
from maie.plan.plan import Device
from maie.settings import PROFILES, Settings
from support.audiofiles import REAL_LLM, sample, write_wav
from support.stack import MIB, WITH_LLM, Figure, Stack

NOT_MEASURED = {"operating system", "Redis"}
AUDIO_SECONDS = 180
SENTENCE = "Anna said that the budget was approved and that we will meet again on the third of May. "
SENTENCES = 100
"""As much text as one prompt of the summary takes with the model's context of 4,096 tokens."""


def peak(pid: int) -> int:
    """Peak resident memory of a process so far, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def planned(stack: Stack) -> dict[str, int]:
    """Return what the plan says of the service's own processes, by stage, in bytes."""
    given = Settings(
        **{"profile": "embedded", **PROFILES["embedded"], "asr_model": stack.env["MAIE_ASR_MODEL"], **WITH_LLM}
    )
    assert given.llm_model is not None
    models = PlannedModels(figures(given.asr_model), figures(given.llm_model))
    phases = make_plan(models, given, Device(8 * 1024 * MIB)).chosen.phases
    return {name: sum(p.size for p in parts if p.name not in NOT_MEASURED) for name, parts in phases.items()}


def test_the_plan_is_within_15_percent_of_what_was_measured(
    own_stack: Callable[..., Stack], tmp_path: Path, figure: Figure
) -> None:
    stack = own_stack(**WITH_LLM)
    stack.start("api", "worker")
    api, worker = (stack.unit(name).process for name in ("api", "worker"))

    def measured() -> int:
        """Return the sum of the peaks since this was called last."""
        pids = (api.popen.pid, worker.popen.pid, *worker.children())
        total = sum(peak(pid) for pid in pids)
        for pid in pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # sets the peak to what is resident now
        return total

    found = {}
    speech = np.resize(sample(), AUDIO_SECONDS * 16_000)
    audio = write_wav(tmp_path / "speech.wav", speech).read_bytes()
    assert stack.wait_final(stack.accept(audio))["status"] == "COMPLETE"
    found["asr"] = measured()
    with stack.client() as client:
        text = {"text": SENTENCE * SENTENCES, "features": ["summary"], "template_id": "generic_summary_v1"}
        answer = client.post("/v1/process_text", json=text)
    assert answer.status_code == 202, answer.text
    stack.wait_final(answer.json()["task_id"])
    found["llm"] = measured()
    said = planned(stack)
    for stage, size in found.items():
        figure(f"{stage}: {size // MIB} MiB measured, {said[stage] // MIB} planned")
    for stage, size in found.items():
        assert said[stage] == pytest.approx(size, rel=0.15), stage


LOADED_AND_ASKED = """
import sys
from pathlib import Path
from maie import llm
from maie.llm.base import Chat
from maie.settings import PROFILES, Settings
model, text, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
import ctranslate2, jinja2, tokenizers
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
before = peak()
given = {**PROFILES["embedded"], "llm_backend": "ctranslate2", "llm_model": model, "asr_model": model}
loaded = llm.load(Settings(profile="embedded", **given))
words = text.split()
def chat(count):
    return ({"role": "user", "content": " ".join(words[:count])},)
loaded.reply(Chat(chat(len(words) * most // loaded.count_tokens(chat(len(words)))), 8), lambda _: None)
print(peak() - before)
"""


def test_the_language_model_takes_what_the_plan_says(figure: Figure) -> None:
    """Loaded, and with the longest prompt that the service gives it."""
    given = Settings(**{"profile": "embedded", **PROFILES["embedded"], "asr_model": REAL_LLM})
    shape = figures(REAL_LLM)
    prompt = int(needs.llm_context(shape, given) * PROMPT_SHARE)
    arguments = [str(REAL_LLM), SENTENCE * SENTENCES * 2, str(prompt)]
    done = subprocess.run([sys.executable, "-c", LOADED_AND_ASKED, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    phase = phases(PlannedModels(None, shape), given, "in_process")["llm"]
    own = sum(part.size for part in phase if part.name.startswith("LLM") or part.name == "engine process for the LLM")
    figure(f"{prompt} tokens: {int(done.stdout) // MIB} MiB measured, {own // MIB} planned")
    assert 0.96 <= own / int(done.stdout) <= 1.15
