"""``jobs.similar``: the nearest galaxies and the oddest of any number of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from embedded_predictions import write_embedded
from own_files import files_of_others
from page import Page
from PIL import Image

from galaxy_models.cli.similar import JOB
from galaxy_models.config import SimilarConfig
from galaxy_models.errors import ConfigError, OutputError, PredictionsError
from galaxy_models.exploration import anomalies as anomalies_module
from galaxy_models.exploration.similar import OUTPUT, Found, similar

NUM = 500
RNG = np.random.default_rng(3)
EMBEDDINGS = RNG.normal(size=(NUM, 6)).astype(np.float16)
EMBEDDINGS[77] = 30  # far from all others
IDS = [f"J{1000 + number}" for number in range(NUM)]
FAILED_ID = "J1010"


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions in files of 130 rows, and a catalog of one picture for all."""
    folder = tmp_path_factory.mktemp("similar")
    write_embedded(
        folder / "predictions", IDS, EMBEDDINGS, failed=[FAILED_ID], rows_per_file=130
    )
    Image.new("RGB", (64, 64), (90, 60, 30)).save(folder / "galaxy.jpg")
    catalog = pd.DataFrame({"object_id": IDS, "image": "galaxy.jpg"})
    catalog.to_csv(folder / "catalog.csv", index=False)
    return folder


def find(sky: Path, output: Path, **flags: Any) -> Found:
    return similar(
        SimilarConfig(
            predictions=str(sky / "predictions"),
            catalog=str(sky / "catalog.csv"),
            output=str(output),
            **flags,
        )
    )


def nearest_by_hand(number: int, size: int) -> list[int]:
    apart = np.linalg.norm(EMBEDDINGS.astype(float) - EMBEDDINGS[number], axis=1)
    apart[[number, IDS.index(FAILED_ID)]] = np.inf
    return [int(number) for number in np.argsort(apart, kind="stable")[:size]]


def test_the_neighbours_are_those_of_a_search_by_hand(
    sky: Path, tmp_path: Path
) -> None:
    found = find(sky, tmp_path / "out", like=("J1003", "J1400"), neighbours=9)
    table = pd.read_parquet(tmp_path / "out" / "neighbours.parquet")
    assert found.neighbours is not None
    assert table.columns.tolist() == [
        "like", "rank", "object_id", "distance", "predicted_class", "confidence",
    ]  # fmt: skip
    for like in ("J1003", "J1400"):
        part = table[table["like"] == like]
        expected = nearest_by_hand(IDS.index(like), 9)
        assert part["object_id"].tolist() == [IDS[number] for number in expected]
        assert part["rank"].tolist() == list(range(1, 10))
        assert part["distance"].is_monotonic_increasing
    first = table.iloc[0]
    apart = EMBEDDINGS[IDS.index(first["object_id"])].astype(float) - EMBEDDINGS[3]
    assert first["distance"] == pytest.approx(np.linalg.norm(apart), rel=1e-4)


def test_integer_ids_are_found_too(sky: Path, tmp_path: Path) -> None:
    ids = [587722981736841315 + number for number in range(NUM)]
    write_embedded(tmp_path / "predictions", ids, EMBEDDINGS)
    catalog = tmp_path / "catalog.csv"
    pd.DataFrame({"object_id": ids, "image": f"{sky}/galaxy.jpg"}).to_csv(catalog)
    found = find(tmp_path, tmp_path / "out", like=(str(ids[3]),), neighbours=1)
    assert found.neighbours is not None
    (nearest,) = found.neighbours["object_id"].to_pylist()
    assert nearest == ids[nearest_by_hand(3, 11)[0]]


def test_the_galaxy_far_from_all_others_is_the_oddest(
    sky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomalies_module, "NUM_SAMPLED", 100)
    find(sky, tmp_path / "out", anomalies=5)
    table = pd.read_parquet(tmp_path / "out" / "anomalies.parquet")
    assert table["object_id"][0] == IDS[77]
    assert table["distance"][0] > 3 * table["distance"][1]
    assert table["distance"].is_monotonic_decreasing
    assert FAILED_ID not in table["object_id"].tolist()
    assert not (tmp_path / "out" / "neighbours.parquet").exists()


def test_the_page_shows_every_galaxy_and_needs_no_network(
    sky: Path, tmp_path: Path
) -> None:
    found = find(sky, tmp_path / "out", like=("J1003",), neighbours=4, anomalies=3)
    page = Page(Path(found.page).read_text())
    sources = page.attributes("img", "src")
    assert len(sources) == 1 + 4 + 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "Like J1003" in page.text
    assert not page.tags & {"script", "link", "iframe"}


def test_an_unknown_id_is_answered_with_the_nearest_names(
    sky: Path, tmp_path: Path
) -> None:
    with pytest.raises(PredictionsError, match="--like J1003x: no such .* J1003"):
        find(sky, tmp_path / "out", like=("J1003x",))
    with pytest.raises(PredictionsError, match=r"--like M31: .*ids such as J1000"):
        find(sky, tmp_path / "out", like=("M31",))
    assert not (tmp_path / "out").exists()


def test_a_word_is_no_integer_id(tmp_path: Path) -> None:
    write_embedded(tmp_path / "predictions", [11, 12], EMBEDDINGS[:2])
    pd.DataFrame({"object_id": [11], "image": ["a"]}).to_csv(tmp_path / "catalog.csv")
    with pytest.raises(PredictionsError, match="--like M31: .* are integers; it has"):
        find(tmp_path, tmp_path / "out", like=("M31",))


def test_a_failed_galaxy_has_no_neighbours(sky: Path, tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="J1010: its image failed"):
        find(sky, tmp_path / "out", like=(FAILED_ID,))


def test_predictions_without_embeddings_are_refused_with_the_remedy(
    predictions: Path, sky: Path, tmp_path: Path
) -> None:
    config = SimilarConfig(
        predictions=str(predictions),
        catalog=str(sky / "catalog.csv"),
        output=str(tmp_path / "out"),
        like=("1",),
    )
    with pytest.raises(PredictionsError, match="score the catalog again with --embed"):
        similar(config)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({}, "^give --like with .*, or --anomalies with"),
        ({"like": ("a",), "neighbours": 0}, "--neighbours 0"),
        ({"anomalies": -1}, "--anomalies -1"),
        ({"like": ("a", "b"), "neighbours": 600}, "would show 1202 galaxies"),
    ],
)
def test_flags_that_make_no_search_are_refused(
    flags: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        SimilarConfig(predictions="p", catalog="c", output="o", **flags)


def test_the_job_reports_and_does_not_replace_results_unasked(
    sky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    flags = [
        *("--predictions", str(sky / "predictions"), "--output", str(output)),
        *("--catalog", str(sky / "catalog.csv"), "--like", "J1003", "J1004"),
    ]
    assert JOB.main(flags) == 0
    assert '"neighbours": 48, "anomalies": 0' in capsys.readouterr().out
    with pytest.raises(OutputError, match="earlier results"):
        find(sky, output, like=("J1003",))
    assert JOB.main([*flags, "--overwrite", "--anomalies", "2"]) == 0
    assert files_of_others(output, OUTPUT) == []
