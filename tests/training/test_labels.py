"""Labels are counted on both sides of a split that hangs on nothing but the ids."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.errors import CatalogError
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.training.labels import (
    Labels,
    read_labels,
    read_test_labels,
    sides_of,
)

Opener = Callable[[str | bytes], Catalog]

ID_18_DIGITS = 587722981736841315  # SDSS DR7: beyond what a float64 holds


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    """Writes a labelled CSV beside an image and opens it."""

    def write_and_open(content: str | bytes) -> Catalog:
        (tmp_path / "1.jpg").touch()
        path = tmp_path / "galaxies.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        config = TrainConfig(catalog=str(path), output="model")
        return open_catalog(config, str(tmp_path / "staging"), ["label"])

    return write_and_open


def labelled(labels: Sequence[str]) -> str:
    lines = (f"{number},1.jpg,{label}" for number, label in enumerate(labels))
    return "object_id,image,label\n" + "\n".join(lines) + "\n"


def config(
    validation: float = 0.25, test: float = 0.0, groups: tuple[str, ...] = ()
) -> TrainConfig:
    return TrainConfig(
        catalog="galaxies.csv",
        output="model",
        validation_fraction=validation,
        test_fraction=test,
        label_groups=groups,
    )


def is_validation(ids: pa.Array, fraction: float) -> NDArray[np.bool_]:
    return np.asarray(sides_of(ids, config(fraction)) == "validation", bool)


def counted(catalog: Catalog, fraction: float = 0.25) -> Labels:
    return read_labels(catalog, config(fraction))


def test_the_same_galaxies_are_held_back_for_ever() -> None:
    numbers = pa.array([ID_18_DIGITS, 587724197743427729, 1237648720693755918, 1, 2])
    texts = pa.array(["007", "galaxy-a", "galaxy-b", "J1234+5678"])

    assert is_validation(numbers, 0.25).tolist() == [False, False, True, False, True]
    assert is_validation(texts, 0.25).tolist() == [False, True, False, False]


def test_an_id_is_on_the_same_side_as_number_and_as_text() -> None:
    numbers = pa.array(range(1000))

    np.testing.assert_array_equal(
        is_validation(numbers, 0.3), is_validation(numbers.cast(pa.string()), 0.3)
    )


def test_about_the_right_share_is_held_back() -> None:
    assert is_validation(pa.array(range(10_000)), 0.1).mean() == pytest.approx(
        0.1, abs=0.01
    )


def test_a_galaxys_side_hangs_on_no_other_galaxy() -> None:
    ids = np.arange(1000)
    order = np.random.default_rng(0).permutation(1000)
    held_back = is_validation(pa.array(ids), 0.2)

    np.testing.assert_array_equal(
        is_validation(pa.array(ids[order]), 0.2), held_back[order]
    )
    np.testing.assert_array_equal(
        is_validation(pa.array(ids[::7]), 0.2), held_back[::7]
    )


def test_a_larger_fraction_holds_back_the_same_galaxies_and_more() -> None:
    ids = pa.array(range(1000))

    assert (is_validation(ids, 0.1) <= is_validation(ids, 0.3)).all()


def test_labels_are_counted_on_both_sides(opened: Opener) -> None:
    labels = ["round"] * 60 + ["cigar"] * 40
    catalog = opened(labelled(labels))

    labels_found = counted(catalog)

    assert labels_found.totals == {"round": 60, "cigar": 40}
    validation = labels_found.counts["validation"]
    held_back = is_validation(pa.array(range(100)), 0.25)
    assert validation["round"] == held_back[:60].sum()
    assert validation["cigar"] == held_back[60:].sum()


def test_numbers_can_be_labels(opened: Opener) -> None:
    catalog = opened(labelled(["0", "1"] * 20))

    assert counted(catalog).totals == {"0": 20, "1": 20}


def test_a_null_label_is_refused(opened: Opener) -> None:
    catalog = opened(labelled(["round", "cigar", ""] * 4))

    with pytest.raises(
        CatalogError, match=r"'label' .* is null or empty in 4 row\(s\); label them"
    ):
        counted(catalog)


def test_an_empty_label_of_a_fits_table_is_no_class(
    opened: Opener, tmp_path: Path
) -> None:
    csv = opened(labelled(["round", "cigar", "spiral"] * 4))
    table = Table.read(csv.uri, format="ascii.csv")
    table["label"][2::3] = "  "
    table.write(tmp_path / "galaxies.fits")
    config = TrainConfig(catalog=str(tmp_path / "galaxies.fits"), output="model")
    catalog = open_catalog(config, str(tmp_path / "staging"), ["label"])

    with pytest.raises(CatalogError, match=r"is null or empty in 4 row\(s\)"):
        counted(catalog)


def test_labels_that_change_places_have_another_digest(opened: Opener) -> None:
    before = counted(opened(labelled(["round", "cigar"] * 20))).digest
    same = counted(opened(labelled(["round", "cigar"] * 20))).digest
    after = counted(opened(labelled(["cigar", "round"] * 20))).digest

    assert before == same != after


def test_one_class_is_not_enough(opened: Opener) -> None:
    catalog = opened(labelled(["round"] * 20))

    with pytest.raises(
        CatalogError, match=r"'label' .* one class only \(round\).*at least 2"
    ):
        counted(catalog)


def test_a_class_with_one_galaxy_is_refused_by_name(opened: Opener) -> None:
    catalog = opened(labelled(["round"] * 10 + ["cigar"] * 10 + ["ring"]))

    with pytest.raises(
        CatalogError, match="fewer than 2 galaxies in column 'label' .*: ring; add exam"
    ):
        counted(catalog)


def test_labels_that_differ_only_by_blanks_are_refused_in_quotes(
    opened: Opener,
) -> None:
    catalog = opened(labelled(["round"] * 10 + ["cigar"] * 10 + ["cigar "] * 10))

    with pytest.raises(
        CatalogError, match=r"labels 'cigar' and 'cigar ' in column 'label' .* alike"
    ):
        counted(catalog)


def test_a_rare_class_with_a_blank_is_named_in_quotes(opened: Opener) -> None:
    catalog = opened(labelled(["round"] * 10 + ["cigar"] * 10 + ["ring "]))

    with pytest.raises(CatalogError, match="fewer than 2 galaxies .*: 'ring '; add"):
        counted(catalog)


@pytest.mark.parametrize(
    ("fraction", "side"), [(1e-9, "validation"), (1 - 1e-9, "training")]
)
def test_a_split_that_leaves_a_side_empty_is_refused(
    fraction: float, side: str, opened: Opener
) -> None:
    catalog = opened(labelled(["round", "cigar"] * 3))

    with pytest.raises(
        CatalogError,
        match=f"no galaxy of a class for {side}: 6 rows at --validation-fraction "
        f"{fraction} ",
    ):
        counted(catalog, fraction)


def test_labels_that_are_not_utf8_are_refused(opened: Opener) -> None:
    catalog = opened(labelled(["bâton", "cigar"] * 10).encode("latin1"))

    with pytest.raises(CatalogError, match="'label'"):
        counted(catalog)


def test_a_test_side_is_taken_from_training_only() -> None:
    ids = pa.array(range(10_000))
    without, with_test = (sides_of(ids, config(0.1, test)) for test in (0.0, 0.2))

    assert (with_test == "test").mean() == pytest.approx(0.2, abs=0.01)
    assert ((without == "validation") == (with_test == "validation")).all()
    assert set(without[with_test == "test"]) == {"training"}


def test_the_galaxies_of_the_test_side_are_listed_with_their_labels(
    opened: Opener,
) -> None:
    catalog = opened(labelled(["round"] * 60 + ["cigar"] * 40))
    settings = config(0.25, 0.3)
    labels = read_labels(catalog, settings)
    table = read_test_labels(catalog, settings, labels).to_pydict()

    ids = np.arange(100)
    expected = ids[sides_of(pa.array(ids), config(0.25, 0.3)) == "test"]
    assert table["object_id"] == expected.tolist()
    assert table["label"] == ["round" if i < 60 else "cigar" for i in expected]


GROUPED = ["round", "cigar", "elliptical", "spiral"] * 20
ELLIPTICAL = ("elliptical=round+cigar",)


def test_a_group_of_classes_is_no_class(opened: Opener) -> None:
    labels = read_labels(opened(labelled(GROUPED)), config(groups=ELLIPTICAL))

    assert labels.classes == ("cigar", "round", "spiral")
    assert labels.names == ("cigar", "round", "spiral", "elliptical")
    assert labels.members.tolist()[-1] == [True, True, False]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("elliptical=round+disc", "galaxy in .* labelled disc; it has cigar, round"),
        ("eliptical=round+cigar", "labelled eliptical; it has cigar, elliptical"),
    ],
)
def test_a_group_that_the_catalog_does_not_bear_out_is_refused(
    group: str, message: str, opened: Opener
) -> None:
    with pytest.raises(CatalogError, match=message):
        read_labels(opened(labelled(GROUPED)), config(groups=(group,)))
