"""How well ``familiarity`` tells stars and artefacts from galaxies, on real images.

    python tests/benchmarks/familiarity.py --catalog sdss_survey/catalog.parquet \
        --survey scored_survey --unseen scored_galaxies

300 cutouts of the survey, drawn at random, were labelled by eye. Both predictions were
made with ``--familiarity``; ``--unseen`` are galaxies like those of the training that
the model did not learn from.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

SEED = 5  # of the drawing
BY_EYE = (
    "UGGGUGAAAGUUUUAGAAAGGGUAAAUAGAUUGAAUAAUGGUGGGUUUGGGGGGGGGGGG"
    "GGGGGGGAGGGGGGAGAUGGAGGGGGGGGGGGAGUGGGUGGGGGGUGGGGAAUGAGAAUA"
    "AAAAAAGGGAAGAAGGAGAAAAUAAAUAAUAAUAAAAAAUAAUAAAAAAGAAAUAGAAUA"
    "AAAUAAAUAUGGAGAAAAGAAGAAAAGAAAAAAAAAUAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAUAAAAAAAAAAAAAAAAAAAAAAAAAUAAAAAAAAAAAAAAAAUAAAAAAA"
)
"""In the order of the catalog. A: a star, stars that touch, an empty field, a trail, a
coloured frame; G: a galaxy in the middle; U: cannot be told."""


@dataclass(frozen=True)
class FamiliarityConfig:
    """Measure how familiar stars, artefacts and galaxies are."""

    catalog: Path
    """The survey's catalog, Parquet."""

    survey: Path
    """Predictions of it."""

    unseen: Path
    """Predictions of galaxies."""


def main(config: FamiliarityConfig) -> None:
    """Measure, and print the figures as JSON."""
    ids = pd.read_parquet(config.catalog)["object_id"].to_numpy()
    rng = np.random.default_rng(SEED)
    drawn = ids[np.sort(rng.choice(len(ids), len(BY_EYE), replace=False))]
    table = pd.read_parquet(config.survey).set_index("object_id").loc[drawn]
    labels = np.array(list(BY_EYE))
    unseen = pd.read_parquet(config.unseen)
    result: dict[str, object] = {}
    for column in ("familiarity", "confidence"):
        values = table[column].to_numpy(np.float64)
        is_good = np.isfinite(values)
        strange = values[is_good & (labels == "A")]
        galaxies = values[is_good & (labels == "G")]
        result[column] = {
            "strange": len(strange),
            "unseen": len(unseen),
            "area_against_unseen": area(unseen[column].to_numpy(np.float64), strange),
            "area_against_the_survey_s_galaxies": area(galaxies, strange),
        }
    sys.stdout.write(f"{json.dumps(result)}\n")


def area(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """Area under the ROC: how often one of ``higher`` is above one of ``lower``."""
    higher = higher[np.isfinite(higher)]
    statistic = mannwhitneyu(higher, lower).statistic
    return round(float(statistic / (len(higher) * len(lower))), 4)


if __name__ == "__main__":
    main(tyro.cli(FamiliarityConfig))
