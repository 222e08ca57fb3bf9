"""Ansible module: send real audio through a host's API and judge what comes back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.notes import action_items_f1  # type: ignore[import-not-found]
from ansible.module_utils.speech_api import NoAnswer, SpeechApi  # type: ignore[import-not-found]
from ansible.module_utils.words import differences, word_error_rate  # type: ignore[import-not-found]

DOCUMENTATION = r"""
module: maie_smoke
short_description: Proves that a host transcribes, and takes notes
description:
  - Uploads one audio file through the host's API, follows the task to its end and compares the transcript, and with a
    O(template) the clean transcript and the meeting's notes, with the reference. Runs on the control node.
  - Never fails because of the host. C(ok) and C(checks) say how it is, so that the result can be kept first.
options:
  url:
    description: Scheme, host and port of the API.
    type: str
    required: true
  key:
    description: API key.
    type: str
    required: true
  ca_file:
    description: Certificates to trust.
    type: path
    default: ""
  audio:
    description: The audio file.
    type: path
    required: true
  reference:
    description:
      - JSON file with what is said in it under C(verbatim).
      - For a O(template) also C(clean), and C(notes_without_speakers) where the notes' action items shall be judged.
    type: path
    required: true
  release:
    description: The release that must answer.
    type: str
    required: true
  max_wer:
    description: Largest word error rate that passes.
    type: float
    default: 0.05
  max_rtf:
    description: Largest real-time factor (processing seconds over audio seconds) that passes.
    type: float
    default: 1.0
  template:
    description: Template of the notes; empty where the host has no language model.
    type: str
    default: ""
  max_clean_wer:
    description: Largest word error rate of the clean transcript that passes.
    type: float
    default: 0.05
  min_action_items_f1:
    description: Least F1 of the notes' action items that passes.
    type: float
    default: 0.85
  seconds:
    description: Time for all of it.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Prove that the host transcribes
  maie_smoke:
    url: https://10.0.0.7:8000
    key: "{{ my_key }}"
    audio: files/audio/meeting-sample.wav
    reference: files/audio/meeting-sample.json
    release: 0123456789ab
  delegate_to: localhost
"""

RETURN = r"""
ok:
  description: Whether every check passed.
  returned: always
  type: bool
checks:
  description: For each check C(name), C(ok) and C(detail).
  returned: always
  type: list
"""

ORDER = ["PENDING", "PREPROCESSING", "PROCESSING_ASR", "PROCESSING_LLM", "COMPLETE"]


def in_order(states: list[str]) -> bool:
    """Whether a task went forward only and ended well."""
    known = [ORDER.index(state) for state in states if state in ORDER]
    return len(known) == len(states) and known == sorted(known) and states[-1:] == ["COMPLETE"]


def segments_problem(segments: list[dict[str, Any]], audio_seconds: float) -> str | None:
    """Return what is wrong with the segments' times, or None."""
    if not segments:
        return "there are none"
    ends = 0.0
    for segment in segments:
        if not ends - 0.05 <= segment["start"] <= segment["end"] <= audio_seconds + 1.0:
            return f"{segment['start']}–{segment['end']} s after {ends} s, in {audio_seconds} s of audio"
        ends = segment["start"]
    return None


