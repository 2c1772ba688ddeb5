"""The report's page: what every report on predictions says, laid out with the rest.

One HTML file that needs neither network nor scripts. Names, ids and errors are a
stranger's: the template escapes all of them. This module knows no metrics.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from galaxy_models.evaluation.cutouts import data_uri
from galaxy_models.evaluation.findings import RowsRead
from galaxy_models.evaluation.html_page import SHARED, render
from galaxy_models.evaluation.number_texts import count

TEMPLATE_NAME = "report.html.jinja"
NO_GALLERIES = (
    "No galaxies are shown, because nothing names their images: name the catalog that "
    "was scored with --catalog (and --image-root, where its paths need one)."
)
Table = Mapping[str, Any]
"""``caption``, names of ``columns``, and ``rows`` of texts."""


class Plot(NamedTuple):
    """A figure of the page."""

    name: str
    """Of its file, without the ending."""

    text: str
    """What it shows, for those who do not see it."""

    png: bytes


class Fact(NamedTuple):
    """A figure that stands large at the top."""

    name: str
    value: str
    more: str
    """What else there is to say."""


def prediction_page(
    read: RowsRead,
    *,
    title: str,
    lead: str,
    facts: Sequence[Fact],
    notes: Iterable[str],
    tables: Iterable[Table],
    plots: Iterable[Plot],
    galleries: Sequence[Mapping[str, Any]],
    terms: Sequence[tuple[str, str]],
) -> str:
    """Write the page.

    Args:
        read: the rows.
        title: what is compared.
        lead: follows the predictions' address.
        facts: before those of the rows.
        notes: what a reader must know first.
        tables: in their order.
        plots: in their order.
        galleries: each with a title, an explanation and tiles.
        terms: words and what they mean.
    """
    tally = read.tally
    return render(
        SHARED,
        TEMPLATE_NAME,
        title=title,
        lead=f"Predictions of {read.predictions.uri}, {lead}",
        key_facts=[fact._asdict() for fact in (*facts, *_row_facts(read))],
        notes=list(_notes(read, notes)),
        tables=list(tables),
        plots=[
            {"src": data_uri(plot.png, "image/png"), "alt": plot.text} for plot in plots
        ],
        galleries=galleries,
        no_galleries=NO_GALLERIES,
        failed=read.failed,
        failed_lead=f"{count(tally.num_failed)} of {count(tally.num_rows)} rows have "
        f"no prediction: {_listed(tally.failed.most_common())}.",
        terms=terms,
    )


def _row_facts(read: RowsRead) -> Iterable[Fact]:
    failed = read.tally.num_failed / read.tally.num_rows
    yield Fact("Predictions", count(read.tally.num_rows), "rows")
    yield Fact("Failed", count(read.tally.num_failed), f"{failed:.2%} of the rows")


def _notes(read: RowsRead, notes: Iterable[str]) -> Iterable[str]:
    if read.predictions.is_unfinished:
        yield "The scoring has not finished: this is about its first rows only."
    yield from notes
    if read.sky is not None and read.sky.num_without:
        num = read.sky.num_without
        yield f"{count(num)} rows have no position and are not on the sky map."


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count(num)}" for name, num in counts)
