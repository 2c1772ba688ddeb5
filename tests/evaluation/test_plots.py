"""Figures are PNGs that show what they were given."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from galaxy_models.evaluation import plots

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "accuracy": [0.5, 0.7, 0.8],
        "val_accuracy": [0.4, 0.6, 0.7],
        "loss": [1.0, 0.7, 0.5],
        "val_loss": [1.1, 0.8, 0.7],
    }
)


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


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return image


def test_the_history_shows_both_sides_of_accuracy_and_loss(drawn: list[Any]) -> None:
    opened(plots.history_plot(HISTORY, "lenet5, 32 px"))

    above, below = drawn[0].axes
    assert above.get_title() == "lenet5, 32 px"
    assert above.get_ylabel() == "accuracy"
    assert below.get_ylabel() == "loss"
    assert below.get_xlabel() == "epoch"
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert labels == ["training", "validation"]
    assert list(above.lines[1].get_ydata()) == [0.4, 0.6, 0.7]
    assert list(below.lines[0].get_ydata()) == [1.0, 0.7, 0.5]


def test_a_history_of_one_epoch_can_be_drawn() -> None:
    opened(plots.history_plot(HISTORY.head(1), "one epoch"))


def test_the_confusion_counts_true_classes_in_rows(drawn: list[Any]) -> None:
    counts = np.array([[1, 0], [2, 1]])

    opened(plots.confusion_plot(counts, ["cigar", "round"], "validation galaxies"))

    panel = drawn[0].axes[0]
    shown = {text.get_position(): text.get_text() for text in panel.texts}
    assert shown == {(0, 0): "1", (1, 0): "0", (0, 1): "2", (1, 1): "1"}
    assert panel.get_xlabel() == "predicted class"
    assert panel.get_ylabel() == "true class"
    assert panel.get_title() == "4 validation galaxies"
    assert [tick.get_text() for tick in panel.get_yticklabels()] == ["cigar", "round"]


def test_confusion_colours_are_shares_of_the_true_class(drawn: list[Any]) -> None:
    counts = np.array([[1, 0, 0], [1, 2, 0], [0, 0, 0]])

    plots.confusion_plot(counts, ["cigar", "round", "spiral"], "galaxies")

    shares = drawn[0].axes[0].images[0].get_array()
    assert np.asarray(shares) == pytest.approx(
        np.array([[1, 0, 0], [1 / 3, 2 / 3, 0], [0, 0, 0]])
    )


def test_class_names_are_shown_as_they_are() -> None:
    plots.confusion_plot(np.eye(2, dtype=np.int64), ["$a_$", "b"], "galaxies")


def test_a_gallery_shows_each_cutout_over_its_caption(drawn: list[Any]) -> None:
    red = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    captions = [f"galaxy {number}" for number in range(9)]

    opened(plots.gallery([red] * 9, captions, "Sky"))

    panels = drawn[0].axes
    assert len(panels) == 16  # two rows of eight
    assert [panel.get_xlabel() for panel in panels[:9]] == captions
    assert not any(panel.axison for panel in panels[9:])
    assert drawn[0].get_suptitle() == "Sky"
    np.testing.assert_array_equal(panels[8].images[0].get_array(), red)


def test_a_failed_cutout_is_grey_in_the_gallery(drawn: list[Any]) -> None:
    plots.gallery([None], ["truncated"], "Sky")

    panel = drawn[0].axes[0]
    np.testing.assert_array_equal(panel.images[0].get_array(), plots.MISSING_CUTOUT)
    assert panel.get_xlabel() == "truncated"
