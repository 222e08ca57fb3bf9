"""Ansible module: send real audio through a host's API and judge the result."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.bounds import bound, language_problem, notes_are_due  # type: ignore[import-not-found]
from ansible.module_utils.meeting_facts import in_notes, lost, wanted  # type: ignore[import-not-found]
from ansible.module_utils.smoke_rules import (  # type: ignore[import-not-found]
    facts_problem,
    in_order,
    is_other_language,
    length_problem,
    says_something,
    segments_problem,
    wrote_nothing,
)
from ansible.module_utils.speech_api import NoAnswer, SpeechApi  # type: ignore[import-not-found]
from ansible.module_utils.words import differences, normalise, word_error_rate  # type: ignore[import-not-found]

DOCUMENTATION = r"""
module: maie_smoke
short_description: Tests that a host transcribes and takes notes
description:
  - Uploads one audio file through the host's API, follows the task to its end and compares the transcript, and with a
    O(template) the clean transcript, with the reference. Notes must only fit their schema and not be empty; how many
    of the reference's facts they have is reported. Runs on the control node.
  - The bound for wrong words comes from the O(catalogue) entry of the model that the host reports. For a model without
    one, a bound only separates a working model from a broken one, with a warning.
  - Never fails because of the host. C(ok) and C(checks) have the outcome, so that the result can be stored first.
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
      - JSON file with the C(language) of the speech, ISO 639-1, and every word under C(verbatim).
      - For a O(template) also C(clean), without fillers and what was taken back, and C(notes_without_speakers) in the
        form of the template C(meeting_notes_v1), whose facts the clean transcript must keep.
    type: path
    required: true
  release:
    description: The release that must answer.
    type: str
    required: true
  catalogue:
    description: The catalogue of models.
    type: dict
    default: {}
  max_wer:
    description: Largest word error rate that passes, instead of the catalogue's.
    type: float
  max_rtf:
    description: Largest real-time factor (processing seconds over audio seconds) that passes.
    type: float
    default: 1.0
  template:
    description: Template of the notes; empty where the host has no language model.
    type: str
    default: ""
  seconds:
    description: Time limit for everything.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Check that the host transcribes
  maie_smoke:
    url: https://10.0.0.7:8000
    key: "{{ my_key }}"
    audio: files/audio/natural-meeting.wav
    reference: files/audio/natural-meeting.json
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


