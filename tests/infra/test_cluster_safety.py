"""What holds for every file that starts a cluster: a token, no secret, no open door."""

import re
from pathlib import Path

import pytest
from infra_files import (
    DASHBOARD,
    INFRA,
    LAUNCHER,
    MANIFESTS,
    MODEL_FILES,
    NOTEBOOK,
    SCRIPTS,
    STARTERS,
    SUPPLY_CHAIN,
    name,
    pin,
)

SECRETS = {
    "an AWS key": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "a private key": r"-----BEGIN",
    "a long literal": r"\b[0-9a-fA-F]{32,}\b",
    "a value for a secret": (
        r"(?i)\b(aws_secret_access_key|ray_auth_token|password|secret_key)"
        r"[\"']?\s*[=:]\s*[\"']?[^\s\"'$<,]"
    ),
}

of_each_file = pytest.mark.parametrize("path", STARTERS, ids=name)


def code(path: Path) -> str:
    """The text without its comments."""
    return re.sub(r"(^|\s)#.*", "", path.read_text())


def test_every_file_of_infra_is_looked_at() -> None:
    files = {path for path in INFRA.rglob("*") if path.is_file()}
    files = {path for path in files if path.suffix != ".pyc"}  # Python's own
    assert files == {
        *STARTERS,
        *MODEL_FILES,
        DASHBOARD,
        SUPPLY_CHAIN,
        NOTEBOOK,
        INFRA / "constraints.txt",
        INFRA / "README.md",
    }


@pytest.mark.parametrize("path", [INFRA / "README.md", *STARTERS], ids=name)
def test_every_image_that_is_named_has_the_pinned_ray(path: Path) -> None:
    versions = set(re.findall(r"\bray:?(\d+\.\d+\.\d+)", path.read_text()))
    assert versions <= {pin("ray")}


@of_each_file
def test_every_cluster_has_a_token(path: Path) -> None:
    token = r"RAY_AUTH_MODE=token" if path not in MANIFESTS else r"mode: token"
    assert re.search(token, code(path))


@of_each_file
def test_no_file_switches_tokens_off(path: Path) -> None:
    assert not re.search(r"(RAY_AUTH_MODE=|mode:\s*)disabled", code(path))


@of_each_file
def test_no_file_holds_a_secret(path: Path) -> None:
    found = [
        what for what, form in SECRETS.items() if re.search(form, path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("path", [*SCRIPTS, LAUNCHER, *MANIFESTS], ids=name)
def test_nothing_listens_everywhere(path: Path) -> None:
    for everywhere in ("0.0.0.0", "::/0", "--ray-debugger-external", "LoadBalancer"):
        assert everywhere not in code(path)


@of_each_file
def test_each_file_says_what_to_change(path: Path) -> None:
    assert re.search(r"^# Change[:,]", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        "AWS_SECRET_ACCESS_KEY=abc",
        'AWS_SECRET_ACCESS_KEY: "abc"',
        "RAY_AUTH_TOKEN=abc",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "a" * 32,
    ],
)
def test_a_secret_would_be_found(line: str) -> None:
    assert any(re.search(form, line) for form in SECRETS.values())


@pytest.mark.parametrize("line", ['export RAY_AUTH_TOKEN_PATH="$folder/token"'])
def test_a_path_of_a_token_is_no_secret(line: str) -> None:
    assert not any(re.search(form, line) for form in SECRETS.values())
