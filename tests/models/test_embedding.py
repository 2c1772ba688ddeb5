"""Components of features: projected, calibrated to the training galaxies, kept."""

import io
import zipfile

import numpy as np
import pytest
from numpy.typing import NDArray

from galaxy_models.models import embedding as module
from galaxy_models.models.embedding import (
    MAX_COMPONENTS,
    Embedding,
    fit_embedding,
    from_bytes,
    to_bytes,
)

Floats = NDArray[np.float32]


def features_like(seed: int, num: int) -> Floats:
    """Features that vary in three directions of 100, and a little in all."""
    directions = np.random.default_rng(0).normal(size=(3, 100))
    rng = np.random.default_rng(seed)
    found = 5 + rng.normal(size=(num, 3)) * (3, 2, 1) @ directions
    return np.asarray(found + 0.1 * rng.normal(size=(num, 100)), np.float32)


@pytest.fixture(scope="module")
def fitted() -> Embedding:
    return fit_embedding(features_like(1, 2000))


def test_the_first_components_hold_what_varies(fitted: Embedding) -> None:
    assert fitted.num_components == MAX_COMPONENTS
    spread = fitted.project(features_like(2, 500), 9).std(axis=0)
    assert (np.diff(spread[:4]) < 0).all()
    assert spread[:4].min() > 10 * spread[4:].max()
    assert fitted.explained_variance > 0.99


def test_the_unit_is_the_training_galaxies_mean_distance(fitted: Embedding) -> None:
    lengths = np.linalg.norm(fitted.project(features_like(2, 2000), 64), axis=1)
    assert np.sqrt((lengths**2).mean()) == pytest.approx(1, abs=0.05)


def test_a_fainter_image_of_the_same_galaxy_has_the_same_embedding(
    fitted: Embedding,
) -> None:
    galaxies = features_like(2, 5)
    fainter = (galaxies / 3).astype(np.float32)
    np.testing.assert_allclose(
        fitted.project(fainter, 8), fitted.project(galaxies, 8), atol=1e-5
    )


def test_a_shorter_embedding_begins_like_a_longer_one(fitted: Embedding) -> None:
    galaxies = features_like(2, 5)
    np.testing.assert_allclose(
        fitted.project(galaxies, 4), fitted.project(galaxies, 16)[:, :4], atol=1e-6
    )


def test_familiarity_is_the_share_of_training_galaxies_that_lie_farther_out(
    fitted: Embedding,
) -> None:
    familiarity = np.sort(fitted.familiarity(features_like(3, 2000)))
    expected = np.linspace(0, 1, 2000)  # unseen galaxies of the same kind: uniform
    assert np.abs(familiarity - expected).max() < 0.1


def test_what_no_training_galaxy_shows_is_not_familiar(fitted: Embedding) -> None:
    rng = np.random.default_rng(4)
    galaxies = features_like(3, 50)
    strange = galaxies + 2 * rng.normal(size=galaxies.shape).astype(np.float32)
    assert (fitted.familiarity(strange) == 0).all()


def test_few_galaxies_get_few_components() -> None:
    few = fit_embedding(features_like(1, 20))
    assert few.num_components == 8  # half of those that are fitted
    assert np.isfinite(few.familiarity(features_like(2, 5))).all()


def test_nine_galaxies_are_too_few() -> None:
    with pytest.raises(ValueError, match="9 galaxies: an embedding needs 10"):
        fit_embedding(features_like(1, 9))


def test_galaxies_that_are_all_alike_give_finite_numbers() -> None:
    alike = fit_embedding(np.ones((50, 12), np.float32))
    assert np.isfinite(alike.project(features_like(1, 3)[:, :12], 4)).all()
    assert np.isfinite(alike.familiarity(features_like(1, 3)[:, :12])).all()


def test_a_file_gives_the_same_embedding_and_the_same_bytes(fitted: Embedding) -> None:
    data = to_bytes(fitted)
    again = from_bytes(data)
    galaxies = features_like(2, 9)
    np.testing.assert_array_equal(
        again.project(galaxies, 9), fitted.project(galaxies, 9)
    )
    np.testing.assert_array_equal(
        again.familiarity(galaxies), fitted.familiarity(galaxies)
    )
    assert to_bytes(again) == data


def archive(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


PICKLED = archive(mean=np.array([{"a": 1}], object))
ONE = np.ones(1, np.float32)
BAD_SHAPES = archive(
    mean=ONE, components=np.ones((2, 2), np.float16), spreads=ONE, outer_spread=ONE[0],
    distances=ONE,
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no archive", "no archive of an embedding"),
        (archive(mean=ONE), "no archive of an embedding"),
        (PICKLED, "Object arrays cannot be loaded"),
        (BAD_SHAPES, "arrays of shapes"),
    ],
    ids=["text", "arrays missing", "pickled", "shapes"],
)
def test_what_is_no_embedding_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_bytes(data)


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("mean.npy", bytes(200_000))
    monkeypatch.setattr(module, "MAX_BYTES", 100_000)
    with pytest.raises(ValueError, match="unpacks to 200000 bytes, over 100000"):
        from_bytes(stream.getvalue())
