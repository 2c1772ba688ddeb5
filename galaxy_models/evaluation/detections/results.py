"""The result of comparing detections with a truth: one dataclass, and its JSON."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation.detections.blends import Blends, count_blends
from galaxy_models.evaluation.detections.boxes import average_precision
from galaxy_models.evaluation.detections.matching import NONE, Matches, match
from galaxy_models.evaluation.detections.measures import (
    LIMITS,
    SIZE_EDGES_PX,
    SNR_EDGES,
    Binned,
    Classes,
    Positions,
    binned,
    count_classes,
    faint_limit,
    magnitude_edges,
    position_errors,
    zero_point,
)
from galaxy_models.evaluation.detections.tables import GALAXY, Tables

ISOLATED_PX = 20.0  # from the next true source
MIN_SNR = 5.0


@dataclass(frozen=True)
class Purity:
    """Shares of detections that are true; a truth that is partial has none."""

    by_snr: Binned
    """Detections that are any true source."""

    by_magnitude: Binned
    """Those called a galaxy that are one, by magnitude from flux and zero point."""

    by_size: Binned
    """The same by half-light radius (px)."""

    significant: float
    """Share of detections at S/N 5 or above that are any true source."""

    of_galaxies: float
    """Share of those called a galaxy that are one."""


@dataclass(frozen=True)
class DetectionEvaluation:
    """All of it."""

    tables: Tables
    matches: Matches
    min_score: float
    by_magnitude: Binned
    """Galaxies that were found."""

    isolated: Binned
    """The same of those without a neighbour."""

    by_size: Binned
    """The same by true half-light radius (px)."""

    positions: Positions
    classes: Classes
    blends: Blends
    average_precision: float
    zero_point: float
    purity: Purity | None
    """None where the truth is partial."""

    @property
    def is_galaxy(self) -> NDArray[np.bool_]:
        """Which true sources are galaxies."""
        return (self.tables.truth["kind"] == GALAXY).to_numpy()

    @property
    def num_galaxies(self) -> int:
        """True ones."""
        return int(self.is_galaxy.sum())

    @property
    def num_found(self) -> int:
        """True galaxies that were found."""
        return int((self.is_galaxy & (self.matches.of_truth != NONE)).sum())

    @property
    def is_called(self) -> NDArray[np.bool_]:
        """Which detections are called a galaxy."""
        return np.asarray(self.tables.found["score"] >= self.min_score, bool)

    @property
    def limits(self) -> dict[float, float]:
        """Magnitudes at which completeness falls below a share."""
        return {share: faint_limit(self.by_magnitude, share) for share in LIMITS}


def measure_detections(tables: Tables, config: EvaluateConfig) -> DetectionEvaluation:
    """Compare detections with their truth."""
    found, truth = tables.found, tables.truth
    matches = match(found, truth, config.match_radius)
    is_galaxy = (truth["kind"] == GALAXY).to_numpy()
    galaxies, is_found = truth[is_galaxy], (matches.of_truth != NONE)[is_galaxy]
    magnitudes = galaxies["r_magnitude"].to_numpy(float)
    sizes = galaxies["half_light_radius_px"].to_numpy(float)
    is_alone = _is_isolated(tables)[is_galaxy]
    edges = magnitude_edges(magnitudes)
    return DetectionEvaluation(
        tables=tables,
        matches=matches,
        min_score=config.min_score,
        by_magnitude=binned(magnitudes, is_found, edges),
        isolated=binned(magnitudes[is_alone], is_found[is_alone], edges),
        by_size=binned(sizes, is_found, SIZE_EDGES_PX),
        positions=position_errors(truth, matches),
        classes=count_classes(found, truth, matches),
        blends=count_blends(found, truth, matches),
        average_precision=average_precision(found, truth),
        zero_point=zero_point(found, truth, matches),
        purity=None if config.partial_truth else _purity(tables, matches, config),
    )


def _is_isolated(tables: Tables) -> NDArray[np.bool_]:
    """Whether no other true source is near."""
    is_isolated = np.zeros(len(tables.truth), bool)
    places = tables.truth[["x", "y"]].to_numpy()
    for rows in tables.truth.groupby("image").indices.values():
        gaps, _ = cKDTree(places[rows]).query(places[rows], k=2)
        is_isolated[rows] = gaps[:, 1] > ISOLATED_PX
    return is_isolated


def _purity(tables: Tables, matches: Matches, config: EvaluateConfig) -> Purity:
    found, truth = tables.found, tables.truth
    is_true = matches.of_found != NONE
    kinds = truth["kind"].to_numpy(object)
    is_galaxy = is_true & (kinds[matches.of_found] == GALAXY)
    is_called = np.asarray(found["score"] >= config.min_score, bool)
    snr = found["snr"].to_numpy(float)
    flux = np.fmax(found["flux"].to_numpy(float), np.finfo(float).tiny)
    magnitudes = zero_point(found, truth, matches) - 2.5 * np.log10(flux)
    called, is_right = magnitudes[is_called], is_galaxy[is_called]
    sizes = found["half_light_radius"].to_numpy(float)[is_called]
    return Purity(
        by_snr=binned(snr, is_true, SNR_EDGES),
        by_magnitude=binned(called, is_right, magnitude_edges(called)),
        by_size=binned(sizes, is_right, SIZE_EDGES_PX),
        significant=_mean(is_true[snr >= MIN_SNR]),
        of_galaxies=_mean(is_right),
    )


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else np.nan


def detection_record(evaluation: DetectionEvaluation) -> dict[str, Any]:
    """Lay out ``metrics.json``: every number, null where it is not a number."""
    tables, purity = evaluation.tables, evaluation.purity
    classes = evaluation.classes
    return {
        "detections": tables.detections_uri,
        "truth": tables.truth_uri,
        "n_images": tables.num_images,
        "n_images_without_truth": tables.num_other_images,
        "n_detections": len(tables.found),
        "n_galaxies": evaluation.num_galaxies,
        "n_galaxies_found": evaluation.num_found,
        "min_score": evaluation.min_score,
        "n_called_galaxy": int(evaluation.is_called.sum()),
        "completeness": {
            "magnitude": _binned_record(evaluation.by_magnitude),
            "magnitude_isolated": _binned_record(evaluation.isolated),
            "half_light_radius_px": _binned_record(evaluation.by_size),
            "limits": {
                f"{share:.0%}": plain(limit)
                for share, limit in evaluation.limits.items()
            },
        },
        "purity": purity
        and {
            "snr_5": plain(purity.significant),
            "called_galaxy": plain(purity.of_galaxies),
            "snr": _binned_record(purity.by_snr),
            "magnitude": _binned_record(purity.by_magnitude),
            "half_light_radius_px": _binned_record(purity.by_size),
        },
        "zero_point": plain(evaluation.zero_point),
        "positions_px": plain(asdict(evaluation.positions)),
        "blends": {
            "recognised": _binned_record(evaluation.blends.recognised),
            "n_galaxies": evaluation.blends.num_galaxies,
            "n_shredded": evaluation.blends.num_shredded,
            "n_bright_spirals": evaluation.blends.num_bright_spirals,
            "n_bright_spirals_shredded": evaluation.blends.num_shredded_spirals,
        },
        "average_precision_50": plain(evaluation.average_precision),
        "classes": {
            "names": list(classes.names),
            "confusion_matrix": classes.confusion.tolist(),
            "accuracy": plain(classes.accuracy),
            "n_unclassified": classes.num_unclassified,
        },
    }


def _binned_record(counts: Binned) -> dict[str, Any]:
    return {
        "edges": plain(counts.edges),
        "n": counts.num.tolist(),
        "n_good": counts.num_good.tolist(),
        "share": plain(counts.share),
    }


def plain(value: Any) -> Any:
    """Turn arrays into lists, and what is not a finite number into None."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray | tuple):
        return [plain(one) for one in value]
    number = round(float(value), 6)
    return number if math.isfinite(number) else None
