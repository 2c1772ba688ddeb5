"""Writes made-up wide frames as FITS with a WCS and as JPEG, and the truth about them.

    folder/fits/frame-0000.fits       float32 cube g, r, i; nanomaggies; TAN, ICRS
    folder/fits.fz/frame-0000.fits.fz the same in compressed tiles
    folder/jpg/frame-0000.jpg         a colour picture, rows from the top
    folder/truth.parquet              a row for each source of each file

A frame depends on the seed and its number only. JPEGs are stretched in turn as
``STRETCHES`` lists, since surveys differ in that.
"""

import dataclasses
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.errors import ConfigError
from galaxy_models.simulation.artefacts import SATURATION
from galaxy_models.simulation.camera import (
    BANDS,
    PIXEL_SCALE_ARCSEC,
    SOFTENING,
    STRETCH,
    bands_to_rgb,
)
from galaxy_models.simulation.wide_sky import TrueSource, WideSky, draw_frame

FrameFormat = Literal["fits", "fits.fz", "jpg"]
FORMATS: tuple[FrameFormat, ...] = get_args(FrameFormat)
STRETCHES = ((STRETCH, SOFTENING), (1.5, 5.0), (0.3, 10.0))
"""Stretch (nanomaggies a pixel) and softening of the JPEGs, in turn."""

JPEG_QUALITY = 90
CENTRE_DEG = (155.0, 25.0)  # of the first frame; the others follow in right ascension
FRAME_STEP_DEG = 0.5
TRUTH_SCHEMA = pa.schema(
    {
        "image": pa.string(),
        "kind": pa.string(),
        "label": pa.string(),
        "x": pa.float64(),
        "y": pa.float64(),
        "ra": pa.float64(),
        "dec": pa.float64(),
        "r_magnitude": pa.float64(),
        "half_light_radius_px": pa.float64(),
        "r90_px": pa.float64(),
        "is_saturated": pa.bool_(),
    }
)


@dataclass(frozen=True)
class Frames:
    """What ``write_frames`` wrote."""

    folder: Path
    truth: Path
    """Parquet with the columns of ``TRUTH_SCHEMA``; x and y in each file's own array
    order, 0-based, pixel centres at whole numbers."""

    def images(self, kind: FrameFormat) -> Path:
        """Folder of the files of one format."""
        return self.folder / kind


def write_frames(
    folder: Path,
    num_frames: int,
    *,
    width: int = 512,
    height: int = 384,
    seed: int = 0,
    sky: WideSky | None = None,
    formats: tuple[FrameFormat, ...] = ("fits", "jpg"),
) -> Frames:
    """Write frames and their truth; replaces files of the same names.

    Args:
        folder: made if needed.
        num_frames: at least 1.
        width: px, at least 64.
        height: px, at least 64.
        seed: 0 or above; the same seed gives the same pixels.
        sky: how much there is in a frame; left out, ``WideSky``'s defaults.
        formats: how each frame is written.

    Raises:
        ConfigError: a value makes no sense.
    """
    _check(num_frames, seed, formats)
    rows: list[dict[str, Any]] = []
    for index in range(num_frames):
        own_seed = np.random.SeedSequence(seed, spawn_key=(index,))
        rng = np.random.default_rng(own_seed)
        frame, truth = draw_frame(width, height, sky or WideSky(), rng)
        for kind in formats:
            path = folder / kind / f"frame-{index:04d}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(WRITERS[kind](frame, index))
            rows.extend(_truth_rows(path.name, kind, truth, frame.shape[1:], index))
    truth_path = folder / "truth.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=TRUTH_SCHEMA), truth_path)
    return Frames(folder, truth_path)


def _check(num_frames: int, seed: int, formats: tuple[str, ...]) -> None:
    if num_frames < 1:
        raise ConfigError(f"num_frames is {num_frames}; choose at least 1.")
    if seed < 0:
        raise ConfigError(f"seed is {seed}; choose 0 or a positive integer.")
    if not formats or not set(formats) <= set(FORMATS):
        raise ConfigError(f"formats is {formats}; choose some of {', '.join(FORMATS)}.")


def _truth_rows(
    name: str,
    kind: FrameFormat,
    truth: list[TrueSource],
    shape: tuple[int, ...],
    index: int,
) -> Iterator[dict[str, Any]]:
    """Rows of the truth for one file; a JPEG's rows are counted from the top."""
    height, width = shape
    wcs = _wcs(width, height, index)
    for source in truth:
        ra, dec = wcs.all_pix2world(source.x, source.y, 0)
        row = dataclasses.asdict(source)
        if kind == "jpg":
            row["y"] = height - 1 - source.y
        yield {"image": name, "ra": float(ra), "dec": float(dec), **row}


def _wcs(width: int, height: int, index: int) -> Any:
    """North up, east left, tangent to the sphere at the frame's centre."""
    from astropy.wcs import WCS

    scale_deg = PIXEL_SCALE_ARCSEC / 3600
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = CENTRE_DEG[0] + index * FRAME_STEP_DEG, CENTRE_DEG[1]
    wcs.wcs.crpix = (width + 1) / 2, (height + 1) / 2
    wcs.wcs.cdelt = -scale_deg, scale_deg
    wcs.wcs.radesys = "ICRS"
    return wcs


def _header(frame: NDArray[np.float32], index: int) -> Any:
    header = _wcs(frame.shape[2], frame.shape[1], index).to_header()
    header.remove("WCSAXES")  # of a cube, whose third axis is no coordinate
    header["BUNIT"] = "nanomaggy"
    header["SATURATE"] = SATURATION
    for number, band in enumerate(BANDS):
        header[f"BAND{number}"] = band
    return header


def _fits(frame: NDArray[np.float32], index: int) -> bytes:
    from astropy.io import fits

    return _file_bytes(fits.PrimaryHDU(frame, _header(frame, index)))


def _compressed_fits(frame: NDArray[np.float32], index: int) -> bytes:
    from astropy.io import fits

    image = fits.CompImageHDU(
        frame, _header(frame, index), compression_type="RICE_1", dither_seed=1
    )
    return _file_bytes(fits.HDUList([fits.PrimaryHDU(), image]))


def _file_bytes(content: Any) -> bytes:
    buffer = io.BytesIO()
    content.writeto(buffer)
    return buffer.getvalue()


def _jpeg(frame: NDArray[np.float32], index: int) -> bytes:
    rgb = bands_to_rgb(frame, *STRETCHES[index % len(STRETCHES)])
    buffer = io.BytesIO()
    Image.fromarray(rgb[::-1]).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


WRITERS: dict[FrameFormat, Callable[[NDArray[np.float32], int], bytes]] = {
    "fits": _fits,
    "fits.fz": _compressed_fits,
    "jpg": _jpeg,
}
