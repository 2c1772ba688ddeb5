"""What jobs write into their logs: every line that is theirs, and no other."""

import json
import re
from typing import Any

from galaxy_models.cli.command_line import RESUMES

STOPPED = f"stopped by SIGTERM; {RESUMES}"
LOGGED = (
    r"Ray (on this machine|at \S+): \d+ CPUs, \d+ GPUs on \d+ host\(s\)",
    r"others hold \d+ of these \d+ [CG]PUs: .*",
    r"Ray: A worker died or was killed while executing a task by an unexpected .*",
    r".+ holds an unfinished (training|scoring): it is resumed",
    # training
    r"training: \d+ galaxies .*; validation: \d+ galaxies .*",
    r"left out galaxy \d+: .*",
    r"training resumes after epoch \d+",
    r"\d+ of \d+ galaxies decoded \(\d+ %\), \d+(\.\d)? images/s, \d+ failed, .*",
    r"epoch \d+/\d+: (\d+ of \d+ galaxies \(\d+ %\), )?loss .* s left",
    r"quantising the network for CPUs",
    r"model_(int8|float)\.tflite: agrees with the network on .*",
    r"temperature .*: negative log likelihood .*",
    r"model folder .*: validation accuracy .*",
    # scoring
    r"int8 agrees with the trained model on .*",
    r"scoring \d+ of \d+ galaxies: .*",
    r"starting: no row yet",
    r"\d+ of \d+ rows \(\d+ %\), \d+(\.\d)? images/s, \d+ failed, .*",
    r".+: \d+ rows, \d+ failed, \d+ s \(\d+ rows/s with start-up\); .*",
)
LINE = re.compile(rf"\d\d:\d\d:\d\d ({'|'.join(LOGGED)})|{STOPPED}")


def assert_own_lines(log: str) -> dict[str, Any]:
    """Find nobody else's words in a job's stdout and stderr; give its summary."""
    *lines, last = log.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return dict(json.loads(last))
