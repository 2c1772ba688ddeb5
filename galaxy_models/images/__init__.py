"""Bytes -> pixels.

    decode.py         any image file -> a uint8 square, by the model's decode rule
    files.py          image files -> their bytes, wherever they are
    fits.py           FITS images -> the same
    fits_limits.py    what of a FITS file is refused before it is unpacked
    wide.py           whole survey frames, read by regions
    wide_image.py     what each of them can do
    wide_fits.py      FITS of any size
    pictures.py       whole pictures
    resize.py         resizing that antialiases
    allowed_paths.py  which images a catalog may name

It knows neither catalogs nor networks, and not Ray.
"""
