"""How fast sources are found, stage by stage, beside other ways to find them.

    python tests/benchmarks/detect_throughput.py [--frames FOLDER] [--json FILE]

Prints megapixels a second of one core's CPU time for FITS and for JPEG frames: bare
decoding; plain ``sep`` (background, extraction as SExtractor's defaults, no stamps, no
network); ``photutils`` (the same steps; left out if it is not installed); and this
project's detector with its network, whose stages follow with their shares. Each takes
its turn in every round; medians are shown. Without a folder it draws frames of its own.
"""

import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import sep
import tyro
from numpy.typing import NDArray

from galaxy_models.chunks.chunk_result import Stopwatch
from galaxy_models.config import DetectConfig
from galaxy_models.detection.detector import Detector
from galaxy_models.detection.extraction import threshold_of
from galaxy_models.detection.noise import measure_noise, weighted_sum
from galaxy_models.detection.tiles import MESH_PX, Grid
from galaxy_models.images.wide import open_wide_image
from galaxy_models.images.wide_image import WideImage
from galaxy_models.models.calibration import with_temperature
from galaxy_models.models.card import INT8_NAME
from galaxy_models.models.folder import load_litert, read_card
from galaxy_models.simulation import WideSky, write_frames
from galaxy_models.simulation.frames import FrameFormat

FORMATS: tuple[FrameFormat, ...] = ("fits", "jpg")
SKY = WideSky(num_galaxies=300, num_stars=600, num_bright_stars=2)
DRAWN_PX = 1984, 1361  # as SDSS's frames, with 900 sources
TILE_PX = 2048


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the benchmark is told."""

    frames: Path | None = None
    """Folder of FITS or JPEG frames; made-up ones if left out."""

    num_drawn: int = 2
    """Frames that are drawn without a folder."""

    model: str = DetectConfig.model
    """Model folder, or a name of one that comes with the package."""

    rounds: int = 3
    """Rounds; in each every contestant has its turn."""

    json: Path | None = None
    """File for the same figures."""


class DetectorHere:
    """The project's detector, in this thread."""

    def __init__(self, model: str) -> None:
        card = read_card(model)
        network = load_litert(model, card, INT8_NAME, threads=1)

        def predict(stamps: NDArray[np.uint8]) -> NDArray[np.float32]:
            return with_temperature(network.predict(stamps), card.temperature)

        self.detector = Detector(card.classes, card.decode_rule, predict)

    def run(self, path: Path, watch: Stopwatch) -> int:
        """Find the sources of a frame; their number."""
        with watch.timing("decoding"):
            image = open_wide_image(str(path), "/", self.detector.rule)
            noise = measure_noise(image)
        grid = Grid(image.height, image.width, TILE_PX)
        rows = [
            self.detector.detect(image, path.name, noise, grid.tile(index), watch)
            for index in range(grid.num_tiles)
        ]
        image.close()
        return sum(map(len, rows))


def decode(image: WideImage) -> int:
    """Read all pixels and nothing more."""
    return image.read(slice(0, image.height), slice(0, image.width)).size


def plain_sep(image: WideImage) -> int:
    """Background and extraction as sep's own examples have them."""
    plane, rms, sigma, area = _prepared(image)
    sky = sep.Background(plane, bw=MESH_PX, bh=MESH_PX)
    sep.set_extract_pixstack(plane.size)
    return len(sep.extract(plane - sky.back(), sigma, err=rms, minarea=area))


def plain_photutils(image: WideImage) -> int:
    """The same steps with photutils."""
    from photutils.background import Background2D
    from photutils.segmentation import SourceCatalog, SourceFinder

    plane, rms, sigma, area = _prepared(image)
    light = plane - Background2D(plane, MESH_PX).background
    finder = SourceFinder(n_pixels=area, progress_bar=False)
    segments = finder(light, sigma * rms)
    if segments is None:
        return 0
    return len(SourceCatalog(light, segments).kron_flux)


def _prepared(image: WideImage) -> tuple[NDArray[np.float32], float, float, int]:
    noise, threshold = measure_noise(image), threshold_of(image)
    planes = image.read(slice(0, image.height), slice(0, image.width))
    plane = np.ascontiguousarray(np.nan_to_num(weighted_sum(planes, noise.weights)))
    return plane, noise.rms, threshold.sigma, threshold.min_pixels


OTHERS: dict[str, Callable[[WideImage], int]] = {
    "bare decoding": decode,
    "plain sep": plain_sep,
}
if importlib.util.find_spec("photutils"):
    OTHERS["photutils"] = plain_photutils


def measure(
    paths: list[Path], here: DetectorHere, rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Time all contestants on frames of one format.

    Returns:
        Megapixels a second of CPU time by contestant; shares of the detector's stages.
    """
    pixels = sum(_num_pixels(path, here) for path in paths)
    times: dict[str, list[float]] = {}
    watch = Stopwatch()
    for _ in range(rounds):
        for name, run in OTHERS.items():
            times.setdefault(name, []).append(
                _timed(partial(_others, paths, run, here))
            )
        times.setdefault("jobs.detect", []).append(
            _timed(lambda: [here.run(path, watch) for path in paths])
        )
    total = sum(watch.seconds.values())
    shares = {str(stage): part / total for stage, part in watch.seconds.items()}
    rates = {
        name: pixels / 1e6 / statistics.median(seconds)
        for name, seconds in times.items()
    }
    return rates, shares


def _others(
    paths: list[Path], run: Callable[[WideImage], int], here: DetectorHere
) -> None:
    for path in paths:
        image = open_wide_image(str(path), "/", here.detector.rule)
        run(image)
        image.close()


def _num_pixels(path: Path, here: DetectorHere) -> int:
    image = open_wide_image(str(path), "/", here.detector.rule)
    image.close()
    return image.height * image.width


def _timed(run: Callable[[], Any]) -> float:
    """CPU seconds of this process."""
    started_s = time.process_time()
    run()
    return time.process_time() - started_s


def _frames(settings: Settings, folder: Path) -> Iterator[tuple[str, list[Path]]]:
    if settings.frames is None:
        drawn = write_frames(
            folder, settings.num_drawn, width=DRAWN_PX[0], height=DRAWN_PX[1], sky=SKY
        )
    for kind in FORMATS:
        root = drawn.images(kind) if settings.frames is None else settings.frames
        paths = sorted(root.glob(f"*.{kind}"))
        if paths:
            yield kind, paths


def main(settings: Settings) -> None:
    """Measure, print, and write the figures."""
    here = DetectorHere(settings.model)
    figures: dict[str, dict[Literal["rates", "shares"], dict[str, float]]] = {}
    with TemporaryDirectory() as folder:
        for kind, paths in _frames(settings, Path(folder)):
            rates, shares = measure(paths, here, settings.rounds)
            figures[kind] = {"rates": rates, "shares": shares}
            sys.stdout.write(f"{kind}: {len(paths)} frames, MPix/s of a core\n")
            for name, rate in rates.items():
                sys.stdout.write(f"  {name:14} {rate:6.2f}\n")
            stages = ", ".join(f"{name} {part:.0%}" for name, part in shares.items())
            sys.stdout.write(f"  stages of jobs.detect: {stages}\n")
    if settings.json:
        settings.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
