"""What a model says of galaxies, as the columns that people read; by its head.

Knows arrays and columns; it knows neither engines nor the ledger.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import ScoreConfig
from galaxy_models.models import dirichlet
from galaxy_models.models.card import ModelCard
from galaxy_models.models.conformal import plausible_classes
from galaxy_models.models.heads import (
    ClassesHead,
    Head,
    RegressionHead,
    Target,
    VotesHead,
)
from galaxy_models.scoring.augmentation import average_views
from galaxy_models.scoring.predicted import Predicted
from galaxy_models.tables.prediction_schema import (
    TARGET,
    class_fields,
    described_field,
    deviation_column,
    familiarity_field,
    mean_column,
)
from galaxy_models.tables.vote_columns import vote_fields

Views = NDArray[np.float32]
"""What a network says, calibrated: shape (views, galaxies, outputs)."""


def answer_fields(card: ModelCard, config: ScoreConfig) -> list[pa.Field]:
    """Lay out the columns between the kept ones and ``status``."""
    fields = _head_fields(card.head, config)
    return [*fields, familiarity_field()] if config.familiarity else fields


def _head_fields(head: Head, config: ScoreConfig) -> list[pa.Field]:
    if isinstance(head, VotesHead):
        return vote_fields(head.tree, posterior=config.posterior)
    if isinstance(head, RegressionHead):
        return [field for target in head.targets for field in target_fields(target)]
    assert isinstance(head, ClassesHead)
    return class_fields(
        head.classes,
        spread=config.tta != "none",
        plausible=config.plausible_classes,
    )


def answer_arrays(
    predicted: Predicted,
    failed: NDArray[np.bool_],
    card: ModelCard,
    config: ScoreConfig,
) -> list[pa.Array]:
    """Fill these columns, in their order.

    Args:
        predicted: of these galaxies; views are averaged. Ignored where failed.
        failed: shape (galaxies,), where all columns are null.
        card: what the numbers mean.
        config: which columns are asked for.
    """
    head = card.head
    if isinstance(head, VotesHead):
        numbers = _votes(predicted.views, head, posterior=config.posterior)
        arrays = [pa.array(column, pa.float32(), mask=failed) for column in numbers]
    elif isinstance(head, RegressionHead):
        numbers = _values(predicted.views, len(head.targets))
        arrays = [pa.array(column, pa.float32(), mask=failed) for column in numbers]
    else:
        arrays = _classes(predicted.views, failed, card, config)
    if predicted.familiarity is not None:
        arrays.append(pa.array(predicted.familiarity, pa.float32(), mask=failed))
    return arrays


def _classes(
    views: Views, failed: NDArray[np.bool_], card: ModelCard, config: ScoreConfig
) -> list[pa.Array]:
    probabilities, spread = average_views(views)
    classes = np.asarray(card.classes, object)
    best = classes[probabilities.argmax(axis=1)]
    arrays = [pa.array(best, pa.string(), mask=failed)]
    numbers = [probabilities.max(axis=1, initial=0), *probabilities.T]
    if config.tta != "none":
        numbers.append(spread)
    arrays += [pa.array(column, pa.float32(), mask=failed) for column in numbers]
    if config.plausible_classes:
        assert card.plausible_probability is not None
        arrays.append(
            _plausible(probabilities, failed, classes, card.plausible_probability)
        )
    return arrays


def _plausible(
    probabilities: NDArray[np.float32],
    failed: NDArray[np.bool_],
    classes: NDArray[np.object_],
    threshold: float,
) -> pa.Array:
    """List the plausible classes of each galaxy, the most probable first.

    Of a failed one the list is empty, not null: astropy reads no list that is missing.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    is_plausible = plausible_classes(probabilities, threshold) & ~failed[:, None]
    is_listed = np.take_along_axis(is_plausible, order, axis=1)
    ends = np.cumsum(is_listed.sum(axis=1), dtype=np.int32)
    return pa.ListArray.from_arrays(
        pa.array(np.concatenate([[0], ends]), pa.int32()),
        pa.array(classes[order][is_listed], pa.string()),
    )


def _votes(
    views: Views, head: VotesHead, *, posterior: bool
) -> Iterator[NDArray[np.generic]]:
    concentrations = dirichlet.mean_of_views(views, head.tree)
    fractions = dirichlet.expected_fractions(concentrations, head.tree)
    asked = dirichlet.asked_fractions(fractions, head.tree)
    for place, of_question in zip(head.tree.slices, asked.T, strict=True):
        yield from fractions[:, place].T
        yield of_question
    if posterior:
        yield from concentrations.T


def target_fields(target: Target) -> Iterator[pa.Field]:
    """Describe a number's mean and standard deviation, as its catalog did."""
    for name, kind in (
        (mean_column(target.name), "<target>_mean"),
        (deviation_column(target.name), "<target>_sd"),
    ):
        field = described_field(name, pa.float32(), kind)
        ucd = field.metadata[b"ucd"].decode()
        if target.ucd:
            ucd = target.ucd if kind == "<target>_mean" else f"{ucd};{target.ucd}"
        known = {**field.metadata, b"ucd": ucd.encode(), TARGET: target.name.encode()}
        if target.unit:
            known[b"unit"] = target.unit.encode()
        yield field.with_metadata(known)


def _values(views: Views, num_targets: int) -> Iterator[NDArray[np.float32]]:
    """Join the normal distributions of a galaxy's views: their mixture's moments."""
    means, deviations = np.split(views.astype(np.float64), [num_targets], axis=2)
    variances = (deviations**2).mean(axis=0) + means.var(axis=0)
    for mean, deviation in zip(means.mean(axis=0).T, np.sqrt(variances).T, strict=True):
        yield mean.astype(np.float32)
        yield deviation.astype(np.float32)
