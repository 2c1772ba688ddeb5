"""What checking the ids of a catalog takes: seconds and memory against rows.

    python tests/benchmarks/id_checks.py --rows 1e6 1e7 1e8 --plot ids.png

Each catalog is a Parquet file of 18-digit integers, written for this. In a process of
its own, which does nothing else, ids are read, hashed, sorted and named as
``jobs.score`` does before and after scoring. Beyond ``MAX_HELD`` ids the hashes go to
disk, so that memory stays where it is.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from contest import ROOT, environment, say

FIRST_ID = 587_722_981_736_841_315  # SDSS DR7's are like it
ROWS_PER_GROUP = 1_000_000
CHECK = """
import re, sys, time
from pathlib import Path
from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.object_ids import fingerprint_ids

def peak_mb():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1e3

table = open_parquet_folder(sys.argv[1])
before_mb, started_s = peak_mb(), time.monotonic()
fingerprint_ids(table, "object_id")
print(time.monotonic() - started_s, before_mb, peak_mb())
"""


@dataclass(frozen=True, kw_only=True)
class Checks:
    """Check the ids of catalogs of several lengths."""

    rows: tuple[float, ...] = (1e6, 1e7, 1e8)
    """Lengths of the catalogs."""

    plot: Path | None = None
    """Picture of seconds and memory against rows."""

    json: Path | None = None
    """File for the figures."""


@dataclass(frozen=True)
class Check:
    """One catalog's."""

    rows: int
    seconds: float
    idle_mb: float
    """Largest memory before the check: libraries (MB)."""

    peak_mb: float
    """Largest memory at its end (MB)."""


def write_ids(path: Path, num_rows: int) -> None:
    """Write a catalog of nothing but ids, in an order that helps nobody."""
    schema = pa.schema([("object_id", pa.int64())])
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        step = 1_000_003 if num_rows % 1_000_003 else 1_000_033  # primes
        for start in range(0, num_rows, ROWS_PER_GROUP):
            rows = np.arange(start, min(start + ROWS_PER_GROUP, num_rows))
            writer.write_table(
                pa.table({"object_id": FIRST_ID + rows * step % num_rows}, schema)
            )


def check(num_rows: int) -> Check:
    """Check a catalog's ids in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write_ids(Path(folder) / "ids.parquet", num_rows)
        told = subprocess.run(
            [sys.executable, "-c", CHECK, folder],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(),
        ).stdout
    return Check(num_rows, *map(float, told.split()))


def draw(checks: list[Check], path: Path) -> None:
    """Draw seconds and memory against rows."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, left = plt.subplots(figsize=(5, 3.5), layout="constrained")
    rows = [one.rows for one in checks]
    left.loglog(rows, [one.seconds for one in checks], "o-", color="C0")
    left.set_xlabel("rows")
    left.set_ylabel("seconds", color="C0")
    right = left.twinx()
    right.semilogx(rows, [one.peak_mb for one in checks], "s--", color="C1")
    right.set_ylim(bottom=0)
    right.set_ylabel("memory at its highest (MB)", color="C1")
    figure.savefig(path, dpi=120)


def main(flags: Checks) -> None:
    """Check, and say what it took."""
    checks = []
    for num_rows in map(int, flags.rows):
        checks.append(check(num_rows))
        one = checks[-1]
        say(
            f"{one.rows:13,} ids: {one.seconds:7.1f} s, {one.peak_mb:6.0f} MB "
            f"({one.idle_mb:.0f} MB of them before)"
        )
    if flags.plot:
        draw(checks, flags.plot)
    if flags.json:
        flags.json.write_text(json.dumps([vars(one) for one in checks]) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Checks, description=__doc__))
