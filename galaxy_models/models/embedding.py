"""A galaxy as a short vector: principal components of what a network's layers found.

The features of a galaxy are the input of the network's first dense layer, which knows
no classes yet. They are divided by their length, so that a bright and a faint image of
the same shape lie near each other, and projected on the components that vary most
among the training galaxies. Galaxies that look alike lie near each other.

The distance of a galaxy from the training galaxies is the Mahalanobis distance under
the Gaussian of probabilistic principal components: each component in units of its own
spread, and the part outside all components in units of theirs. What the network never
saw (stars, satellite trails, error frames) has features that no component explains.
``familiarity`` is the share of training galaxies that lie farther out.

Knows arrays only; it knows neither networks nor folders.

Source:
    Tipping & Bishop 1999, J. R. Stat. Soc. B 61, 611 (probabilistic components);
    Lee et al. 2018, arXiv:1807.03888 (Mahalanobis distance of features);
    Wang et al. 2022, arXiv:2203.10807 (the part outside the components).
"""

import io
import zipfile
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

MAX_COMPONENTS = 64  # 131 kB of a model folder at 1,024 features
GALAXIES_A_COMPONENT = 2  # at least; fewer would fit noise
CALIBRATION_STEP = 5  # every fifth galaxy calibrates, the others are fitted
MIN_GALAXIES = 10
NUM_QUANTILES = 1001  # of the distances: familiarity in steps of 0.001
MAX_BYTES = 64 * 2**20  # unpacked; the largest network's take 0.4 MB

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Embedding:
    """What turns features into embeddings and familiarity; fitted at training."""

    mean: Floats
    """Shape (features,), of unit features."""

    components: NDArray[np.float16]
    """Shape (components, features), the most varying first; rows of length 1."""

    spreads: Floats
    """Shape (components,), standard deviation along each."""

    outer_spread: Floats
    """Shape (), of each dimension outside the components."""

    distances: Floats
    """Shape (quantiles,), rising: quantiles of the squared distances of training
    galaxies, evenly from 0 to 1."""

    @property
    def num_components(self) -> int:
        """The longest embedding."""
        return len(self.components)

    @property
    def num_features(self) -> int:
        """Of the network."""
        return len(self.mean)

    @property
    def explained_variance(self) -> float:
        """Share of the features' variance along the components, 0 to 1."""
        return float((self.spreads**2).sum() / self._variance)

    def project(self, features: Floats, num: int) -> Floats:
        """Compute embeddings.

        Args:
            features: float32, shape (galaxies, features), as the network gives them.
            num: components, at most ``num_components``.

        Returns:
            float32, shape (galaxies, num); in units of the root mean square distance of
            training galaxies from their mean.
        """
        centred = _unit(features) - self.mean
        components = self.components[:num].astype(np.float32)
        projected = centred @ components.T / np.sqrt(self._variance)
        return np.asarray(projected, np.float32)

    def familiarity(self, features: Floats) -> Floats:
        """Say how near galaxies lie to the training galaxies.

        Args:
            features: as for ``project``.

        Returns:
            float32, shape (galaxies,): share of the training galaxies that lie farther
            out; 1 for the most usual one, 0 where none does.
        """
        quantiles = np.linspace(1, 0, len(self.distances))
        found = np.interp(self._distances(features), self.distances, quantiles)
        return np.asarray(found, np.float32)

    @property
    def _variance(self) -> np.float32:
        """Mean squared distance of training galaxies from their mean."""
        outside = self.num_features - self.num_components
        return np.float32((self.spreads**2).sum() + outside * self.outer_spread**2)

    def _distances(self, features: Floats) -> NDArray[np.float64]:
        """Squared Mahalanobis distances, shape (galaxies,)."""
        centred = _unit(features) - self.mean
        inside = centred @ self.components.astype(np.float32).T
        outside = np.square(centred).sum(axis=1) - np.square(inside).sum(axis=1)
        near = np.square(inside / self.spreads).sum(axis=1, dtype=np.float64)
        far = np.maximum(outside, 0) / float(self.outer_spread) ** 2
        return np.asarray(near + far, np.float64)


