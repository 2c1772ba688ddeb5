"""``--embedding`` and ``--familiarity``: columns of the same pass, by every engine."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from own_files import files_of_others
from unlabelled_survey import NUM_BROKEN, NUM_UNLABELLED, config_for

from galaxy_models.config import EmbedConfig, EngineName
from galaxy_models.errors import CatalogError, ConfigError, ModelFolderError
from galaxy_models.models import engines
from galaxy_models.models.card import EMBEDDING_NAME, ModelCard
from galaxy_models.models.folder import load_embedding, read_card, write_card
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey
from galaxy_models.training.add_embedding import OUTPUT, add_embedding

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3), np.uint8)


def scored(survey: Survey, model: str, output: Path, **flags: Any) -> pd.DataFrame:
    score(config_for(survey, model, output, plan="local", **flags))
    return pd.read_parquet(output)


@pytest.fixture(scope="module")
def output(
    unlabelled: Survey, model_folder: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A survey scored with both columns."""
    folder = tmp_path_factory.mktemp("embedded") / "predictions"
    scored(unlabelled, model_folder, folder, embedding=8, familiarity=True)
    return folder


def test_the_columns_are_added_and_the_others_stay(
    output: Path, unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    with_them = pd.read_parquet(output)
    without = scored(unlabelled, model_folder, tmp_path / "plain")
    pd.testing.assert_frame_equal(
        with_them.drop(columns=["familiarity", "embedding"]), without
    )
    good = with_them[with_them["status"] == "ok"]
    assert good["familiarity"].between(0, 1).all()
    assert good["familiarity"].nunique() > 10
    assert np.isfinite(np.stack(good["embedding"].tolist())).all()


def test_a_failed_row_has_no_familiarity_and_an_embedding_of_nan(output: Path) -> None:
    table = pd.read_parquet(output)
    failed = table[table["status"] == "failed"]
    assert len(failed) == NUM_BROKEN
    assert failed["familiarity"].isna().all()
    assert np.isnan(np.stack(failed["embedding"].tolist())).all()


def test_pandas_and_astropy_read_the_columns(output: Path) -> None:
    (file,) = output.glob("*.parquet")
    assert str(pq.read_schema(file).field("embedding").type) == (
        "fixed_size_list<element: halffloat>[8]"
    )
    table = Table.read(file, format="parquet.votable")
    assert table["embedding"].shape == (NUM_UNLABELLED, 8)
    assert table["embedding"].meta["ucd"] == "stat.param"
    assert table["familiarity"].meta["ucd"] == "stat.rank"


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("keras", 1e-3), ("litert-float", 1e-3), ("litert-int8", 0.25)],
)
def test_every_engine_gives_the_same_embedding_to_rounding(
    model_folder: str,
    name: EngineName,
    tolerance: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "start_tensorflow", lambda *_, **__: None)
    from galaxy_models.models.folder import load_model
    from galaxy_models.models.networks import with_features_output

    card = read_card(model_folder)
    both = with_features_output(load_model(model_folder))
    probabilities, features = both.predict_on_batch(IMAGES)
    engine = engines.load_engine(name, model_folder, card, threads=1)
    found = engine.predict_with_features(IMAGES)
    embedding = load_embedding(model_folder, card)
    np.testing.assert_allclose(found[0], probabilities, atol=max(tolerance, 1e-4))
    np.testing.assert_array_equal(found[0], engine.predict(IMAGES))
    np.testing.assert_allclose(
        embedding.project(found[1], 8), embedding.project(features, 8), atol=tolerance
    )


