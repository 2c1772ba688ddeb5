"""Put Galaxy Zoo 1 and 2 into one labelled catalog, for the shipped model.

    python infra/models/galaxy_zoo_catalog.py GALAXY_DATA_DIR both.csv

Both windings of a spiral become ``spiral``; mergers and uncertain galaxies are left
out; ``elliptical`` stays, as a label that ``jobs.train --label-groups`` explains.
"""

import sys
from pathlib import Path

import pandas as pd

SPIRALS = {"spiral_clockwise": "spiral", "spiral_anticlockwise": "spiral"}
LEFT_OUT = ("merger", "uncertain")


def both_catalogs(data: Path) -> pd.DataFrame:
    """Read both catalogs: object_id, absolute image path, label."""
    tables = []
    for name in ("galaxy_zoo_2", "galaxy_zoo_1"):
        table = pd.read_csv(data / name / "catalog.csv", dtype=str)
        table["image"] = f"{(data / name).absolute()}/" + table["image"]
        tables.append(table)
    both = pd.concat(tables).replace({"label": SPIRALS})
    return both[~both["label"].isin(LEFT_OUT)]


if __name__ == "__main__":
    both_catalogs(Path(sys.argv[1])).to_csv(sys.argv[2], index=False)
