"""Write the labelled catalogs from which the shipped models learn.

    python infra/models/galaxy_zoo_catalog.py GALAXY_DATA_DIR WORK

``clean.csv`` is the clean sample of Galaxy Zoo 2 (25,913 galaxies, five classes);
``both.csv`` has Galaxy Zoo 1, too. There, both windings of a spiral become ``spiral``;
mergers and uncertain galaxies are left out; ``elliptical`` stays, as a label that
``jobs.train --label-groups`` explains.
"""

import sys
from pathlib import Path

import pandas as pd

CLEAN = ("galaxy_zoo_2", "galaxy_zoo_2_clean")
COARSE = "galaxy_zoo_1"
SPIRALS = {"spiral_clockwise": "spiral", "spiral_anticlockwise": "spiral"}
LEFT_OUT = ("merger", "uncertain")


def read_catalog(data: Path, name: str) -> pd.DataFrame:
    """Read one: object_id, absolute image path, label."""
    table = pd.read_csv(data / name / "catalog.csv", dtype=str)
    table["image"] = f"{(data / name).absolute()}/" + table["image"]
    return table[["object_id", "image", "label"]]


def write_catalogs(data: Path, work: Path) -> None:
    """Write both catalogs."""
    clean = pd.concat([read_catalog(data, name) for name in CLEAN])
    clean.to_csv(work / "clean.csv", index=False)
    coarse = read_catalog(data, COARSE).replace({"label": SPIRALS})
    coarse = coarse[~coarse["label"].isin(LEFT_OUT)]
    pd.concat([clean, coarse]).to_csv(work / "both.csv", index=False)


if __name__ == "__main__":
    write_catalogs(Path(sys.argv[1]), Path(sys.argv[2]))
