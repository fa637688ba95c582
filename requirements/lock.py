"""Write requirements/<group>.lock: the exact versions of each dependency group of pyproject.toml.

Run it by ``make lock``, with the oldest supported Python. The group `dev` is resolved first and the others are
held to its versions, so that all groups agree. It needs pip >= 25.1 (for ``--group``).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("dev", "test", "demo", "bench", "docs")
ELSEWHERE = {"nvidia-cuda-nvrtc-cu12": "; sys_platform != 'darwin'"}
"""Markers of what is not to be had everywhere; as in pyproject.toml."""
HEADING = "# Written by `make lock`; change pyproject.toml instead."


def resolve(group: str, *options: str) -> list[str]:
    """``name==version`` of everything that the distribution and one of its groups need, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--report", str(report), "--group", group, ".", *options]
        subprocess.run(command, cwd=ROOT, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    pins = ((item["metadata"]["name"], item["metadata"]["version"]) for item in found)
    return sorted(
        (f"{name}=={version}{ELSEWHERE.get(name, '')}" for name, version in pins if name != "sparsejac"), key=str.lower
    )


def main() -> None:
    """Resolve and write every group."""
    dev = ROOT / "requirements" / "dev.lock"
    for group in GROUPS:
        pins = resolve(group) if group == "dev" else resolve(group, "--constraint", str(dev))
        lock = ROOT / "requirements" / f"{group}.lock"
        lock.write_text("\n".join([HEADING, *pins, ""]), encoding="utf-8")
        print(f"{lock.relative_to(ROOT)}: {len(pins)} packages")


if __name__ == "__main__":
    main()
