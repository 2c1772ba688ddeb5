"""FITS cutouts become pictures as Lupton et al. 2004 have it, north up."""

import gzip
import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.visualization import make_lupton_rgb
from image_files import RULE, failure, fits_file, fluxes, tiles_file
from numpy.typing import NDArray

from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.decode import DecodeRule, decode_image
from galaxy_models.images.fits import decode_fits

CUBE = fluxes()
Pixels = NDArray[Any]


def lupton(
    red: Pixels, green: Pixels, blue: Pixels, *, stretch: float = 0.5, q: float = 10.0
) -> NDArray[np.int_]:
    """Astropy's own picture, its top row first."""
    with np.errstate(invalid="ignore"):
        rgb = make_lupton_rgb(red, green, blue, stretch=stretch, Q=q)
    return np.asarray(rgb[::-1], int)


def picture(data: bytes, **rule: Any) -> NDArray[np.int_]:
    return decode_fits(data, DecodeRule(32, **rule)).astype(int)


def assert_same(found: NDArray[np.int_], expected: NDArray[np.int_]) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1
    assert expected.max() > 100


def band_images(dtype: str = "f4") -> bytes:
    """One band an HDU: g, r and z, each with its weights behind it."""
    hdus = [fits.PrimaryHDU()]
    for name, plane in zip("grz", CUBE, strict=True):
        hdus.append(fits.ImageHDU(plane.astype(dtype), name=name))
        hdus.append(fits.ImageHDU(np.ones((7, 7), "f4"), name=f"{name}_weight"))
    return fits_file(*hdus)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "i8", "f4", "f8"])
def test_a_picture_of_any_pixel_type_becomes_grey(dtype: str) -> None:
    pixels = (CUBE[0].clip(0) * 100).astype(dtype)

    found = picture(fits_file(pixels), fits_stretch=50.0)

    assert_same(found, lupton(*[pixels * 1.0] * 3, stretch=50))
    assert (found == found[..., :1]).all()


def test_of_a_cube_of_three_bands_the_last_is_red() -> None:
    assert_same(picture(fits_file(CUBE)), lupton(CUBE[2], CUBE[1], CUBE[0]))


def test_a_cube_of_one_band_becomes_grey() -> None:
    assert_same(picture(fits_file(CUBE[:1])), lupton(*[CUBE[0]] * 3))


def test_axes_of_one_in_front_count_for_nothing() -> None:
    assert_same(picture(fits_file(CUBE[None])), lupton(*CUBE[::-1]))
    assert_same(picture(fits_file(CUBE[None, :1])), lupton(*[CUBE[0]] * 3))


def test_bands_of_a_cube_are_picked_by_number() -> None:
    found = picture(fits_file(fluxes(5)), fits_bands=("4", "2", "0"))

    assert_same(found, lupton(*fluxes(5)[[4, 2, 0]]))


def test_bands_of_a_cube_are_picked_by_the_names_in_its_header() -> None:
    hdu = fits.PrimaryHDU(fluxes(4))
    for index, name in enumerate("griz"):
        hdu.header[f"BAND{index}"] = name

    found = picture(fits_file(hdu), fits_bands=("Z", "r", "g"))

    assert_same(found, lupton(*fluxes(4)[[3, 1, 0]]))


def test_images_are_picked_by_extname_and_by_number() -> None:
    expected = lupton(*CUBE[::-1])

    assert_same(picture(band_images(), fits_bands=("Z", "r", "G")), expected)
    assert_same(picture(band_images(), fits_bands=("4", "2", "0")), expected)


def test_one_picked_band_becomes_grey() -> None:
    assert_same(picture(band_images(), fits_bands=("r",)), lupton(*[CUBE[1]] * 3))


def test_of_several_images_the_first_becomes_grey_for_others_may_be_weights() -> None:
    assert_same(picture(band_images()), lupton(*[CUBE[0]] * 3))


def test_stretch_and_q_are_luptons() -> None:
    found = picture(fits_file(CUBE), fits_stretch=0.1, fits_q=3.0)

    assert_same(found, lupton(*CUBE[::-1], stretch=0.1, q=3))


def test_fluxes_in_any_unit_give_the_same_picture() -> None:
    found = picture(fits_file(CUBE.astype("f8") * 1e-29), fits_stretch=0.5e-29)

    assert_same(found, lupton(*CUBE[::-1]))


def test_the_first_row_lies_at_the_bottom() -> None:
    pixels = np.zeros((32, 32), np.float32)
    pixels[:4, :8] = 1000  # lower left

    square = decode_image(fits_file(pixels), RULE)

    assert square[-4:, :8].min() >= 254
    assert square[:-4].max() == 0


@pytest.mark.parametrize("wrap", [gzip.compress, lambda data: data])
def test_gzip_changes_nothing(wrap: Any) -> None:
    assert_same(picture(wrap(fits_file(CUBE))), lupton(*CUBE[::-1]))


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1", "GZIP_2"])
def test_tiles_of_integers_lose_nothing(compression: str) -> None:
    pixels = (CUBE * 1000).astype("i4")

    found = picture(tiles_file(pixels, compression), fits_stretch=500.0)

    assert_same(found, lupton(*pixels[::-1].astype(float), stretch=500))


