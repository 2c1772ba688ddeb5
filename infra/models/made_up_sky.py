"""``made_up_sky.py FOLDER``: the galaxies that the shipped model learns from first."""

import sys
from pathlib import Path

from galaxy_models.simulation import write_survey

NUM_GALAXIES = 12_000
IMAGE_SIZE_PX = 192
SEED = 60

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_survey(
        folder, NUM_GALAXIES, image_size=IMAGE_SIZE_PX, seed=SEED, num_processes=2
    )
