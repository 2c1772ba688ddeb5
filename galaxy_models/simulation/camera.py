"""A made-up camera: sources of light in, a noisy colour photograph out.

Every source is a ``Light``: its Fourier transform and its flux in each band.
Summing sources, blurring them and reading them out then costs one small
inverse transform a band, whatever the number of sources. Fluxes, noise and
pixels are those of the Sloan Digital Sky Survey's imaging.

The camera knows nothing of morphology; ``galaxies`` gives it the sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import galsim
import numpy as np
from numpy.typing import NDArray

BANDS = ("g", "r", "i")
PIXEL_SCALE_ARCSEC = 0.396  # SDSS
FRAME_PX = 96  # a 38 arcsec frame, about SDSS's cutout of a main-sample galaxy
GRID_PX = 128  # wider than the frame, so that what wraps around stays outside
FRAME_ARCSEC = FRAME_PX * PIXEL_SCALE_ARCSEC
ZERO_POINT_MAG = 22.5  # the magnitude of one nanomaggy

# One SDSS exposure in g, r, i: sky noise in nanomaggies a pixel, photoelectrons
# in a nanomaggy, and seeing relative to the r band's.
SKY_NOISE = np.array([0.016, 0.024, 0.036], dtype=np.float32)
PHOTOELECTRONS = np.array([1000.0, 950.0, 700.0], dtype=np.float32)
RELATIVE_SEEING = (1.06, 1.0, 0.96)

# Which band shows in which colour, and how strongly. A galaxy of solar type
# comes out about white.
RGB_BANDS = (2, 1, 0)
RGB_WEIGHTS = np.array([0.82, 1.0, 1.5], dtype=np.float32)
BLACK_POINT = -0.006  # nanomaggies a pixel, shown as black
SOFTENING = 7.0  # Lupton et al.'s Q: how early bright parts are compressed
STRETCH = 0.65  # nanomaggies a pixel; fainter light is shown linearly

# FFT accuracy for 8-bit pictures: tables are built in milliseconds.
LOW_ACCURACY = galsim.GSParams(
    folding_threshold=2e-2, maxk_threshold=2e-2, kvalue_accuracy=1e-3
)


@dataclass(frozen=True)
class Light:
    """One source.

    Args:
        transform: complex64, shape (GRID_PX, GRID_PX // 2 + 1), the Fourier
            transform of the source with flux 1, in the order of ``rfft2``;
            the source's origin is the frame's centre.
        fluxes: float32, shape (bands,), nanomaggies.
    """

    transform: NDArray[np.complex64]
    fluxes: NDArray[np.float32]


def fluxes_in_bands(
    r_magnitude: float, g_minus_r: float, r_minus_i: float
) -> NDArray[np.float32]:
    """Fluxes in g, r, i, in nanomaggies, from a magnitude (AB) and two colours."""
    magnitudes = np.array(
        [r_magnitude + g_minus_r, r_magnitude, r_magnitude - r_minus_i]
    )
    fluxes: NDArray[np.float32] = np.power(
        10, 0.4 * (ZERO_POINT_MAG - magnitudes)
    ).astype(np.float32)
    return fluxes


def transform_profile(profile: galsim.GSObject) -> NDArray[np.complex64]:
    """The Fourier transform of a GalSim profile (units arcsec), as in ``Light``."""
    half = GRID_PX // 2
    image = galsim.Image(
        galsim.BoundsI(0, half, -half, half - 1),
        dtype=np.complex64,
        scale=2 * np.pi / (GRID_PX * PIXEL_SCALE_ARCSEC),
    )
    profile.drawKImage(image=image, recenter=False)
    return np.fft.ifftshift(image.array, axes=0)


def transform_grid(brightness: NDArray[np.float32]) -> NDArray[np.complex64]:
    """The Fourier transform of a picture scaled to flux 1, as in ``Light``.

    Args:
        brightness: float32, shape (GRID_PX, GRID_PX), on the camera's pixels,
            with the frame's centre at [GRID_PX // 2, GRID_PX // 2].

    Returns:
        complex64, shape (GRID_PX, GRID_PX // 2 + 1).
    """
    centred_at_zero = np.fft.ifftshift(brightness / brightness.sum())
    transform: NDArray[np.complex64] = np.fft.rfft2(centred_at_zero).astype(
        np.complex64
    )
    return transform


@cache
def _blur(seeing_arcsec: float) -> NDArray[np.complex64]:
    """Atmosphere times pixel for each band, shape (bands, GRID_PX, half + 1)."""
    pixel = transform_profile(galsim.Pixel(PIXEL_SCALE_ARCSEC))
    return np.stack(
        [
            pixel
            * transform_profile(
                # GalSim has a closed form for the transform at beta = 2.5.
                galsim.Moffat(
                    beta=2.5, fwhm=seeing_arcsec * relative, gsparams=LOW_ACCURACY
                )
            )
            for relative in RELATIVE_SEEING
        ]
    )


def blurred(lights: Sequence[Light], seeing_arcsec: float) -> NDArray[np.float32]:
    """The sources' light as it falls on the pixels, without noise.

    Args:
        lights: the sources; their fluxes add up.
        seeing_arcsec: full width at half maximum of the r band's Moffat profile;
            each value is kept in memory, so take it from a short list.

    Returns:
        float32, shape (bands, GRID_PX, GRID_PX), nanomaggies a pixel; the frame's
        centre is at [GRID_PX // 2, GRID_PX // 2].
    """
    transforms = np.stack([light.transform for light in lights])
    fluxes = np.stack([light.fluxes for light in lights])
    # einsum, not BLAS, whose sums differ in the last bit with its thread count.
    scene = np.einsum("lb,lyx->byx", fluxes, transforms) * _blur(seeing_arcsec)
    pixels: NDArray[np.float32] = np.fft.fftshift(
        np.fft.irfft2(scene, s=(GRID_PX, GRID_PX)), axes=(1, 2)
    ).astype(np.float32)
    return pixels


def with_noise(
    frame: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add photon and sky noise (Gaussian: a pixel collects hundreds).

    Args:
        frame: float32, shape (bands, height, width), nanomaggies a pixel.
        rng: draws the noise.
    """
    variance = (
        SKY_NOISE[:, None, None] ** 2
        + np.maximum(frame, 0) / PHOTOELECTRONS[:, None, None]
    )
    noise = rng.standard_normal(frame.shape, dtype=np.float32)
    noisy: NDArray[np.float32] = frame + noise * np.sqrt(variance)
    return noisy


def expose(
    lights: Sequence[Light], seeing_arcsec: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Photographs the sources through the atmosphere, in all bands.

    Args:
        lights: as for ``blurred``.
        seeing_arcsec: as for ``blurred``.
        rng: as for ``with_noise``.

    Returns:
        float32, shape (bands, FRAME_PX, FRAME_PX), sky-subtracted nanomaggies a
        pixel, bands as in ``BANDS``.
    """
    margin = (GRID_PX - FRAME_PX) // 2
    inside = slice(margin, margin + FRAME_PX)
    return with_noise(blurred(lights, seeing_arcsec)[:, inside, inside], rng)


def bands_to_rgb(
    bands: NDArray[np.float32], stretch: float = STRETCH, softening: float = SOFTENING
) -> NDArray[np.uint8]:
    """Colour picture in which a pixel's colour does not depend on its brightness.

    Args:
        bands: float32, shape (bands, height, width), nanomaggies a pixel,
            bands as in ``BANDS``.
        stretch: nanomaggies a pixel; fainter light is shown linearly.
        softening: Lupton et al.'s Q; larger values compress bright parts more.

    Returns:
        uint8, shape (height, width, 3), red from i, green from r, blue from g.

    Source:
        Lupton et al. 2004, PASP 116, 133, arXiv:astro-ph/0312483, sections 2-3:
        intensity scaled by asinh, and saturated pixels scaled down as a whole.
    """
    channels = bands[list(RGB_BANDS)].transpose(1, 2, 0) * RGB_WEIGHTS - BLACK_POINT
    intensity = np.maximum(channels.mean(axis=2, keepdims=True), 1e-6)
    scaled = np.arcsinh(softening * intensity / stretch) / softening
    rgb = np.maximum(channels * (scaled / intensity), 0)
    rgb /= np.maximum(rgb.max(axis=2, keepdims=True), 1)
    colours: NDArray[np.uint8] = (rgb * 255).round().astype(np.uint8)
    return colours
