"""The words of the report on detections; its layout is the predictions' report's."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from galaxy_models.evaluation.cutouts import data_uri
from galaxy_models.evaluation.detections import figures
from galaxy_models.evaluation.detections.boxes import BOX_RADII, MIN_IOU
from galaxy_models.evaluation.detections.gallery import Gallery, Shown
from galaxy_models.evaluation.detections.measures import BRIGHT_R
from galaxy_models.evaluation.detections.results import ISOLATED_PX, DetectionEvaluation
from galaxy_models.evaluation.html_page import SHARED, render
from galaxy_models.evaluation.layout import TEMPLATE_NAME
from galaxy_models.evaluation.number_texts import NOT_A_NUMBER, share

PLOT_TEXTS = {
    figures.MAGNITUDE: "Completeness of galaxies against their r magnitude",
    figures.SIZE: "Completeness and purity of galaxies against half-light radius",
    figures.PURITY: "Purity of detections against signal-to-noise ratio",
    figures.GALAXY_PURITY: "Purity of those called a galaxy against magnitude",
    figures.POSITIONS: "Histogram of distances from the true centres",
    figures.BLENDS: "Share of blends that were recognised against distance",
    figures.CLASSES: "Confusion matrix: galaxies by label (rows) and predicted class",
}
NO_GALLERIES = (
    "Nothing is shown, because the images were not found: name their folder with "
    "--image-root."
)
TERMS = (
    (
        "Found, false",
        "Detections and true sources are matched one to one, the nearest pairs first, "
        "up to --match-radius, or half of a large source's half-light radius. Of a "
        "source and its parts only the primary rows count.",
    ),
    (
        "Completeness",
        "Share of true galaxies that were found; intervals are Wilson's of 95 %. A "
        "limit is the magnitude at which it falls below 50 % or 95 %.",
    ),
    (
        "Purity",
        "Share of detections that are true: any source for all of them, a galaxy for "
        "those whose score is at least --min-score. Magnitudes of detections come from "
        "their flux, with the zero point that fits the matched ones best.",
    ),
    (
        "Broken (shredded)",
        "A galaxy in whose true R90 lies a detection that is no true source.",
    ),
    (
        "Blend",
        "A galaxy and a true source within 15 px that is at most 2.5 magnitudes "
        "brighter or fainter; recognised where both were found.",
    ),
    (
        f"AP@{MIN_IOU:g}",
        f"Average precision of galaxies ranked by score, where a source's box has "
        f"{BOX_RADII:g} half-light radii from its centre to each edge, in the truth "
        "and in the detections alike (Everingham et al. 2010, all points).",
    ),
)


def detection_page(
    evaluation: DetectionEvaluation,
    drawn: Mapping[str, bytes],
    chosen: list[Gallery],
    pictures: Mapping[Shown, str],
) -> str:
    """Write the page.

    Args:
        evaluation: what was found.
        drawn: PNG bytes by name, in the order in which they are shown.
        chosen: sources to show.
        pictures: of them; without any there are no galleries.
    """
    tables = evaluation.tables
    return render(
        SHARED,
        TEMPLATE_NAME,
        title="Detections against a truth",
        lead=f"Detections of {tables.detections_uri}, compared with the sources of "
        f"{tables.truth_uri}",
        key_facts=[
            dict(zip(("name", "value", "more"), fact, strict=True))
            for fact in _key_facts(evaluation)
        ],
        notes=list(_notes(evaluation)),
        tables=list(_tables(evaluation)),
        plots=[
            {"src": data_uri(png, "image/png"), "alt": PLOT_TEXTS[name]}
            for name, png in drawn.items()
        ],
        galleries=[_gallery(one, pictures) for one in chosen] if pictures else [],
        no_galleries=NO_GALLERIES,
        failed=[],
        failed_lead="",
        terms=list(TERMS),
    )


def _key_facts(evaluation: DetectionEvaluation) -> Iterator[tuple[str, str, str]]:
    num, num_found = evaluation.num_galaxies, evaluation.num_found
    yield "Found", _share(num_found, num), f"of {num:,} true galaxies"
    limits = evaluation.limits
    if any(map(math.isfinite, limits.values())):
        yield (
            "50 % limit",
            share(limits[0.5], 2),
            f"r magnitude; 95 %: {share(limits[0.95], 2)}",
        )
    if evaluation.purity is not None:
        yield "Purity", share(evaluation.purity.significant), "at S/N 5 and above"
        yield (
            "Galaxies' purity",
            share(evaluation.purity.of_galaxies),
            f"score ≥ {evaluation.min_score:g}",
        )
    positions = evaluation.positions
    yield "Position", share(positions.median, 2), "px, median error"
    if evaluation.classes.confusion.any():
        yield "Class right", share(evaluation.classes.accuracy), "where there is one"
    per_image = evaluation.is_called.sum() / evaluation.tables.num_images
    yield "Called galaxies", f"{per_image:.1f}", "an image"


def _notes(evaluation: DetectionEvaluation) -> Iterator[str]:
    tables = evaluation.tables
    if evaluation.purity is None:
        yield (
            "The truth is partial: what it does not list may be real, so that nothing "
            "is said about purity."
        )
    if tables.num_other_images:
        yield (
            f"{tables.num_other_images:,} images with detections are not in the truth; "
            "their rows were left out."
        )
    if tables.found["score"].isna().all():
        yield ("No detection has a score: the model knows neither stars nor artefacts.")


def _tables(evaluation: DetectionEvaluation) -> Iterator[dict[str, Any]]:
    blends, positions = evaluation.blends, evaluation.positions
    recognised = blends.recognised
    yield {
        "caption": "All together",
        "columns": ("", "value"),
        "rows": [
            ("images", f"{evaluation.tables.num_images:,}"),
            ("detections (primary)", f"{len(evaluation.tables.found):,}"),
            ("called a galaxy", f"{evaluation.is_called.sum():,}"),
            ("AP@0.5 of boxes", share(evaluation.average_precision)),
            (
                f"positions (r ≤ {BRIGHT_R:g}), median and 95 % (px)",
                f"{share(positions.median)}, {share(positions.percentile_95)}",
            ),
            ("galaxies broken up", _of(blends.num_shredded, blends.num_galaxies)),
            (
                "spirals of r ≤ 17 broken up",
                _of(blends.num_shredded_spirals, blends.num_bright_spirals),
            ),
            (
                "blends recognised",
                _of(int(recognised.num_good.sum()), int(recognised.num.sum())),
            ),
            ("without a class, too small", f"{evaluation.classes.num_unclassified:,}"),
        ],
    }
    if evaluation.by_magnitude.num.any():
        yield _magnitude_table(evaluation)


def _magnitude_table(evaluation: DetectionEvaluation) -> dict[str, Any]:
    counts, isolated = evaluation.by_magnitude, evaluation.isolated
    rows = [
        (
            f"{low:.1f}–{high:.1f}",
            f"{num:,}",
            _share(good, num),
            _share(good_alone, alone),
        )
        for low, high, num, good, alone, good_alone in zip(
            counts.edges[:-1],
            counts.edges[1:],
            counts.num,
            counts.num_good,
            isolated.num,
            isolated.num_good,
            strict=True,
        )
    ]
    return {
        "caption": "Completeness by r magnitude",
        "columns": ("r", "galaxies", "found", f"alone in {ISOLATED_PX:g} px"),
        "rows": rows,
    }


def _gallery(gallery: Gallery, pictures: Mapping[Shown, str]) -> dict[str, Any]:
    return {
        "title": gallery.title,
        "explanation": gallery.explanation,
        "tiles": [
            {
                "src": pictures.get(one),
                "alt": f"{one.caption} at x {one.x:.0f}, y {one.y:.0f} of {one.image}",
                "caption": one.caption,
                "label": None,
                "is_wrong": False,
                "object_id": f"{one.image} {one.x:.0f}, {one.y:.0f}",
            }
            for one in gallery.sources
        ],
    }


def _share(good: int, num: int) -> str:
    return f"{good / num:.3f}" if num else NOT_A_NUMBER


def _of(good: int, num: int) -> str:
    return f"{good:,} of {num:,} ({_share(good, num)})"
