"""What the package is made of: a script that everybody can run, and a workflow does."""

import os
import subprocess
import sys
from pathlib import Path

import yaml
from infra_files import INFRA, ROOT

SCRIPT = INFRA / "supply_chain.sh"


def test_the_script_is_sound_shell() -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    subprocess.run([shellcheck, SCRIPT], check=True)
    assert os.access(SCRIPT, os.X_OK)


def test_the_workflow_runs_what_everybody_runs() -> None:
    path = ROOT / ".github" / "workflows" / "supply_chain.yml"
    (job,) = yaml.safe_load(path.read_text())["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    (kept,) = (step["with"] for step in job["steps"] if "path" in step.get("with", {}))

    assert commands == [str(SCRIPT.relative_to(ROOT))]
    assert f"bill=${{1:-{kept['path']}}}" in SCRIPT.read_text()
    assert f"`{commands[0]}`" in (INFRA / "README.md").read_text()
