"""What the columns of Galaxy Zoo's published tables are called; knows names only.

Sources:
    Galaxy Zoo 1: Lintott et al. 2011, MNRAS 410, 166, tables 2 and 3.
    Galaxy Zoo 2: Willett et al. 2013, MNRAS 435, 2835; Hart et al. 2016, MNRAS 461,
    3663 (``gz2_hart16.csv``). Table 3 of Willett et al. gives the vote fractions of
    earlier questions for which a later one had 20 votes: the thresholds of the clean
    samples. Zhu et al. 2019, Ap&SS 364, 55, made the five classes of them.
    DECaLS: Walmsley et al. 2022, MNRAS 509, 3966 (``gz_decals_volunteers_*``).
    DESI: Walmsley et al. 2023, MNRAS 526, 4768 (``gz_desi_deep_learning_catalog_*``);
    its fractions are predictions of what volunteers would say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from galaxy_models.config.votes import SurveyName

Answer = str
"""A word of this project's for an answer, such as ``smooth``."""


@dataclass(frozen=True)
class Survey:
    """A survey's columns, in small letters."""

    id_columns: tuple[str, ...]
    """The first that is there holds the ids."""

    answers: Mapping[Answer, tuple[str, ...]]
    """Columns of vote fractions, the first that is there; debiased ones come first."""

    classes: Mapping[str, tuple[Answer, ...]]
    """Answers that a class needs; the last one settles it."""

    min_fractions: Mapping[Answer, str]
    """The field of ``VotesConfig`` that each answer's fraction must reach."""

    num_votes: Mapping[Answer, tuple[str, ...]] = field(default_factory=dict)
    """Columns that add up to the votes of an answer's question."""

    image: str = "{object_id}.jpg"


CLEAN_CLASSES = {
    "round": ("smooth", "round"),
    "in_between": ("smooth", "in_between"),
    "cigar": ("smooth", "cigar"),
    "edge_on": ("featured", "edge_on"),
    "spiral": ("featured", "not_edge_on", "spiral"),
}
CLEAN_FRACTIONS = {
    "smooth": "min_smooth",
    "round": "min_roundness",
    "in_between": "min_roundness",
    "cigar": "min_roundness",
    "featured": "min_featured",
    "edge_on": "min_edge_on",
    "not_edge_on": "min_not_edge_on",
    "spiral": "min_spiral",
}
GALAXY_ZOO_1 = {
    "elliptical": ("p_el_debiased", "p_el"),
    "spiral_clockwise": ("p_cw",),
    "spiral_anticlockwise": ("p_acw",),
    "edge_on": ("p_edge",),
    "merger": ("p_mg",),
}
GALAXY_ZOO_2 = {
    "smooth": "t01_smooth_or_features_a01_smooth",
    "featured": "t01_smooth_or_features_a02_features_or_disk",
    "edge_on": "t02_edgeon_a04_yes",
    "not_edge_on": "t02_edgeon_a05_no",
    "spiral": "t04_spiral_a08_spiral",
    "round": "t07_rounded_a16_completely_round",
    "in_between": "t07_rounded_a17_in_between",
    "cigar": "t07_rounded_a18_cigar_shaped",
}
ROUNDED_COUNTS = tuple(
    f"{GALAXY_ZOO_2[shape]}_count" for shape in ("round", "in_between", "cigar")
)
LEGACY_SURVEYS = {
    "smooth": "smooth-or-featured_smooth",
    "featured": "smooth-or-featured_featured-or-disk",
    "edge_on": "disk-edge-on_yes",
    "not_edge_on": "disk-edge-on_no",
    "spiral": "has-spiral-arms_yes",
    "round": "how-rounded_round",
    "in_between": "how-rounded_in-between",
    "cigar": "how-rounded_cigar-shaped",
}


def _with_suffixes(
    answers: Mapping[Answer, str], *suffixes: str
) -> dict[Answer, tuple[str, ...]]:
    return {
        answer: tuple(f"{column}{suffix}" for suffix in suffixes)
        for answer, column in answers.items()
    }


SURVEYS: dict[SurveyName, Survey] = {
    "galaxy_zoo_1": Survey(
        id_columns=("dr7objid", "objid", "object_id"),
        answers=GALAXY_ZOO_1,
        classes={name: (name,) for name in GALAXY_ZOO_1},
        min_fractions=dict.fromkeys(GALAXY_ZOO_1, "min_fraction"),
        num_votes=dict.fromkeys(GALAXY_ZOO_1, ("nvote",)),
    ),
    "galaxy_zoo_2": Survey(
        id_columns=("dr7objid", "objid", "object_id"),
        answers=_with_suffixes(
            GALAXY_ZOO_2, "_debiased", "_weighted_fraction", "_fraction", ""
        ),
        classes=CLEAN_CLASSES,
        min_fractions=CLEAN_FRACTIONS,
        num_votes={
            **dict.fromkeys(("round", "in_between", "cigar"), ROUNDED_COUNTS),
            "edge_on": ("t02_edgeon_a04_yes_count", "t02_edgeon_a05_no_count"),
            "spiral": ("t04_spiral_a08_spiral_count", "t04_spiral_a09_no_spiral_count"),
        },
    ),
    "gz_decals": Survey(
        id_columns=("iauname", "object_id"),
        answers=_with_suffixes(LEGACY_SURVEYS, "_debiased", "_fraction"),
        classes=CLEAN_CLASSES,
        min_fractions=CLEAN_FRACTIONS,
        num_votes={
            **dict.fromkeys(
                ("round", "in_between", "cigar"), ("how-rounded_total-votes",)
            ),
            "edge_on": ("disk-edge-on_total-votes",),
            "spiral": ("has-spiral-arms_total-votes",),
        },
        image="{object_id:.4}/{object_id}.png",
    ),
    "gz_desi": Survey(
        id_columns=("dr8_id", "object_id"),
        answers=_with_suffixes(LEGACY_SURVEYS, "_fraction"),
        classes=CLEAN_CLASSES,
        min_fractions=CLEAN_FRACTIONS,
    ),
}
