"""Memory of a detection in one huge image, as Euclid's tiles are.

    python tests/benchmarks/detect_memory.py [--side 19200] [--folder FOLDER]

Writes a made-up FITS image (sky noise and sources, 1.5 GB at 19,200 px) and runs
``jobs.detect --plan local`` on it in a process of its own, whose memory is looked up
twice a second: that of its own pages (``RssAnon``), since those of the mapped file are
the system's to drop, and the whole.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tyro
from astropy.io import fits
from contest import job_command

INTERVAL_S = 0.5
SOURCES_PER_MEGAPIXEL = 200
STRIP_PX = 1024
STAMP_PX = 31
MAX_FLUX = 300.0  # of a source's brightest pixel, in units of the sky's noise


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the benchmark is told."""

    side: int = 19_200
    """Side of the image (px)."""

    folder: Path | None = None
    """Where the image is written; a temporary folder if left out."""


def write_image(path: Path, side: int) -> None:
    """Write an image strip by strip; sources are Gaussians of several sizes."""
    shape = (side, side)
    header = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2})
    header["NAXIS1"], header["NAXIS2"] = shape
    header.tofile(path, overwrite=True)
    rng = np.random.default_rng(0)
    axis = np.arange(STAMP_PX) - STAMP_PX // 2
    squares = np.add.outer(axis**2, axis**2)
    with path.open("ab") as stream:
        for top in range(0, side, STRIP_PX):
            rows = min(STRIP_PX, side - top)
            strip = rng.standard_normal((rows, side), np.float32)
            for _ in range(round(SOURCES_PER_MEGAPIXEL * strip.size / 1e6)):
                y, x = (
                    rng.integers(0, rows - STAMP_PX),
                    rng.integers(0, side - STAMP_PX),
                )
                peak, sigma = MAX_FLUX ** rng.uniform(0.2, 1), rng.uniform(1.4, 5)
                light = peak * np.exp(-squares / (2 * sigma**2))
                strip[y : y + STAMP_PX, x : x + STAMP_PX] += light
            strip.astype(">f4").tofile(stream)
        stream.write(bytes(-stream.tell() % 2880))


def run(image: Path, output: Path) -> tuple[float, float, float]:
    """Detect; the largest own memory and the largest in all (GiB), and seconds."""
    command = job_command("jobs.detect", images=image, output=output, plan="local")
    started_s = time.monotonic()
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    own, whole = 0.0, 0.0
    while job.poll() is None:
        sizes = _memory_gib(job.pid)
        own = max(own, sizes.get("RssAnon", 0))
        whole = max(whole, sizes.get("VmRSS", 0))
        time.sleep(INTERVAL_S)
    if job.returncode:
        raise SystemExit(f"jobs.detect ended with exit code {job.returncode}")
    return own, whole, time.monotonic() - started_s


def _memory_gib(pid: int) -> dict[str, float]:
    """A process's memory by the names of ``/proc``; empty once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    parts = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) / 2**20 for name, size, _ in parts}


def main(settings: Settings) -> None:
    """Write, detect, print."""
    with TemporaryDirectory(dir=settings.folder) as folder:
        image = Path(folder) / "image.fits"
        write_image(image, settings.side)
        own, whole, seconds = run(image, Path(folder) / "detections")
    megapixels = settings.side**2 / 1e6
    sys.stdout.write(
        f"{megapixels:.0f} MP: at most {own:.2f} GiB of its own, {whole:.2f} GiB with "
        f"the mapped file, {seconds:.0f} s\n"
    )


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
