"""Ids hang on peak pixels, and of a picture's equal pixels always the same is one."""

import io
from typing import Any

import numpy as np
from PIL import Image
from wide_frames import detect_all

SIDE, STEP = 700, 50


def flat_tops() -> Any:
    """A picture of sources whose middles are white, on a sky that is not even."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    gap = np.hypot((rows % STEP) - STEP / 2, (columns % STEP) - STEP / 2)
    light = 600 * np.exp(-(gap**2) / 18)
    sky = 20 + 6 * np.sin(rows / 90) + 5 * np.cos(columns / 70)
    noise = np.random.default_rng(0).normal(0, 2, light.shape)
    return np.clip(light + sky + noise, 0, 255).astype(np.uint8)


def test_a_source_has_the_same_id_in_any_tile() -> None:
    stream = io.BytesIO()
    Image.fromarray(flat_tops()).save(stream, "PNG")
    whole = detect_all(stream.getvalue())
    tiled = detect_all(stream.getvalue(), core_px=256)
    assert len(whole) >= (SIDE // STEP) ** 2
    assert set(whole["object_id"]) == set(tiled["object_id"])
