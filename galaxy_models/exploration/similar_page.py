"""The page of ``jobs.similar``: a gallery for each galaxy that was asked for.

Lays out what was found; it searches nothing.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from galaxy_models.evaluation.cutouts import Cutouts
from galaxy_models.evaluation.html_page import render

TEMPLATE_NAME = "similar.html.jinja"


def similar_page(
    uri: str,
    like: Sequence[str],
    neighbours: pa.Table | None,
    anomalies: pa.Table | None,
    cutouts: Cutouts,
) -> str:
    """Write the page.

    Args:
        uri: of the predictions.
        like: ids that were asked for.
        neighbours: of each of them; see ``Found``.
        anomalies: see there.
        cutouts: images by id.
    """
    galleries = []
    for one in like:
        assert neighbours is not None  # there are some of each
        rows = neighbours.filter(pc.equal(neighbours["like"].cast(pa.string()), one))
        given = {"src": cutouts.get(one), "object_id": one, "text": "this one"}
        galleries.append(
            {"title": f"Like {one}", "tiles": [given, *_tiles(rows, cutouts)]}
        )
    if anomalies is not None:
        title = "Farthest from all others"
        galleries.append({"title": title, "tiles": _tiles(anomalies, cutouts)})
    return render(
        "galaxy_models.exploration", TEMPLATE_NAME, uri=uri, galleries=galleries
    )


def _tiles(rows: pa.Table, cutouts: Cutouts) -> list[dict[str, Any]]:
    return [
        {
            "src": cutouts.get(str(row["object_id"])),
            "object_id": row["object_id"],
            "text": _text(row),
        }
        for row in rows.to_pylist()
    ]


def _text(row: dict[str, Any]) -> str:
    """Say how far a galaxy lies, and its class if the model has classes."""
    if "predicted_class" not in row:
        return f"{row['distance']:.2f}"
    return f"{row['distance']:.2f} · {row['predicted_class']} {row['confidence']:.2f}"
