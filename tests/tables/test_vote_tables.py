"""Published tables of votes become labelled catalogs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from galaxy_models.config import CatalogConfig, VotesConfig
from galaxy_models.errors import CatalogError, ConfigError, OutputError
from galaxy_models.tables.catalog import open_catalog
from galaxy_models.tables.vote_tables import Conversion, convert_votes

Convert = Callable[..., tuple[Conversion, pd.DataFrame]]

GALAXY_ZOO_1 = """\
OBJID,RA,DEC,NVOTE,P_EL,P_CW,P_ACW,P_EDGE,P_DK,P_MG,P_CS,P_EL_DEBIASED,P_CS_DEBIASED,SPIRAL,ELLIPTICAL,UNCERTAIN
587727178986356823,00:00:00.41,-10:22:25.7,59,0.61,0.034,0,0.153,0.153,0.051,0.186,0.61,0.186,0,0,1
587727227300741210,00:00:00.74,-09:13:20.2,25,0.9,0.0,0.0,0.0,0.08,0.02,0.0,0.91,0.09,0,1,0
587730774416883967,12:30:01.56,+00:26:33.9,33,0.0,0.88,0.03,0.0,0.03,0.06,0.91,0.0,1.0,1,0,0
587730774416883968,12:30:02.56,-00:30:00.0,33,0.0,0.03,0.9,0.0,0.03,0.04,0.93,0.0,1.0,1,0,0
587730775499407375,00:00:03.33,+15:45:00.4,12,0.0,0.9,0.0,0.0,0.1,0.0,0.9,0.0,1.0,1,0,0
587730775499407376,00:00:03.33,+15:45:00.4,40,0.85,0.0,0.0,0.1,0.0,0.05,0.1,0.70,0.3,0,0,1
"""  # noqa: E501
GALAXY_ZOO_2 = {
    "smooth": "t01_smooth_or_features_a01_smooth",
    "featured": "t01_smooth_or_features_a02_features_or_disk",
    "edge_on": "t02_edgeon_a04_yes",
    "not_edge_on": "t02_edgeon_a05_no",
    "spiral": "t04_spiral_a08_spiral",
    "no_spiral": "t04_spiral_a09_no_spiral",
    "round": "t07_rounded_a16_completely_round",
    "in_between": "t07_rounded_a17_in_between",
    "cigar": "t07_rounded_a18_cigar_shaped",
}
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
GALAXIES: list[tuple[str | None, dict[str, float]]] = [
    ("round", {"smooth": 0.469, "round": 0.5, "in_between": 0.4}),
    ("in_between", {"smooth": 0.9, "in_between": 0.7}),
    ("cigar", {"smooth": 0.8, "cigar": 0.9}),
    ("edge_on", {"featured": 0.43, "edge_on": 0.602}),
    ("spiral", {"featured": 0.6, "not_edge_on": 0.715, "spiral": 0.619}),
    (None, {"smooth": 0.468, "round": 0.9}),
    (None, {"featured": 0.429, "edge_on": 0.9}),
    (None, {"featured": 0.9, "not_edge_on": 0.714, "spiral": 0.9}),
    (None, {"featured": 0.9, "not_edge_on": 0.9, "spiral": 0.618}),
    (None, {"smooth": 0.5, "round": 0.6, "featured": 0.5, "edge_on": 0.7}),
]
LABELS = [label for label, _ in GALAXIES if label]


def table_of(names: dict[str, str], suffix: str) -> pd.DataFrame:
    """Vote fractions of the galaxies above under a survey's names."""
    rows = [
        {f"{names[k]}{suffix}": v for k, v in votes.items()} for _, votes in GALAXIES
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Writes a table, converts it, and reads the catalog."""

    def converted(
        content: str | pd.DataFrame, name: str = "votes.csv", **changes: Any
    ) -> tuple[Conversion, pd.DataFrame]:
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content)
        elif path.suffix == ".parquet":
            content.to_parquet(path, index=False)
        else:
            content.to_csv(path, index=False)
        output = tmp_path / "galaxies.csv"
        settings = {"votes": str(path), "output": str(output), **changes}
        conversion = convert_votes(VotesConfig(**settings))
        return conversion, pd.read_csv(output)

    return converted


def test_galaxy_zoo_1_gives_clear_votes_labels_and_positions_in_degrees(
    convert: Convert,
) -> None:
    conversion, catalog = convert(GALAXY_ZOO_1)

    assert conversion.survey == "galaxy_zoo_1"
    labels = dict(zip(catalog["object_id"], catalog["label"], strict=True))
    assert labels == {
        587727227300741210: "elliptical",
        587730774416883967: "spiral_clockwise",
        587730774416883968: "spiral_anticlockwise",
    }  # the others: nobody's majority, 12 votes, and a debiased fraction below 0.8
    assert (conversion.num_rows, conversion.num_uncertain) == (6, 3)
    assert catalog["image"].iloc[0] == "587727227300741210.jpg"
    assert catalog["ra"].tolist() == pytest.approx(
        [0.74 / 240, 187.5065, 187.5 + 2.56 / 240]
    )
    assert catalog["dec"].tolist() == pytest.approx(
        [-9 - 13 / 60 - 20.2 / 3600, 0.44275, -0.5]
    )


def test_a_galaxy_zoo_1_table_without_spectra_has_no_debiased_votes(
    convert: Convert,
) -> None:
    lines = [line.split(",")[:11] for line in GALAXY_ZOO_1.splitlines()]
    conversion, _ = convert("\n".join(",".join(line) for line in lines))
    assert conversion.classes["elliptical"] == 2


def test_galaxy_zoo_2_gives_the_clean_sample(convert: Convert) -> None:
    votes = table_of(GALAXY_ZOO_2, "_debiased")
    votes["dr7objid"] = [587722981736120347 + number for number in range(len(votes))]
    for column in GALAXY_ZOO_2.values():
        votes[f"{column}_count"] = 10  # spiral or not: 20; the three shapes: 30

    conversion, catalog = convert(votes.assign(ra=1.5, dec=-0.25))

    assert conversion.survey == "galaxy_zoo_2"
    assert catalog["label"].tolist() == LABELS
    assert catalog["object_id"].tolist() == votes["dr7objid"].tolist()[: len(LABELS)]
    assert (conversion.num_uncertain, conversion.num_ambiguous) == (4, 1)
    stricter, _ = convert(votes, min_votes=21, overwrite=True)
    assert stricter.classes.keys() == {"round", "in_between", "cigar"}


def test_decals_and_desi_are_told_apart_by_their_ids(convert: Convert) -> None:
    decals = table_of(LEGACY_SURVEYS, "_debiased")
    decals["iauname"] = [f"J1047{n:02}.93+212307.8" for n in range(len(decals))]
    decals["how-rounded_total-votes"] = [5, *[40] * (len(decals) - 1)]

    conversion, catalog = convert(decals)

    assert conversion.survey == "gz_decals"
    assert catalog["label"].tolist() == LABELS[1:]  # the first has five votes
    assert catalog["image"].iloc[0] == "J104/J104701.93+212307.8.png"

    desi = table_of(LEGACY_SURVEYS, "_fraction").assign(brickid=330)
    desi["dr8_id"] = [f"330_{number}" for number in range(len(desi))]
    conversion, catalog = convert(
        desi, "votes.parquet", image="{brickid}/{object_id}.jpg", overwrite=True
    )
    assert conversion.survey == "gz_desi"
    assert catalog["label"].tolist() == LABELS
    assert catalog["image"].iloc[1] == "330/330_1.jpg"


def test_thresholds_are_flags(convert: Convert) -> None:
    votes = table_of(LEGACY_SURVEYS, "_fraction").assign(dr8_id=range(len(GALAXIES)))
    conversion, _ = convert(votes, min_smooth=0.4, min_roundness=0.65)
    assert conversion.classes == {
        "round": 1, "in_between": 1, "cigar": 1, "edge_on": 2, "spiral": 1,
    }  # fmt: skip


def test_the_catalog_is_one_that_jobs_read(convert: Convert, tmp_path: Path) -> None:
    _, catalog = convert(GALAXY_ZOO_1)
    (tmp_path / str(catalog["image"].iloc[0])).write_bytes(b"image")
    opened = open_catalog(
        CatalogConfig(catalog=str(tmp_path / "galaxies.csv")),
        str(tmp_path / "staging"),
        ["label", "ra", "dec"],
    )
    assert (opened.num_rows, str(opened.id_type)) == (3, "int64")


def test_parquet_is_written_where_the_name_says_so(
    convert: Convert, tmp_path: Path
) -> None:
    votes = table_of(LEGACY_SURVEYS, "_fraction").assign(dr8_id="330_1")
    path = tmp_path / "votes.parquet"
    votes.to_parquet(path)
    output = tmp_path / "new" / "galaxies.parquet"
    convert_votes(VotesConfig(votes=str(path), output=str(output)))
    assert pd.read_parquet(output)["label"].tolist() == LABELS


def test_a_table_without_a_column_of_its_survey_is_refused(convert: Convert) -> None:
    with pytest.raises(CatalogError, match="not the columns of galaxy_zoo_1, galaxy_"):
        convert("object_id,ra\n1,2\n")
    with pytest.raises(CatalogError, match="no column p_el_debiased or p_el"):
        convert("object_id,ra\n1,2\n", survey="galaxy_zoo_1")


def test_a_table_without_a_clear_vote_gives_no_catalog(
    convert: Convert, tmp_path: Path
) -> None:
    head = GALAXY_ZOO_1.splitlines(keepends=True)[:2]
    for lines in (head, head[:1]):
        with pytest.raises(CatalogError, match="no galaxy of .* reaches"):
            convert("".join(lines))
    assert not (tmp_path / "galaxies.csv").exists()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{name}.jpg", "has no column 'name'; name object_id or one of OBJID, RA"),
        ("{object_id.jpg", "write columns in braces"),
        ("all.jpg", "name object_id or one of"),
    ],
)
def test_an_image_pattern_of_unknown_columns_is_refused(
    convert: Convert, pattern: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"--image {pattern}: .*{message}"):
        convert(GALAXY_ZOO_1, image=pattern)


def test_an_existing_catalog_is_replaced_only_when_told(convert: Convert) -> None:
    convert(GALAXY_ZOO_1)
    with pytest.raises(OutputError, match=r"galaxies\.csv exists; .*--overwrite"):
        convert(GALAXY_ZOO_1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_smooth": 0.0}, "--min-smooth 0.0: must be above 0 and at most 1"),
        ({"min_votes": -1}, "--min-votes -1: must be 0 or more"),
        ({"output": "galaxies.fits"}, "--output galaxies.fits: name a file that ends"),
    ],
)
def test_flags_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"votes": "v.csv", "output": "g.csv", **changes}
    with pytest.raises(ConfigError, match=message):
        VotesConfig(**settings)


@pytest.mark.real_data
def test_real_votes_agree_with_the_clean_sample_of_zhu_et_al(
    galaxy_data: Path, tmp_path: Path
) -> None:
    votes = galaxy_data / "galaxy_zoo_2_votes" / "catalog.csv"
    output = tmp_path / "galaxies.csv"
    convert_votes(
        VotesConfig(votes=str(votes), output=str(output), image="{image}", min_votes=0)
    )
    labels = pd.read_csv(output).set_index("object_id")["label"]
    clean = pd.read_csv(galaxy_data / "galaxy_zoo_2_clean" / "catalog.csv")
    known = pd.read_csv(votes).set_index("object_id")["galaxy_zoo_2_clean_id"]
    theirs = known.dropna().map(clean.set_index("object_id")["label"]).dropna()
    both = theirs[theirs.index.isin(labels.index)]
    assert len(both) > 50
    assert (
        labels[both.index] == both
    ).mean() > 0.95  # their votes were debiased otherwise
