"""Catalog rows become decoded examples of the class that the checks counted."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from galaxy_models.cluster.job_log import JobLog
from galaxy_models.config import TrainConfig
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.formats import ParquetTable
from galaxy_models.training.augmentation import central_views
from galaxy_models.training.examples import decode_side, with_side
from galaxy_models.training.labels import Labels, Side, label_texts

NUM_GALAXIES = 40


class Lines(JobLog):
    """Keeps what would go to the driver's log."""

    def __init__(self) -> None:
        super().__init__(None)
        self.lines: list[str] = []
        self.counts: Counter[str] = Counter()

    def say(self, line: str) -> None:
        self.lines.append(line)

    def count(self, **numbers: int) -> None:
        self.counts.update(numbers)


@pytest.fixture
def sky(tmp_path: Path) -> Path:
    for index in range(NUM_GALAXIES):
        Image.new("RGB", (40, 40), (index, 0, 0)).save(tmp_path / f"{index}.png")
    return tmp_path


def decode(
    sky: Path, side: Side, labels: pa.Array, log: JobLog, **flags: Any
) -> dict[str, Any]:
    """Decode one side of the galaxies."""
    rows = pa.table(
        {
            "object_id": np.arange(NUM_GALAXIES),
            "image": [f"{index}.png" for index in range(NUM_GALAXIES)],
            "label": labels,
        }
    )
    classes = tuple(sorted(set(label_texts(labels, "label", "catalog"))))
    config = TrainConfig(
        catalog="c", output="o", image_size=32, validation_fraction=0.3, **flags
    )
    catalog = Catalog(
        uri="catalog",
        table=ParquetTable("catalog", "/", ("catalog",), rows.schema),
        id_column="object_id",
        image_column="image",
        image_root=str(sky),
        num_rows=NUM_GALAXIES,
        fingerprint="",
    )
    truth = Labels({"training": Counter(classes)}, {})
    rows = with_side(rows, catalog=catalog, config=config, truth=truth)
    return decode_side(
        rows, side=side, labels=classes, catalog=catalog, config=config, log=log
    )


def decoded(sky: Path, labels: pa.Array, log: JobLog) -> dict[int, tuple[str, int]]:
    """Id -> class and red value of every example, from both sides."""
    classes = tuple(sorted(set(label_texts(labels, "label", "catalog"))))
    found: dict[int, tuple[str, int]] = {}
    sides: tuple[Side, ...] = ("training", "validation")
    for side in sides:
        examples = decode(sky, side, labels, log)
        for object_id, label, image in zip(
            examples["object_id"], examples["label"], examples["image"], strict=True
        ):
            assert object_id not in found
            found[int(object_id)] = classes[label], int(image[0, 0, 0])
    return found


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array(["spiral", "round"] * 20), {"spiral": 20, "round": 20}),
        (pa.array([True, False] * 20), {"true": 20, "false": 20}),
        (pa.array([0.0, 1.0] * 20), {"0": 20, "1": 20}),
        (pa.array([3, 7] * 20), {"3": 20, "7": 20}),
    ],
)
def test_labels_of_any_type_become_the_classes_that_were_counted(
    sky: Path, labels: pa.Array, expected: dict[str, int]
) -> None:
    found = decoded(sky, labels, Lines())
    assert Counter(name for name, _ in found.values()) == expected


def test_every_galaxy_is_on_one_side_with_its_own_image(sky: Path) -> None:
    found = decoded(sky, pa.array(["a", "b"] * 20), Lines())
    assert {object_id: red for object_id, (_, red) in found.items()} == {
        index: index for index in range(NUM_GALAXIES)
    }


def test_a_broken_training_image_is_left_out_and_named(sky: Path) -> None:
    (sky / "7.png").write_bytes(b"<html>")
    log = Lines()
    found = decoded(sky, pa.array(["a", "b"] * 20), log)
    assert set(range(NUM_GALAXIES)) - set(found) == {7}
    assert len(log.lines) == 1
    assert log.lines[0].startswith("left out galaxy 7: not_an_image")
    assert log.counts == {"rows": NUM_GALAXIES, "failed": 1}


def test_training_images_have_a_margin_around_what_validation_images_show(
    tmp_path: Path,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    for index in range(NUM_GALAXIES):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    labels = pa.array(["a", "b"] * 20)
    training, validation = (
        decode(tmp_path, side, labels, Lines(), crop_fraction=0.5, margin_fraction=0.25)
        for side in ("training", "validation")
    )
    assert training["image"].shape[1:] == (40, 40, 3)
    assert validation["image"].shape[1:] == (32, 32, 3)
    (seen, *_), (expected, *_) = (
        central_views(training["image"], 32),
        validation["image"],
    )
    np.testing.assert_array_equal(seen, expected)
