"""Catalogs in, predictions out: tables and what their columns mean.

    formats/              any table of galaxies -> Arrow batches; a module a format
    catalog.py            a checked catalog
    first_images.py       whether any of a catalog's first images exists
    columns.py            columns by their usual names
    object_ids.py         ids: present, unique, hashed
    sorted_hashes.py      any number of them in bounded memory
    id_index.py           ids of one table among those of another
    prediction_schema.py  the columns of predictions
    detection_schema.py   the columns of detections
    votable_metadata.py   units and UCDs, as VOParquet has them
    predictions.py        predictions read back
    hats/                 predictions -> a HATS catalog

It knows neither pixels nor networks, and not Ray.
"""
