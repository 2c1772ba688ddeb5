"""Votes as what a network learns: read with a catalog, checked before any work."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from vote_files import QUESTIONS, TREE, write_votes

from galaxy_models.config import TrainConfig
from galaxy_models.errors import CatalogError, ConfigError
from galaxy_models.models.heads import HEAD_NAME, VotesHead
from galaxy_models.simulation import Survey
from galaxy_models.training.examples import decode_side, with_side
from galaxy_models.training.local import DriverLog
from galaxy_models.training.request import Request, open_request


@pytest.fixture
def votes(labelled: Survey, tmp_path: Path) -> pd.DataFrame:
    (tmp_path / "tree.json").write_text(json.dumps(QUESTIONS))
    return write_votes(labelled, tmp_path / "votes.csv")


def request(labelled: Survey, folder: Path, **flags: Any) -> Request:
    config = TrainConfig(
        catalog=str(folder / "votes.csv"),
        image_root=str(Path(labelled.catalog).parent),
        output=str(folder / "model"),
        questions=str(folder / "tree.json"),
        image_size=32,
        test_fraction=0.2,
        **flags,
    )
    return open_request(config, str(folder / "model"), resume=True)


def test_each_galaxy_comes_with_its_own_votes(
    votes: pd.DataFrame, labelled: Survey, tmp_path: Path
) -> None:
    asked = request(labelled, tmp_path)

    rows = pa.table(votes)
    rows = with_side(
        rows, catalog=asked.catalog, config=asked.config, truth=asked.truth
    )
    decoded = [
        decode_side(
            rows,
            side=side,
            labels=asked.truth.names,
            catalog=asked.catalog,
            config=asked.config,
            log=DriverLog(lambda _: None),
        )
        for side in ("training", "validation")
    ]

    by_id = votes.set_index("object_id")[list(TREE.columns)]
    for part in decoded:
        assert part["label"].dtype == np.float32
        expected = by_id.loc[part["object_id"]].to_numpy()
        np.testing.assert_array_equal(part["label"], expected)
    num_decoded = sum(len(part["label"]) for part in decoded)
    assert num_decoded == asked.truth.num_to_learn - 1  # one of them is broken
    held_back = asked.truth.read_test_rows(asked.catalog, asked.config).to_pandas()
    seen = np.concatenate([part["object_id"] for part in decoded])
    assert len(held_back) == asked.truth.counts["test"].total() > 0
    assert set(held_back["object_id"]).isdisjoint(seen)
    assert list(held_back.columns[1:]) == list(TREE.columns)


def test_other_votes_are_another_training(
    votes: pd.DataFrame, labelled: Survey, tmp_path: Path
) -> None:
    first = request(labelled, tmp_path)
    votes.loc[votes.index[:1], "shape_smooth"] = 39
    votes.to_csv(tmp_path / "votes.csv", index=False)

    second = request(labelled, tmp_path)

    keys = first.resume_key(), second.resume_key()
    assert [name for name in keys[0] if keys[0][name] != keys[1][name]] == ["the votes"]
    assert first.truth.head == VotesHead(TREE)


def test_a_model_of_classes_gets_a_new_head(
    votes: pd.DataFrame, labelled: Survey, tmp_path: Path
) -> None:
    start = request(labelled, tmp_path, start_from="galaxy-zoo").start

    assert start is not None
    assert start.new_layers == (HEAD_NAME,)


def test_a_question_that_nobody_answered_is_refused(
    votes: pd.DataFrame, labelled: Survey, tmp_path: Path
) -> None:
    votes[["edge-on_yes", "edge-on_no"]] = 0
    votes.to_csv(tmp_path / "votes.csv", index=False)

    with pytest.raises(CatalogError, match="'edge-on': nobody answered it"):
        request(labelled, tmp_path)


def test_more_votes_than_the_parents_are_refused_before_any_work(
    votes: pd.DataFrame, labelled: Survey, tmp_path: Path
) -> None:
    votes.loc[votes.index[5:6], "edge-on_yes"] = 100
    votes.to_csv(tmp_path / "votes.csv", index=False)

    with pytest.raises(CatalogError, match=rf"{votes['object_id'][5]} .*'edge-on'"):
        request(labelled, tmp_path)
    assert not (tmp_path / "model" / "history.csv").exists()


@pytest.mark.parametrize(
    "flags",
    [
        {"label_column": "kind"},
        {"label_groups": ("a=b+c",)},
        {"teacher": ("p",)},
        {"label_smoothing": 0.1},
        {"class_weight": "balanced"},
    ],
    ids=lambda flags: next(iter(flags)),
)
def test_flags_about_classes_are_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="leave it out with --questions"):
        TrainConfig(catalog="c", output="o", questions="galaxy-zoo-2", **flags)


def test_a_column_of_volunteers_needs_questions() -> None:
    with pytest.raises(ConfigError, match="--volunteers-column n: .*--questions"):
        TrainConfig(catalog="c", output="o", volunteers_column="n")
