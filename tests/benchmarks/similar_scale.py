"""Seconds and memory of ``jobs.similar``'s search in very many made-up embeddings.

    python tests/benchmarks/similar_scale.py --rows 10000000 --folder /tmp/embeddings

Writes the predictions if the folder is not there (0.7 GB for 10⁷ rows of 32
components), then searches in a process of its own: the file cache is warm, the
libraries are loaded before the clock starts.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import tyro

from galaxy_models.chunks.ledger import to_parquet
from galaxy_models.exploration.similar import find_neighbours
from galaxy_models.tables.prediction_schema import predictions_schema
from galaxy_models.tables.predictions import open_predictions

ROWS_PER_FILE = 250_000
CLASSES = ("round", "spiral")


@dataclass(frozen=True)
class ScaleConfig:
    """Measure the search for neighbours."""

    folder: Path
    """Where the predictions are, or are to be written."""

    rows: int = 10_000_000
    """Galaxies."""

    components: int = 32
    """Numbers of an embedding."""

    like: int = 3
    """Galaxies whose neighbours are searched."""

    measure: bool = False
    """Search in this process, and print the figures as JSON."""


def main(config: ScaleConfig) -> None:
    """Write the predictions, or measure."""
    if config.measure:
        sys.stdout.write(f"{json.dumps(measured(config))}\n")
        return
    if not config.folder.exists():
        write(config)
    flags = [f"--{name}={getattr(config, name)}" for name in ("folder", "rows", "like")]
    subprocess.run([sys.executable, __file__, *flags, "--measure"], check=True)


def measured(config: ScaleConfig) -> dict[str, float]:
    """Search once."""
    step = config.rows // (config.like + 1)
    like = tuple(str((number + 1) * step) for number in range(config.like))
    predictions = open_predictions(str(config.folder), "--predictions")
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    found = find_neighbours(predictions, like, 24)
    assert found is not None
    return {
        "rows": config.rows,
        "like": len(like),
        "found": len(found),
        "seconds": round(time.perf_counter() - started_s, 2),
        "cpu_seconds": round(time.process_time() - started_cpu_s, 2),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def write(config: ScaleConfig) -> None:
    """Write predictions whose components fall off as those of a network do."""
    config.folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    spread = (0.8 ** np.arange(config.components)).astype(np.float32)
    schema = predictions_schema(
        pa.int64(), (), CLASSES, num_components=config.components
    )
    for number, start in enumerate(range(0, config.rows, ROWS_PER_FILE)):
        num = min(ROWS_PER_FILE, config.rows - start)
        normal = rng.standard_normal((num, config.components), np.float32)
        values = pa.array((normal * spread).astype(np.float16).ravel())
        share = rng.random(num, np.float32)
        columns = [
            pa.array(np.arange(start, start + num)),
            pa.array(np.where(share > 0.5, *CLASSES[::-1])),
            pa.array(np.maximum(share, 1 - share)),
            pa.array(1 - share),
            pa.array(share),
            pa.repeat("ok", num),
            pa.nulls(num, pa.string()),
            pa.FixedSizeListArray.from_arrays(values, config.components),
        ]
        table = pa.table(columns, schema=schema)
        path = config.folder / f"part-{number:06d}.parquet"
        path.write_bytes(to_parquet(table))


if __name__ == "__main__":
    main(tyro.cli(ScaleConfig))
