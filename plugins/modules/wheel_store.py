"""Ansible module: look a wheel up in the wheelhouse, or publish one that is complete."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ansible.module_utils import sums, wheelhouse  # type: ignore[attr-defined]
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: wheel_store
short_description: Looks a wheel up in the wheelhouse, or publishes one
description:
  - An artefact is the folder C(<wheelhouse>/<name>/<fingerprint>) with the wheel, C(SHA256SUMS), C(manifest.json) and
    the build log. It appears by one rename, when it is complete.
  - Every file is verified at each look-up; an artefact that has changed is refused, never used or replaced.
options:
  wheelhouse: {description: The folder of all artefacts., type: path, required: true}
  name: {description: Name of the recipe., type: str, required: true}
  fingerprint:
    description: The artefact's fingerprint; C(newest) for the latest build that fits C(platform).
    type: str
    required: true
  platform:
    description: The host for C(newest) - C(architecture), C(python) such as C(310), C(cuda) or null.
    type: dict
    default: {}
  state:
    description: C(read) looks it up; C(incoming) makes the empty folder in which an artefact is assembled;
      C(published) adds manifest and checksums to that folder and publishes it.
    type: str
    choices: [read, incoming, published]
    default: read
  manifest: {description: The wheel's inputs; for C(published)., type: dict, default: {}}
  wheel_sha256: {description: The wheel's expected SHA-256; for C(published)., type: str, default: ""}
"""

EXAMPLES = r"""
- name: Look for the wheel
  wheel_store:
    wheelhouse: .cache/wheelhouse
    name: ctranslate2
    fingerprint: 0a1b...
  delegate_to: localhost
"""

RETURN = r"""
found: {description: Whether the artefact exists and is complete., returned: always, type: bool}
fingerprint: {description: Its fingerprint; empty where C(newest) found none., returned: always, type: str}
folder: {description: Its folder., returned: always, type: str}
incoming: {description: The folder in which it is assembled., returned: always, type: str}
wheel: {description: C(path), C(name) and C(sha256) of the wheel., returned: when found, type: dict}
artefact:
  description: What a release records of it - C(name), C(fingerprint), C(wheel) (its file's name), C(sha256).
  returned: when found
  type: dict
install:
  description: What its installation needs - C(packages), C(imports), C(arguments) of its probe.
  returned: when found
  type: dict
"""


def publish(module: AnsibleModule, incoming: Path, target: Path) -> None:
    """Complete and publish the incoming artefact; fail if it must not be published."""
    wheels = list(incoming.glob("*.whl"))
    if len(wheels) != 1:
        module.fail_json(msg=f"{incoming} has {len(wheels)} wheels instead of one: nothing was published.")
    arrived = sums.sha256(wheels[0])
    if arrived != module.params["wheel_sha256"]:
        module.fail_json(
            msg=f"{wheels[0].name} arrived with SHA-256 {arrived}, the builder made {module.params['wheel_sha256']}: "
            "it was damaged in transit. Nothing was published; run again."
        )
    text = json.dumps(module.params["manifest"], indent=2, sort_keys=True, ensure_ascii=False)
    (incoming / wheelhouse.MANIFEST).write_text(text + "\n", encoding="utf-8")
    wheelhouse.publish(incoming, target)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "wheelhouse": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "fingerprint": {"type": "str", "required": True},
            "platform": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["read", "incoming", "published"], "default": "read"},
            "manifest": {"type": "dict", "default": {}},
            "wheel_sha256": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    root, name, key = Path(module.params["wheelhouse"]), module.params["name"], module.params["fingerprint"]
    if key == "newest":
        key = wheelhouse.newest(root / name, module.params["platform"])
    target, incoming = root / name / key, root / wheelhouse.INCOMING / f"{name}-{key}"
    result = {"changed": False, "fingerprint": key, "folder": str(target), "incoming": str(incoming)}
    if module.params["state"] != "read" and not module.check_mode and not target.exists():
        result["changed"] = True
        if module.params["state"] == "incoming":
            shutil.rmtree(incoming, ignore_errors=True)
            incoming.mkdir(parents=True)
        else:
            publish(module, incoming, target)
    if not key or not target.exists():
        module.exit_json(**result, found=False)
    try:
        wheel = wheelhouse.inspect(target)
    except wheelhouse.NotWhole as error:
        module.fail_json(
            msg=f"The artefact {name} {key[:12]} in the wheelhouse is damaged: {error}. Nothing was installed. Remove "
            f"{target} and build again, or restore it from a backup."
        )
    manifest = json.loads((target / wheelhouse.MANIFEST).read_text(encoding="utf-8"))
    artefact = {"name": name, "fingerprint": key, "wheel": wheel["name"], "sha256": wheel["sha256"]}
    module.exit_json(**result, found=True, wheel=wheel, artefact=artefact, install=manifest["install"])


if __name__ == "__main__":
    main()
