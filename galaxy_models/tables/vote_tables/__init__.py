"""Published tables of Galaxy Zoo votes -> labelled catalogs.

    surveys.py       what the columns of each survey are called
    clean_sample.py  vote fractions and thresholds -> labels
    conversion.py    a table of votes -> galaxies.csv

It knows neither pixels nor networks.
"""

from galaxy_models.tables.vote_tables.conversion import Conversion, convert_votes

__all__ = ["Conversion", "convert_votes"]