class Smoke:
    """One run against one host; collects the checks and the report."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self.deadline = time.monotonic() + params["seconds"]
        self.api = SpeechApi(params["url"], params["key"], params["ca_file"])
        self.checks: list[dict[str, Any]] = []
        self.reference: dict[str, Any] = json.loads(Path(params["reference"]).read_text(encoding="utf-8"))
        self.spoken: str = self.reference["language"]
        self.bound = bound({}, "", self.spoken)  # until the host has reported its model
        self.report: dict[str, Any] = {
            "url": params["url"],
            "release": "",
            "profile": "",
            "states": [],
            "transcript": "",
            "reference": self.reference["verbatim"],
            "models": {},
            "language": None,
            "wer": None,
            "most_wer": None,
            "differences": [],
            "clean_transcript": None,
            "clean_wer": None,
            "facts": None,
            "notes": None,
            "notes_facts": None,
            "warnings": [],
            "rtf": None,
            "audio_seconds": None,
            "processing_seconds": None,
        }

    def check(self, name: str, ok: bool, detail: str) -> bool:
        """Record one check and return whether it passed."""
        self.checks.append({"name": name, "ok": ok, "detail": detail})
        return ok

    def run(self) -> None:
        """Run all checks; those that depend on a failed one are skipped."""
        if self.ready() and self.keyless() and self.understands():
            fields = {"features": "raw_transcript"}
            if self.params["template"]:
                fields["features"] += ",clean_transcript,summary"
                fields["template_id"] = self.params["template"]
            answer = self.api.submit(Path(self.params["audio"]), fields, self.deadline)
            task_id = str(answer.content.get("task_id", ""))
            if self.check("accepted", answer.status == 202 and bool(task_id), answer.problem()):
                self.task(task_id)

    def ready(self) -> bool:
        """The API is ready and runs the deployed release."""
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

    def understands(self) -> bool:
        """The speech model supports the sample's language, and its bound is known."""
        named = self.api.call("GET", "/v1/models").content.get("models", [])
        self.report["models"] = {str(model["kind"]): str(model["id"]) for model in named}
        model, catalogue = self.report["models"].get("asr", ""), self.params["catalogue"]
        self.bound = bound(catalogue, model, self.spoken, self.params["max_wer"])
        problem = language_problem(catalogue, model, self.spoken)
        if self.bound.warning and not problem:
            self.report["warnings"].append(self.bound.warning)
        return self.check("language of the sample", problem is None, problem or f"{self.spoken}, for {model}")

    def task(self, task_id: str) -> None:
        """The task completes, with the right words, in time."""
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
        results = task.get("results") or {}
        self.words(text, results.get("language"))
        rtf = self.report["rtf"]
        fast = isinstance(rtf, (int, float)) and 0 < rtf <= self.params["max_rtf"]
        self.check("speed", fast, f"RTF {rtf}, at most {self.params['max_rtf']}")
        export = self.api.call("GET", f"/v1/tasks/{task_id}/transcript.json").content
        problem = segments_problem(export.get("segments", []), float(self.report["audio_seconds"] or 0))
        self.check("segments", problem is None, problem or f"{len(export['segments'])} in order")
        if self.params["template"]:
            self.language_model(results, task.get("warnings") or [])
        self.api.call("DELETE", f"/v1/tasks/{task_id}")

    def words(self, text: str, heard: str | None) -> None:
        """The transcript has the words that were said, in their language."""
        # Some models write down fillers and repetitions, some don't, and neither is wrong.
        texts = [self.reference["verbatim"], self.reference.get("clean") or self.reference["verbatim"]]
        said = min(texts, key=lambda said: word_error_rate(said, text, self.spoken))
        wer = word_error_rate(said, text, self.spoken)
        most = self.bound.of(len(normalise(said, self.spoken).split()))
        self.report |= {"language": heard, "reference": said, "wer": round(wer, 4), "most_wer": round(most, 4)}
        self.report["differences"] = differences(said, text, self.spoken)
        self.check("words", wer <= most, f"WER {wer:.1%}, at most {most:.1%} ({self.bound.origin})")
        other = is_other_language(heard, self.spoken)
        self.check("language", not other, f"spoken in {self.spoken}, heard as {heard or 'an unnamed language'}")

    def language_model(self, results: dict[str, Any], warnings: list[str]) -> None:
        """The clean transcript keeps the recognised facts; the notes fit their schema and are not empty."""
        import jsonschema

        clean, notes = results.get("clean_transcript"), results.get("summary")
        self.report |= {"clean_transcript": clean, "notes": notes}
        missing = "; ".join(warnings) or "there is none"
        if self.check("clean transcript", isinstance(clean, str), "there is one" if clean else missing):
            self.clean(clean)
        schema = self.api.call("GET", f"/v1/templates/{self.params['template']}/schema").content
        valid = bool(schema) and notes is not None and jsonschema.Draft202012Validator(schema).is_valid(notes)
        said = "they fit the schema" if valid else f"no notes that fit the schema: {missing}"
        model = self.report["models"].get("llm", "")
        if notes is None and not notes_are_due(self.params["catalogue"], model):
            self.report["warnings"].append(f"There are no notes, and {model} need not write any: {missing}")
            catalogue = self.params["catalogue"]
            foreign = language_problem(catalogue, model, self.spoken) is not None
            works = foreign or not wrote_nothing(self.reference, self.report["transcript"], clean or "")
            self.check("notes", works, "not required" if works else f"{model} wrote nothing at all: {missing}")
        elif self.check("notes", valid, said):
            text = says_something(notes)
            self.check("notes say something", text, "there is text in them" if text else "the notes have no text")
            right = self.reference.get("notes_without_speakers")
            if right and isinstance(notes, dict):
                self.report["notes_facts"] = in_notes(right, notes, self.spoken)

    def clean(self, clean: str) -> None:
        """A clean transcript keeps the facts and is about as long as its transcript."""
        transcript = self.report["transcript"]
        if self.reference.get("clean"):
            self.report["clean_wer"] = round(word_error_rate(self.reference["clean"], clean, self.spoken), 4)
        facts = wanted(self.reference, transcript)
        gone = lost(facts, clean, self.spoken)
        self.report["facts"] = {"heard": len(facts), "lost": gone}
        problem = facts_problem(len(facts), gone)
        self.check("facts", problem is None, problem or f"{len(facts) - len(gone)} of {len(facts)} kept")
        problem = length_problem(transcript, clean, self.spoken)
        self.check("clean length", problem is None, problem or "about that of the transcript")


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
            "catalogue": {"type": "dict", "default": {}},
            "max_wer": {"type": "float"},
            "max_rtf": {"type": "float", "default": 1.0},
            "template": {"type": "str", "default": ""},
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
    for warning in smoke.report["warnings"]:
        module.warn(warning)
    module.exit_json(changed=False, ok=ok, checks=smoke.checks, report={**smoke.report, "seconds": seconds})


if __name__ == "__main__":
    main()
