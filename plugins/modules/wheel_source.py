"""Ansible module: fetch the exact source of a wheel into a folder."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import NoReturn

from ansible.module_utils import (
    downloads,  # type: ignore[attr-defined]
    sums,  # type: ignore[attr-defined]
)
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: wheel_source
short_description: Fetches the exact source of a wheel into a folder
description:
  - Fetches a git commit with its submodules, or an archive by its SHA-256, then applies patches. All else is refused.
  - A complete folder is left as it is, so that a build can resume in it.
  - Downloads are kept as one file in C(downloads), by commit or SHA-256, and from then on taken from there, verified,
    without the network.
options:
  dest: {description: The folder of the source., type: path, required: true}
  git: {description: URL of a repository., type: str}
  commit: {description: The commit, 40 hexadecimal digits., type: str}
  tag: {description: A tag that must name this commit., type: str}
  archive: {description: 'URL of a tar or zip archive, or of a wheel, which is not unpacked.', type: str}
  index: {description: 'A release in the package index that pip uses, such as C(name==1.0).', type: str}
  finder: {description: 'The program unearth, which finds C(index).', type: path}
  binary: {description: 'Take the wheel of C(index) instead of the source.', type: bool, default: false}
  sha256: {description: 'SHA-256 of C(archive) or C(index).', type: str}
  downloads: {description: Folder that keeps the downloads., type: path, required: true}
  patches: {description: Patch files on the host., type: list, elements: path, default: []}
"""

EXAMPLES = r"""
- name: Fetch the source
  wheel_source:
    dest: /var/cache/build/source
    git: https://example.org/project.git
    commit: 226c95d94e660c48b11c62e108886b7ef76d589d
    downloads: /var/cache/downloads
"""

RETURN = r"""
kept: {description: The file in C(downloads)., returned: always, type: str}
"""

COMMIT = re.compile(r"[0-9a-f]{40}")


def fail(module: AnsibleModule, sentence: str) -> NoReturn:
    """Fail with the sentence, and leave nothing that could be mistaken for a source."""
    shutil.rmtree(module.params["dest"], ignore_errors=True)
    module.fail_json(msg=sentence)
    raise AssertionError


def git(module: AnsibleModule, *arguments: str) -> tuple[int, str, str]:
    """Run git in the source's folder and return status, output and error output."""
    command = ["git", "-C", module.params["dest"], "-c", "advice.detachedHead=false", *arguments]
    status, printed, said = module.run_command(command, environ_update={"GIT_TERMINAL_PROMPT": "0"})
    return status, printed.strip(), said.strip()


def check_out(module: AnsibleModule, kept: Path) -> Path:
    """Check out the commit with its submodules; return the file that keeps it."""
    dest, copy = Path(module.params["dest"]), kept / "checkout.tar"
    dest.mkdir(parents=True)
    if copy.is_file():
        shutil.unpack_archive(copy, dest)
        verify(module)
        return copy
    fetch(module)
    part = shutil.make_archive(str(kept / "part"), "tar", dest)
    Path(part).rename(copy)
    return copy


def verify(module: AnsibleModule) -> None:
    """Refuse a kept checkout that differs from the commit in any file."""
    commit = module.params["commit"]
    checks = (("fsck", "--no-dangling"), ("rev-parse", "HEAD"), ("status", "--porcelain"), ("submodule", "status"))
    done = [git(module, *check) for check in checks]
    # git marks a submodule at another commit, or none, at the start of its line.
    sound = done[1][1] == commit and not done[2][1] and not re.search(r"^[-+U]", done[3][1], re.MULTILINE)
    if any(status != 0 for status, _, _ in done) or not sound:
        fail(
            module,
            f"The copy kept as {commit} of {module.params['git']} is not that commit. Remove it. Nothing is built.",
        )


def fetch(module: AnsibleModule) -> None:
    """Fetch the commit and its submodules into the folder."""
    url, commit, tag = (module.params[name] for name in ("git", "commit", "tag"))
    git(module, "init", "--quiet")
    git(module, "remote", "add", "origin", url)
    if tag:
        status, printed, said = git(module, "ls-remote", "origin", f"refs/tags/{tag}", f"refs/tags/{tag}^{{}}")
        if status != 0:
            fail(module, f"{url} can't be reached: {said}")
        # The line of an annotated tag's commit comes after the tag's own.
        named = printed.splitlines()[-1].split()[0] if printed else "no commit"
        if named != commit:
            fail(module, f"The tag {tag} of {url} names {named} instead of {commit}: it was moved. Nothing is built.")
    status, _, said = git(module, "fetch", "--quiet", "--depth", "1", "origin", commit)
    if status != 0:
        # A server may refuse a commit that no branch or tag names.
        status, _, said = git(module, "fetch", "--quiet", "--tags", "origin")
    if status != 0:
        fail(module, f"{url} can't be fetched: {said}")
    status, _, said = git(module, "checkout", "--quiet", "--detach", commit)
    if status != 0:
        fail(module, f"{url} has no commit {commit}: {said}")
    status, _, said = git(module, "submodule", "update", "--quiet", "--init", "--recursive", "--depth", "1")
    if status != 0:
        fail(module, f"A submodule of {url} can't be fetched: {said}")


