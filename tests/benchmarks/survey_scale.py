"""What scoring a whole survey would take, from what smaller runs measured.

    python tests/benchmarks/survey_scale.py --images-per-s 250

Arithmetic only: the README's table "Survey scale" is its output with its defaults. Put
in what you measure on your own machines.
"""

import math
from dataclasses import dataclass

import tyro
from contest import say

from galaxy_models.chunks.workers import choose_num_tasks
from galaxy_models.scoring.plan import ROWS_PER_CHUNK

GB = 1e9
HOUR_S = 3600


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A catalog, a cluster, a store, and what was measured of each."""

    rows: float = 1e9
    """Galaxies."""

    cores: int = 1000
    """CPU cores, with an actor each."""

    images_per_s: float = 250.0
    """Images/s that a core reads, decodes and predicts."""

    bytes_per_image: float = 12_500
    """Mean size of an image file (bytes)."""

    requests_per_image: float = 1.0
    """Requests to the store."""

    requests_per_prefix: float = 5500.0
    """GET and HEAD requests/s that S3 promises for a prefix."""

    driver_gb: float = 0.7
    """Memory of the driver while it checks the ids, however many (GB; id_checks.py)."""

    disk_bytes_per_row: float = 8.0
    """What it puts on its disk meanwhile (bytes)."""

    before_s_per_row: float = 0.35e-6
    """Of a core of the driver, before scoring: every id is read, hashed and sorted."""

    after_s_per_row: float = 0.65e-6
    """The same after scoring, and rows are counted by status, error and class."""

    rows_per_file: int = 50_000
    """Rows of a file of predictions."""

    @property
    def unevenness(self) -> float:
        """How much longer it takes as some actors get a task more than others."""
        num_chunks = math.ceil(self.rows / ROWS_PER_CHUNK[-1])
        tasks_per_actor = choose_num_tasks(num_chunks, self.cores) / self.cores
        return math.ceil(tasks_per_actor) / tasks_per_actor

    @property
    def scoring_h(self) -> float:
        """Hours from the first prediction to the last."""
        return self.unevenness * self.rows / (self.cores * self.images_per_s) / HOUR_S

    @property
    def requests_per_s(self) -> float:
        """Requests/s for images, from all cores."""
        return self.cores * self.images_per_s * self.requests_per_image

    def table(self) -> str:
        """Lay the predictions out as the README has them."""
        rate = self.cores * self.images_per_s
        bits = 8 * rate * self.bytes_per_image
        before, after = (
            f"{self.rows * per_row / 60:.0f} min"
            for per_row in (self.before_s_per_row, self.after_s_per_row)
        )
        disk = self.rows * self.disk_bytes_per_row
        chunks = self.rows / ROWS_PER_CHUNK[-1]
        prefixes = math.ceil(self.requests_per_s / self.requests_per_prefix)
        rows = {
            "images/s of all cores": f"{rate:,.0f}",
            "scoring": f"{self.scoring_h:.1f} h",
            "checks on the driver": f"{before} before, {after} after",
            "memory of the driver": f"{self.driver_gb:.1f} GB",
            "its disk, for the ids": f"{disk / GB:.0f} GB",
            "read from the store": f"{bits / GB:.0f} Gbit/s",
            "GET requests": f"{self.requests_per_s:,.0f}/s",
            "prefixes to spread images over": f"{prefixes}",
            "chunks written": f"{chunks:,.0f}, {rate / ROWS_PER_CHUNK[-1]:.0f}/s",
            "files of predictions": f"{self.rows / self.rows_per_file:,.0f}",
        }
        return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


if __name__ == "__main__":
    say(tyro.cli(Survey, description=__doc__).table())
