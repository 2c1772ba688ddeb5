"""A colour for each class, the same in regions, overlays and legends."""

import zlib

import pandas as pd

COLOURS = {
    "spiral": "#4fc3f7",
    "round": "#ffb74d",
    "in_between": "#ffd54f",
    "edge_on": "#81c784",
    "cigar": "#ff8a65",
    "star": "#9e9e9e",
    "artefact": "#e57373",
}
OTHERS = ("#ba68c8", "#4db6ac", "#f06292", "#aed581", "#7986cb")
NO_CLASS = "#616161"


def colour_of(name: str | None) -> str:
    """Colour (#rrggbb) of a class; grey for none."""
    if pd.isna(name):
        return NO_CLASS
    text = str(name)
    return COLOURS.get(text) or OTHERS[zlib.crc32(text.encode()) % len(OTHERS)]