def fit_embedding(features: Floats) -> Embedding:
    """Find the principal components of training galaxies.

    Args:
        features: float32, shape (galaxies, features), as the network gives them. Every
            fifth galaxy is left out of the components and gives the distances, so that
            a galaxy of the same kind that was not fitted is as familiar.

    Returns:
        An embedding of at most ``MAX_COMPONENTS``.

    Raises:
        ValueError: there are too few galaxies.

    Example:
        >>> features = np.random.default_rng(0).random((200, 8), np.float32)
        >>> embedding = fit_embedding(features)
        >>> embedding.project(features[:3], 4).shape
        (3, 4)
        >>> strange = np.array([[1, 0, 0, 0, 0, 0, 0, 0]], np.float32)
        >>> float(embedding.familiarity(strange)[0])
        0.0
    """
    if len(features) < MIN_GALAXIES:
        raise ValueError(
            f"{len(features)} galaxies: an embedding needs {MIN_GALAXIES} or more"
        )
    is_left_out = np.arange(len(features)) % CALIBRATION_STEP == 0
    fitted = _unit(features[~is_left_out]).astype(np.float64)
    mean = fitted.mean(axis=0)
    centred = fitted - mean
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(fitted))
    num_features = features.shape[1]
    num = min(MAX_COMPONENTS, num_features - 1, len(fitted) // GALAXIES_A_COMPONENT)
    components = vectors[:, ::-1][:, :num].T.astype(np.float16)  # rounded as it is kept
    inside = centred @ components.T.astype(np.float64)
    spreads = np.maximum(inside.std(axis=0), np.finfo(np.float32).eps)
    outer_variance = variances[:-num].sum() / (num_features - num)
    outer_spread = np.sqrt(max(outer_variance, np.finfo(np.float32).eps ** 2))
    fit = Embedding(
        mean.astype(np.float32),
        components,
        spreads.astype(np.float32),
        np.asarray(outer_spread, np.float32),
        np.zeros(1, np.float32),
    )
    distances = fit._distances(features[is_left_out])
    quantiles = np.quantile(distances, np.linspace(0, 1, NUM_QUANTILES))
    return Embedding(
        fit.mean,
        fit.components,
        fit.spreads,
        fit.outer_spread,
        quantiles.astype(np.float32),
    )


def to_bytes(embedding: Embedding) -> bytes:
    """Write an embedding as a NumPy archive; the same bytes for the same numbers."""
    stream = io.BytesIO()
    arrays = {one.name: getattr(embedding, one.name) for one in fields(Embedding)}
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def from_bytes(data: bytes) -> Embedding:
    """Read what ``to_bytes`` wrote; runs nothing of it.

    Raises:
        ValueError: saying in a line why it is none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"it unpacks to {size} bytes, over {MAX_BYTES}")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            embedding = Embedding(**{name: arrays[name] for name in arrays.files})
    except (zipfile.BadZipFile, TypeError, KeyError, OSError, EOFError) as error:
        raise ValueError(f"no archive of an embedding ({error})") from error
    _check_shapes(embedding)
    return embedding


def _check_shapes(embedding: Embedding) -> None:
    found = {one.name: getattr(embedding, one.name).shape for one in fields(Embedding)}
    is_flat = all(
        len(found[name]) == 1 and found[name][0]
        for name in ("mean", "spreads", "distances")
    )
    expected = (*found["spreads"], *found["mean"])
    if not is_flat or found["outer_spread"] or found["components"] != expected:
        raise ValueError(f"arrays of shapes {found}")
    if not all(
        np.issubdtype(getattr(embedding, name).dtype, np.floating) for name in found
    ):
        raise ValueError("arrays that hold other than floats")


def _unit(features: Floats) -> Floats:
    """Divide features by their length; all zeros stay so."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)