def test_mirrored_views_are_averaged(
    output: Path, unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    flags = {"embedding": 8, "familiarity": True, "tta": "flips"}
    table = scored(unlabelled, model_folder, tmp_path / "tta", **flags)
    one = pd.read_parquet(output)
    is_ok = table["status"] == "ok"
    apart = (
        np.stack(table["embedding"].tolist())[is_ok]
        - np.stack(one["embedding"].tolist())[is_ok]
    )
    assert 0 < np.abs(apart).max() < 1
    assert table["familiarity"][is_ok].between(0, 1).all()


def test_a_scoring_resumes_only_with_the_same_columns(
    unlabelled: Survey, model_folder: str, output: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    shutil.copytree(output, again)
    with pytest.raises(Exception, match="--embedding was 8, now None"):
        score(config_for(unlabelled, model_folder, again, plan="local"))


def test_earlier_predictions_without_the_column_are_not_carried_over(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    scored(unlabelled, model_folder, tmp_path / "plain")
    flags = {"embedding": 8, "previous": str(tmp_path / "plain")}
    with pytest.raises(Exception, match="the embedding's hash was None"):
        scored(unlabelled, model_folder, tmp_path / "next", **flags)


def without_embedding(model_folder: str, copy: Path) -> ModelCard:
    """An older folder: no embedding, LiteRT files with one output."""
    shutil.copytree(model_folder, copy)
    (copy / EMBEDDING_NAME).unlink()
    card = dataclasses.replace(read_card(model_folder), embedding=None)
    write_card(str(copy), card)
    return card


@pytest.mark.parametrize("flags", [{"embedding": 8}, {"familiarity": True}])
def test_a_model_without_an_embedding_is_refused_with_the_remedy(
    unlabelled: Survey, model_folder: str, tmp_path: Path, flags: dict[str, Any]
) -> None:
    without_embedding(model_folder, tmp_path / "old")
    with pytest.raises(ConfigError, match=r"old has no embedding; .*jobs\.embed"):
        scored(unlabelled, str(tmp_path / "old"), tmp_path / "out", **flags)
    assert not (tmp_path / "out").exists()


def test_more_components_than_the_model_has_are_refused(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--embedding 65: .* has \d+ components"):
        scored(unlabelled, model_folder, tmp_path / "out", embedding=65)


def test_an_embedding_of_another_model_is_refused(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "mixed")
    (tmp_path / "mixed" / EMBEDDING_NAME).write_bytes(b"another's")
    with pytest.raises(ModelFolderError, match=r"embedding\.npz .* is not the file"):
        scored(unlabelled, str(tmp_path / "mixed"), tmp_path / "out", embedding=8)


def test_jobs_embed_adds_an_embedding_to_a_copy_and_changes_no_prediction(
    unlabelled: Survey, labelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    before = without_embedding(model_folder, old)
    card = add_embedding(
        EmbedConfig(model=str(old), catalog=str(labelled.catalog), output=str(new))
    )
    with pytest.raises(ModelFolderError, match="is copied, and would be emptied"):
        add_embedding(
            EmbedConfig(
                model=str(new),
                catalog=str(labelled.catalog),
                output=str(new),
                overwrite=True,
            )
        )
    assert read_card(str(new)) == card
    assert card.model_hash == before.model_hash
    assert card.embedding is not None
    assert card.embedding.num_galaxies == 119  # one of them is broken
    flags = {"engine": "litert-int8"}
    expected = scored(unlabelled, str(old), tmp_path / "a", **flags)
    found = scored(unlabelled, str(new), tmp_path / "b", embedding=8, **flags)
    pd.testing.assert_frame_equal(found.drop(columns="embedding"), expected)
    files = {path.name for path in old.iterdir() if path.is_file()}
    assert files < {path.name for path in new.iterdir()}
    assert files_of_others(new, OUTPUT) == []


def test_jobs_embed_overwrites_a_copy_with_the_notes_that_it_copied(
    labelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    without_embedding(model_folder, old)
    (old / "[my] notes.md").write_text("first")
    config = EmbedConfig(model=str(old), catalog=str(labelled.catalog), output=str(new))
    add_embedding(config)
    (old / "[my] notes.md").write_text("second")

    add_embedding(dataclasses.replace(config, overwrite=True))

    assert (new / "[my] notes.md").read_text() == "second"


def test_jobs_embed_refuses_a_catalog_of_too_few_images(
    model_folder: str, labelled: Survey, tmp_path: Path
) -> None:
    few = tmp_path / "few.csv"
    pd.read_csv(labelled.catalog).head(5).to_csv(few, index=False)
    config = EmbedConfig(
        model=model_folder,
        catalog=str(few),
        image_root=str(labelled.catalog.parent),
        output=str(tmp_path / "new"),
    )
    with pytest.raises(CatalogError, match="images could be read, and an embedding"):
        add_embedding(config)
    assert not (tmp_path / "new").exists()
