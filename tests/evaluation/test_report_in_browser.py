"""The report as a real browser draws it; skips where there is no Chromium."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from prediction_files import write_survey_predictions

from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation import evaluate
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 500
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"

PAPER, DARK_PAPER = (251, 250, 247), (20, 23, 27)
BLUE, ORANGE = (31, 111, 159), (209, 99, 29)  # of the figures
PHONE_PX = 390

Pixels = NDArray[np.uint8]
Screenshot = Callable[..., Pixels]


@pytest.fixture
def screenshot(tmp_path: Path) -> Screenshot:
    """Takes pictures of a page."""
    named = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )
    if named is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}; or set CHROMIUM")

    def take(page: Path, width: int, height: int, *flags: str) -> Pixels:
        picture = tmp_path / "screenshot.png"
        command = [
            *(named, *QUIET, *flags, f"--user-data-dir={tmp_path / 'profile'}"),
            *(f"--screenshot={picture}", f"--window-size={width},{height}"),
            page.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
        return np.asarray(Image.open(picture).convert("RGB"))

    return take


@pytest.fixture(scope="module")
def page(labelled: Survey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a made-up survey, with every figure and all galleries."""
    folder = tmp_path_factory.mktemp("browser")
    predictions = write_survey_predictions(folder / "predictions", labelled)
    report = evaluate(
        EvaluateConfig(
            predictions=str(predictions),
            labels=str(labelled.catalog),
            output=str(folder / "report"),
        )
    )
    return Path(report.page)


def share_of(pixels: Pixels, colour: tuple[int, int, int]) -> float:
    """Share of the pixels that are of a colour, or nearly."""
    distance = np.abs(pixels.astype(int) - colour).max(axis=-1)
    return float((distance < 12).mean())


def test_the_page_shows_its_figures_and_galaxies(
    page: Path, screenshot: Screenshot
) -> None:
    pixels = screenshot(page, 1200, 3600)

    assert pixels.shape == (3600, 1200, 3)
    assert share_of(pixels, PAPER) > 0.2
    assert share_of(pixels, BLUE) > 0.005  # bars
    assert share_of(pixels, ORANGE) > 0.0001  # lines
    galleries = pixels[2900:]
    assert (galleries.max(axis=-1) < 70).mean() > 0.1  # night sky


def test_a_reader_who_prefers_the_dark_gets_a_dark_page(
    page: Path, screenshot: Screenshot
) -> None:
    pixels = screenshot(page, 1200, 2400, DARK)

    assert share_of(pixels, DARK_PAPER) > 0.2
    assert (pixels.min(axis=-1) > 240).mean() < 0.05  # figures too


def test_nothing_is_cut_off_on_a_phone(
    page: Path, screenshot: Screenshot, tmp_path: Path
) -> None:
    # Chromium's own windows are no narrower than 500 px.
    frame = tmp_path / "phone.html"
    frame.write_text(
        f'<body style="margin:0"><iframe src="{page.as_uri()}" '
        f'style="width:{PHONE_PX}px;height:4000px;border:0"></iframe>'
    )
    pixels = screenshot(frame, 500, 4000)[:, :PHONE_PX]

    assert share_of(pixels[:, -12:], PAPER) == 1
    assert share_of(pixels[:, :12], PAPER) == 1
    assert share_of(pixels, BLUE) > 0.005