class Smoke:
    """One run against one host; collects the checks and what the report needs."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self.deadline = time.monotonic() + params["seconds"]
        self.api = SpeechApi(params["url"], params["key"], params["ca_file"])
        self.checks: list[dict[str, Any]] = []
        self.reference: dict[str, Any] = json.loads(Path(params["reference"]).read_text(encoding="utf-8"))
        self.report: dict[str, Any] = {
            "url": params["url"],
            "release": "",
            "profile": "",
            "states": [],
            "transcript": "",
            "reference": self.reference["verbatim"],
            "wer": None,
            "differences": [],
            "clean_transcript": None,
            "clean_wer": None,
            "notes": None,
            "action_items_f1": None,
            "rtf": None,
            "audio_seconds": None,
            "processing_seconds": None,
        }

    def check(self, name: str, ok: bool, detail: str) -> bool:
        """Note one check and return whether it passed."""
        self.checks.append({"name": name, "ok": ok, "detail": detail})
        return ok

    def run(self) -> None:
        """Do all checks; those that depend on a failed one are left out."""
        if self.ready() and self.keyless():
            fields = {"features": "raw_transcript"}
            if self.params["template"]:
                fields["features"] += ",clean_transcript,summary"
                fields["template_id"] = self.params["template"]
            answer = self.api.submit(Path(self.params["audio"]), fields, self.deadline)
            task_id = str(answer.content.get("task_id", ""))
            if self.check("accepted", answer.status == 202 and bool(task_id), answer.problem()):
                self.task(task_id)

    def ready(self) -> bool:
        """The API is ready and is the release that was deployed."""
        answer = self.api.call("GET", "/ready", with_key=False)
        content = answer.content
        self.report |= {key: str(content.get(key, "")) for key in ("release", "profile")}
        parts = content.get("parts", {})
        is_ready = answer.status == 200 and content.get("ready") is True
        if self.params["template"]:
            is_ready = is_ready and parts.get("llm") == "up"
        self.check("ready", is_ready, f"HTTP {answer.status}, parts {json.dumps(parts)}")
        is_release = self.report["release"] == self.params["release"]
        self.check("release", is_release, f"{self.report['release']} answers, {self.params['release']} is deployed")
        return is_ready and is_release

    def keyless(self) -> bool:
        """A request without a key is refused."""
        answer = self.api.call("GET", "/v1/tasks", with_key=False)
        return self.check("refuses without key", answer.status == 401, answer.problem())

    def task(self, task_id: str) -> None:
        """The task ends well, with the right words, in time."""
        states, task = self.api.follow(task_id, self.deadline)
        self.report["states"] = states
        error = json.dumps(task["error"]) if task.get("error") else ""
        if not self.check("states", in_order(states), " → ".join(states) + (f", {error}" if error else "")):
            return
        metrics = task.get("metrics") or {}
        self.report |= {
            "rtf": metrics.get("rtf"),
            "audio_seconds": metrics.get("input_duration_seconds"),
            "processing_seconds": metrics.get("processing_time_seconds"),
        }
        text = self.api.call("GET", f"/v1/tasks/{task_id}/transcript.txt").text.strip()
        self.report["transcript"] = " ".join(text.split())
        wer = word_error_rate(self.report["reference"], text)
        self.report |= {"wer": round(wer, 4), "differences": differences(self.report["reference"], text)}
        self.check("words", wer <= self.params["max_wer"], f"WER {wer:.1%}, at most {self.params['max_wer']:.1%}")
        rtf = self.report["rtf"]
        fast = isinstance(rtf, (int, float)) and 0 < rtf <= self.params["max_rtf"]
        self.check("speed", fast, f"RTF {rtf}, at most {self.params['max_rtf']}")
        export = self.api.call("GET", f"/v1/tasks/{task_id}/transcript.json").content
        problem = segments_problem(export.get("segments", []), float(self.report["audio_seconds"] or 0))
        self.check("segments", problem is None, problem or f"{len(export['segments'])} in order")
        if self.params["template"]:
            self.language(task.get("results") or {}, task.get("warnings") or [])
        self.api.call("DELETE", f"/v1/tasks/{task_id}")

    def language(self, results: dict[str, Any], warnings: list[str]) -> None:
        """The clean transcript has the right words, the notes fit their schema and name the action items."""
        import jsonschema

        clean, notes = results.get("clean_transcript"), results.get("summary")
        self.report |= {"clean_transcript": clean, "notes": notes}
        missing = "; ".join(warnings) or "there is none"
        if self.check("clean transcript", isinstance(clean, str), "there is one" if clean else missing):
            wer, most = word_error_rate(self.reference["clean"], clean), self.params["max_clean_wer"]
            self.report["clean_wer"] = round(wer, 4)
            self.check("clean words", wer <= most, f"WER of the clean transcript {wer:.1%}, at most {most:.1%}")
        schema = self.api.call("GET", f"/v1/templates/{self.params['template']}/schema").content
        valid = bool(schema) and notes is not None and jsonschema.Draft202012Validator(schema).is_valid(notes)
        said = "they fit the schema" if valid else f"no notes that fit the schema: {missing}"
        right = self.reference.get("notes_without_speakers")
        if self.check("notes", valid, said) and right:
            f1 = action_items_f1(right["action_items"], notes["action_items"])
            least = self.params["min_action_items_f1"]
            self.report["action_items_f1"] = round(f1, 4)
            self.check("action items", f1 >= least, f"F1 of the action items {f1:.2f}, at least {least:.2f}")


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": True},
            "ca_file": {"type": "path", "default": ""},
            "audio": {"type": "path", "required": True},
            "reference": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "max_wer": {"type": "float", "default": 0.05},
            "max_rtf": {"type": "float", "default": 1.0},
            "template": {"type": "str", "default": ""},
            "max_clean_wer": {"type": "float", "default": 0.05},
            "min_action_items_f1": {"type": "float", "default": 0.85},
            "seconds": {"type": "int", "default": 300},
        }
    )
    started = time.time()
    smoke = Smoke(module.params)
    try:
        smoke.run()
    except NoAnswer as error:
        smoke.check("reachable", False, str(error))
    seconds = round(time.time() - started, 3)
    ok = all(check["ok"] for check in smoke.checks)
    module.exit_json(changed=False, ok=ok, checks=smoke.checks, report={**smoke.report, "seconds": seconds})


if __name__ == "__main__":
    main()
