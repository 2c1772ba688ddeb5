"""Wide frames in memory, and the shipped model to classify what is in them."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy.io import fits
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from galaxy_models.detection.detector import Detector
from galaxy_models.detection.noise import measure_noise
from galaxy_models.detection.tiles import Grid
from galaxy_models.images.wide import open_wide_image
from galaxy_models.models.calibration import with_temperature
from galaxy_models.models.card import INT8_NAME
from galaxy_models.models.folder import load_litert, read_card

MODEL = "galaxy-zoo-detect"


@cache
def shipped_detector() -> Detector:
    """Classifies with the model that comes with the package."""
    card = read_card(MODEL)
    network = load_litert(MODEL, card, INT8_NAME, threads=1)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return with_temperature(network.predict(images), card.temperature)

    return Detector(card.classes, card.decode_rule, predict)


def detect_all(source: Path | bytes, core_px: int = 2048) -> pd.DataFrame:
    """Find the sources of a whole image, tile by tile."""
    detector = shipped_detector()
    named = source if isinstance(source, bytes) else str(source)
    image = open_wide_image(named, "/", detector.rule)
    noise = measure_noise(image)
    grid = Grid(image.height, image.width, core_px)
    tables = [
        detector.detect(image, "an image", noise, grid.tile(index))
        for index in range(grid.num_tiles)
    ]
    image.close()
    rows: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return rows


def fits_image(pixels: NDArray[Any], **cards: Any) -> bytes:
    """A FITS file of one image."""
    hdu = fits.PrimaryHDU(pixels)
    hdu.header.update(cards)
    buffer = io.BytesIO()
    hdu.writeto(buffer)
    return buffer.getvalue()


def nearest(
    places: pd.DataFrame, among: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How far the nearest of some sources is from each place (px), and which it is."""
    distances, indices = cKDTree(among[["x", "y"]]).query(places[["x", "y"]])
    return distances, indices
