"""Whatever a file holds, it becomes pixels or a known reason: no crash, no hang.

Deeper: ``IMAGE_FUZZ_SECONDS=600 python -m pytest tests/images/test_image_fuzz.py``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_fuzz import EDITS, Edit, check, mutate, seeds

SECONDS = float(os.environ.get("IMAGE_FUZZ_SECONDS", "4"))
CASES_PER_SECOND = 50
SIGNATURES = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"RIFF", b"\x1f\x8b",
    b"SIMPLE  =                    T".ljust(80),
)  # fmt: skip
SCRIPT = Path(__file__).parents[1] / "support/image_fuzz.py"

EDIT = st.builds(
    Edit,
    kind=st.sampled_from(EDITS),
    place=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 2**32 - 1),
)


@pytest.mark.parametrize("seed", range(len(seeds())))
def test_every_seed_of_the_fuzz_is_an_image_that_can_be_read_or_says_why(
    seed: int,
) -> None:
    assert check(seeds()[seed]) in ("decoded", "unreadable")


@settings(
    max_examples=int(CASES_PER_SECOND * SECONDS),
    deadline=None,  # check has its own
    suppress_health_check=list(HealthCheck),
)
@given(
    data=st.sampled_from(seeds()),
    edits=st.lists(EDIT, min_size=1, max_size=6),
    other=st.sampled_from(seeds()),
)
def test_a_mutated_image_becomes_pixels_or_a_reason(
    data: bytes, edits: list[Edit], other: bytes
) -> None:
    check(mutate(data, edits, other))


@settings(max_examples=int(CASES_PER_SECOND * SECONDS), deadline=None)
@given(
    start=st.sampled_from(SIGNATURES),
    rest=st.binary(max_size=500),
)
def test_a_lone_signature_is_no_image(start: bytes, rest: bytes) -> None:
    assert check(start + rest) != "decoded"


def test_a_process_of_bounded_memory_survives_thousands_of_mutated_images(
    tmp_path: Path,
) -> None:
    last_input = tmp_path / "last.bin"
    command = [sys.executable, str(SCRIPT), "--last-input", str(last_input)]

    fuzz = subprocess.run(
        [*command, "--seconds", str(SECONDS)],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
    )

    assert fuzz.returncode == 0, f"{fuzz.stderr}\n{last_input.read_bytes()[:2000]!r}"
    assert fuzz.stderr == ""
