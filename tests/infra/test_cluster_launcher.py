"""The file for Ray's cluster launcher on AWS."""

from pathlib import Path
from typing import Any

import ray.autoscaler
import yaml
from infra_files import LAUNCHER
from ray.autoscaler._private.util import validate_config

CONFIG: dict[str, Any] = yaml.safe_load(LAUNCHER.read_text())
DEFAULTS = Path(ray.autoscaler.__file__).parent / "aws" / "defaults.yaml"
START = "head_start_ray_commands", "worker_start_ray_commands"


def start_commands() -> list[str]:
    return [
        command for key in START for command in CONFIG[key] if "ray start" in command
    ]


def test_the_launcher_takes_it() -> None:
    defaults = yaml.safe_load(DEFAULTS.read_text())
    validate_config({**defaults, **CONFIG})  # as `ray up` does


def test_every_ray_is_started_with_a_token() -> None:
    assert len(start_commands()) == 2
    assert all("RAY_AUTH_MODE=token ray start" in line for line in start_commands())
    assert "/home/ubuntu/.ray/auth_token" in CONFIG["file_mounts"]


def test_the_dashboard_listens_on_loopback_only() -> None:
    head, _ = start_commands()
    assert "--dashboard-host=127.0.0.1" in head


def test_nodes_stand_in_the_users_own_network_behind_its_own_doors() -> None:
    for node_type in CONFIG["available_node_types"].values():
        # Ray's own names: an instance's `SubnetId` it would pass by.
        assert node_type["node_config"]["SecurityGroupIds"]
        assert node_type["node_config"]["SubnetIds"]
    assert "security_group" not in CONFIG["provider"]


def test_everything_is_installed_in_the_pinned_versions() -> None:
    commands = [
        *CONFIG["setup_commands"],
        *CONFIG["head_setup_commands"],
        *CONFIG["available_node_types"]["gpu"]["worker_setup_commands"],
    ]
    installing = [command for command in commands if "pip install" in command]
    assert len(installing) == 5
    for command in installing:
        assert "-c ~/galaxy-batch/infra/constraints.txt" in command


def test_a_gpu_worker_is_set_up_like_the_others_but_for_the_extra() -> None:
    python, package, shell = CONFIG["setup_commands"]
    gpu = CONFIG["available_node_types"]["gpu"]["worker_setup_commands"]
    assert gpu == [
        python,
        package.replace("~/galaxy-batch", "'~/galaxy-batch[gpu]'").replace(
            "'~/galaxy-batch[gpu]'/infra", "~/galaxy-batch/infra"
        ),
        shell,
    ]
