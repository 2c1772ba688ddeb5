"""Sources as regions that DS9 and Aladin show over an image.

Circles of the radius with 90 % of the light, coloured by class: on the sky where the
image has a WCS, in pixels from 1 otherwise. It knows rows; it knows no pixels.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from galaxy_models.detection.colours import colour_of
from galaxy_models.images.wide_image import WideImage

HEADER = "# Region file format: DS9 version 4.1\nglobal width=1 select=1\n"
MIN_RADIUS_PX = 3.0  # smaller circles hide what they are about


def region_file(rows: pd.DataFrame, image: WideImage) -> str:
    """Write the regions of an image's sources.

    Args:
        rows: of ``jobs.detect``.
        image: theirs.
    """
    system = "image" if image.wcs is None else "icrs"
    scale = 1.0 if image.wcs is None else _arcsec_per_px(image.wcs)
    lines = _lines(rows, image, scale)
    return f"{HEADER}{system}\n" + "".join(f"{line}\n" for line in lines)


def _lines(rows: pd.DataFrame, image: WideImage, scale: float) -> Iterator[str]:
    row: Any
    for row in rows.itertuples():
        radius = max(float(row.r90), MIN_RADIUS_PX) * scale
        if image.wcs is None:
            place = f"{row.x + 1:.2f},{_y_from_below(row, image):.2f},{radius:.2f}"
        else:
            place = f'{row.ra:.7f},{row.dec:.7f},{radius:.3f}"'
        text = "" if pd.isna(row.predicted_class) else f" text={{{_label(row)}}}"
        yield f"circle({place}) # color={colour_of(row.predicted_class)}{text}"


def _label(row: Any) -> str:
    """Class and score; a class's name cannot end the text that it stands in."""
    name = str(row.predicted_class).replace("{", "(").replace("}", ")")
    return name if pd.isna(row.score) else f"{name} {row.score:.2f}"


def _y_from_below(row: Any, image: WideImage) -> float:
    """Row from 1, as DS9 counts: of a FITS file from its first row, which is below."""
    return float(row.y + 1 if image.is_upside_down else image.height - row.y)


def _arcsec_per_px(wcs: Any) -> float:
    from astropy.wcs.utils import proj_plane_pixel_area

    return float(proj_plane_pixel_area(wcs) ** 0.5 * 3600)