@pytest.mark.parametrize("dtype", ["u1", "i2"])
def test_rice_tiles_of_small_integers_lose_nothing(dtype: str) -> None:
    pixels = (CUBE.clip(0) * 60).astype(dtype)

    found = picture(tiles_file(pixels), fits_stretch=30.0)

    assert_same(found, lupton(*pixels[::-1].astype(float), stretch=30))


def test_rice_tiles_of_floats_are_close() -> None:
    found = picture(tiles_file(CUBE))

    distance = np.abs(found - lupton(*CUBE[::-1]))
    assert distance.mean() < 2
    assert distance.max() < 20


def test_what_lies_beside_a_picked_image_may_be_compressed_in_other_ways() -> None:
    mask = np.ones((40, 40), np.int32)
    image = fits.CompImageHDU((CUBE[0] * 100).astype("i4"), name="image")
    data = fits_file(
        fits.PrimaryHDU(), image, fits.CompImageHDU(mask, compression_type="PLIO_1")
    )

    assert picture(data, fits_stretch=50.0).max() > 100


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_pixel_without_a_value_in_one_band_is_black(hole: float) -> None:
    cube = CUBE.copy()
    cube[1, 19, 20] = hole

    found = picture(fits_file(cube))

    assert found[40 - 1 - 19, 20].tolist() == [0, 0, 0]
    cube[:, 19, 20] = 0
    assert_same(found, lupton(*cube[::-1]))


def test_integers_that_the_header_declares_blank_are_black() -> None:
    pixels = (CUBE[0] * 1000).astype(np.int16)
    pixels[19, 20] = -32768
    hdu = fits.PrimaryHDU(pixels)
    hdu.header["BLANK"] = -32768

    assert picture(fits_file(hdu))[40 - 1 - 19, 20].tolist() == [0, 0, 0]


def test_negative_fluxes_are_black() -> None:
    assert not picture(fits_file(-np.abs(CUBE))).any()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_absurd_fluxes_are_white_or_black(dtype: str) -> None:
    pixels = CUBE[0].astype(dtype)
    pixels[0, :2] = np.finfo(dtype).max, np.finfo(dtype).min

    found = picture(fits_file(pixels))

    assert found[-1, 0].min() >= 254
    assert found[-1, 1].tolist() == [0, 0, 0]


def test_a_large_picture_has_no_seams() -> None:
    pixels = fluxes(1, 600)[0]

    assert_same(picture(fits_file(pixels)), lupton(*[pixels] * 3))


def test_a_frame_of_nothing_but_nan_is_unreadable() -> None:
    error = failure(fits_file(np.full((9, 9), np.nan, "f4")))

    assert str(error) == "unreadable: FITS without a single finite pixel"


def test_a_picture_is_cropped_in_its_centre() -> None:
    pixels = np.zeros((64, 80), np.float32)
    pixels[16:48, 24:56] = 1000

    square = decode_image(fits_file(pixels), DecodeRule(32, crop_fraction=0.5))

    assert square.min() >= 254


def test_a_band_that_is_not_there_is_unreadable_and_the_others_are_named() -> None:
    for name in ("y", "6", "-1", "²"):
        with pytest.raises(ImageDecodeError, match="unreadable: .*G, G_WEIGHT, R,"):
            picture(band_images(), fits_bands=(name,))


def test_bands_of_different_sizes_are_unreadable() -> None:
    with pytest.raises(ImageDecodeError, match=r"unreadable: .*\(7, 7\), \(40, 40\)"):
        picture(band_images(), fits_bands=("g", "r", "z_weight"))


@pytest.mark.parametrize("bands", [2, 4, 5])
def test_a_cube_of_other_than_three_bands_asks_which(bands: int) -> None:
    error = failure(fits_file(fluxes(bands)))

    assert error.reason == "unreadable"
    assert f"cube of {bands} bands; pick some with --fits-bands" in error.detail


@pytest.mark.parametrize(
    "data",
    [
        fits_file(fits.PrimaryHDU()),
        fits_file(
            fits.PrimaryHDU(),
            fits.BinTableHDU.from_columns([fits.Column("ra", "D", array=[1.0])]),
        ),
        fits_file(np.zeros(100, np.float32)),
        fits_file(np.zeros((0, 10), np.float32)),
        gzip.compress(b"object_id,image\n"),
    ],
    ids=["nothing", "table", "spectrum", "no rows", "gzip of a table"],
)
def test_a_file_without_a_picture_is_not_an_image(data: bytes) -> None:
    assert failure(data).reason == "not_an_image"


def test_random_groups_are_not_an_image() -> None:
    hdu = fits.PrimaryHDU(CUBE[0])
    hdu.header.update({"GROUPS": True, "PCOUNT": 0, "GCOUNT": 40})
    side, no_side = (f"NAXIS1  = {side:20}".encode() for side in (40, 0))

    data = fits_file(hdu).replace(side, no_side)

    assert failure(data).reason == "not_an_image"


def test_flaws_that_astropy_warns_of_stay_out_of_the_log(
    recwarn: pytest.WarningsRecorder,
) -> None:
    data = fits_file(CUBE[0]).replace(b"EXTEND  =", b"extend  =") + b"what is this"

    decode_image(data, RULE)

    assert not recwarn.list
    with pytest.warns(), fits.open(io.BytesIO(data)) as hdus:
        len(hdus)