def unpack(module: AnsibleModule, kept: Path) -> Path:
    """Fetch the archive, unless it is kept, and unpack it; return the file that keeps it."""
    dest, sha256 = Path(module.params["dest"]), module.params["sha256"]
    path = next((path for path in kept.iterdir() if path.is_file()), None)
    if path is None or sums.sha256(path) != sha256:
        url = (module.params["archive"] or find(module)).partition("#")[0]
        path = kept / url.rpartition("/")[2]
        try:
            downloads.fetch(url, path, sha256)
        except downloads.Refused as refusal:
            fail(module, f"{refusal} Nothing is built.")
    dest.mkdir(parents=True)
    if path.suffix == ".whl":
        shutil.copy2(path, dest)
    else:
        # Zip and all kinds of tar; its SHA-256 vouches for the content.
        shutil.unpack_archive(path, dest)
    inside = list(dest.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        # Release archives have one top folder.
        aside = inside[0].rename(dest.with_name(f"{dest.name}.top"))
        dest.rmdir()
        aside.rename(dest)
    return path


def find(module: AnsibleModule) -> str:
    """Return the URL of a release in the index that pip uses."""
    command = [module.params["finder"], "--link-only"]
    command += ["--only-binary" if module.params["binary"] else "--no-binary"]
    _, index, _ = module.run_command([str(Path(command[0]).with_name("pip")), "config", "get", "global.index-url"])
    if index.strip():
        command += ["--index-url", index.strip()]
    status, printed, said = module.run_command([*command, module.params["index"]])
    url = re.search(r"https?://\S+?(?=[\"',\s]|$)", printed)
    if status != 0 or url is None:
        fail(module, f"The package index has no {module.params['index']}: {(said or printed).strip()[-500:]}")
    return url[0]


def apply(module: AnsibleModule) -> None:
    """Apply the patches in order."""
    for patch in module.params["patches"]:
        command = ["patch", "--batch", "--strip=1", f"--input={patch}"]
        status, printed, said = module.run_command(command, cwd=module.params["dest"])
        if status != 0:
            fail(module, f"The patch {Path(patch).name} does not apply: {(printed + said).strip()[-500:]}")


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "git": {"type": "str"},
            "commit": {"type": "str"},
            "tag": {"type": "str"},
            "archive": {"type": "str"},
            "index": {"type": "str"},
            "finder": {"type": "path"},
            "binary": {"type": "bool", "default": False},
            "sha256": {"type": "str"},
            "downloads": {"type": "path", "required": True},
            "patches": {"type": "list", "elements": "path", "default": []},
        },
        required_one_of=[("git", "archive", "index")],
        mutually_exclusive=[("git", "archive", "index")],
        required_by={"git": ("commit",), "archive": ("sha256",), "index": ("sha256", "finder")},
        supports_check_mode=True,
    )
    dest = Path(module.params["dest"])
    if module.params["commit"] and not COMMIT.fullmatch(module.params["commit"]):
        module.fail_json(msg=f"{module.params['commit']} is not a full commit of 40 hexadecimal digits.")
    # Written last: without it, or for another wish, the folder is worthless.
    stamp = dest.with_name(f"{dest.name}.complete")
    wish = {name: module.params[name] for name in ("git", "commit", "archive", "index", "sha256")}
    wish["patches"] = [sums.sha256(Path(patch)) for patch in module.params["patches"]]
    there = json.loads(stamp.read_text()) if stamp.is_file() and dest.is_dir() else {"wish": None}
    if there["wish"] == wish:
        module.exit_json(changed=False, kept=there["kept"])
    if module.check_mode:
        module.exit_json(changed=True)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(dest, ignore_errors=True)
    folder = Path(module.params["downloads"]) / (module.params["commit"] or module.params["sha256"])
    folder.mkdir(parents=True, exist_ok=True)
    kept = str((check_out if module.params["git"] else unpack)(module, folder))
    apply(module)
    stamp.write_text(json.dumps({"wish": wish, "kept": kept}))
    module.exit_json(changed=True, kept=kept)


if __name__ == "__main__":
    main()
