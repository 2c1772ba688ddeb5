"""The figures of an evaluation are PNGs that show what they were given."""

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from galaxy_models.evaluation import metrics, plots
from galaxy_models.evaluation.sky_map import SkyMap

CONFIDENCE = np.array([0.55, 0.65, 0.7, 0.95])
IS_RIGHT = np.array([True, False, True, True])
COUNTS = np.array([[0, 1, 2], [3, 0, 4]])
EDGES = np.linspace(0, 1, 4)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The matplotlib figures that were saved, to look at what is on them."""
    saved: list[Any] = []
    save = Figure.savefig

    def remember(figure: Any, *args: Any, **options: Any) -> None:
        saved.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", remember)
    return saved


def check_png(png: bytes) -> None:
    assert Image.open(io.BytesIO(png)).format == "PNG"


def sky(is_all_sky: bool) -> SkyMap:
    ra = np.linspace(0, 360, 37) if is_all_sky else np.linspace(355, 365, 11)
    dec = np.linspace(-90, 90, 19) if is_all_sky else np.linspace(-2, 2, 5)
    density = np.ones((len(dec) - 1, len(ra) - 1))
    return SkyMap(ra, dec, density, is_all_sky, 1234, 0)


def test_the_reliability_shows_the_accuracy_and_the_galaxies_of_each_bin(
    drawn: list[Any],
) -> None:
    bins = metrics.reliability(CONFIDENCE, IS_RIGHT, 10)
    check_png(plots.reliability_plot(bins, 0.123))

    above, below = drawn[0].axes
    assert above.get_title() == "Expected calibration error 0.123"
    assert (above.get_ylabel(), below.get_xlabel()) == ("accuracy", "confidence")
    diagonal, curve = above.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert curve.get_ydata()[6] == 0.5
    assert [bar.get_height() for bar in below.patches][5:] == [1, 2, 0, 0, 1]


def test_the_coverage_shows_the_accuracy_of_what_is_kept(drawn: list[Any]) -> None:
    check_png(plots.coverage_plot(metrics.coverage_curve(CONFIDENCE, IS_RIGHT)))

    panel = drawn[0].axes[0]
    assert list(panel.lines[0].get_xdata()) == [0.25, 0.5, 0.75, 1]
    assert panel.lines[0].get_ydata()[-1] == 0.75
    assert panel.texts[0].get_text() == "all: 0.750"


def test_the_classes_are_counted_with_what_failed(drawn: list[Any]) -> None:
    check_png(plots.class_counts_plot([1200, 7], 3, ["$a_$", "<b>"]))

    panel = drawn[0].axes[0]
    assert panel.get_title() == "Predicted classes of 1,210 galaxies"
    names = [tick.get_text() for tick in panel.get_yticklabels()]
    assert names == ["$a_$", "<b>", "failed"]
    assert [bar.get_width() for bar in panel.patches] == [1200, 7, 3]
    assert [text.get_text() for text in panel.texts] == [" 1,200", " 7", " 3"]


def test_confidences_are_stacked_by_class(drawn: list[Any]) -> None:
    check_png(plots.confidence_plot(EDGES, COUNTS, ["a", "$b_$"]))

    panel = drawn[0].axes[0]
    assert panel.get_title() == "Confidence of 10 predictions"
    assert [bar.get_height() for bar in panel.patches] == [0, 1, 2, 3, 0, 4]
    assert [bar.get_y() for bar in panel.patches] == [0, 0, 0, 0, 1, 2]
    legend = [text.get_text() for text in panel.get_legend().get_texts()]
    assert legend == ["a", "$b_$"]


def test_confidences_of_very_many_classes_are_drawn_together(drawn: list[Any]) -> None:
    counts = np.repeat(COUNTS, 10, axis=0)
    plots.confidence_plot(EDGES, counts, [f"class {n}" for n in range(20)])

    panel = drawn[0].axes[0]
    assert panel.get_legend() is None
    assert [bar.get_height() for bar in panel.patches] == [30, 10, 60]


@pytest.mark.parametrize("is_all_sky", [False, True])
def test_right_ascension_grows_to_the_left(drawn: list[Any], is_all_sky: bool) -> None:
    check_png(plots.sky_plot(sky(is_all_sky)))

    panel = drawn[0].axes[0]
    assert panel.get_title() == "1,234 galaxies on the sky"
    lower = np.radians(180 - 90) if is_all_sky else 356
    higher = np.radians(180 - 120) if is_all_sky else 362
    (x_lower, _), (x_higher, _) = panel.transData.transform([(lower, 0), (higher, 0)])
    assert x_higher < x_lower


def test_beyond_24_hours_right_ascension_begins_anew(drawn: list[Any]) -> None:
    plots.sky_plot(sky(is_all_sky=False))

    label = drawn[0].axes[0].xaxis.get_major_formatter()
    assert [label(ra) for ra in (356, 360, 362.5)] == ["356", "0", "2.5"]


def test_the_all_sky_map_names_right_ascensions(drawn: list[Any]) -> None:
    plots.sky_plot(sky(is_all_sky=True))

    panel = drawn[0].axes[0]
    names = [tick.get_text() for tick in panel.get_xticklabels()]
    places = np.degrees(panel.get_xticks())
    assert dict(zip(names, places.round(), strict=True))["90°"] == 90
    assert dict(zip(names, places.round(), strict=True))["300°"] == -120
