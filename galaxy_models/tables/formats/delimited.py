"""CSV and TSV files, also gzipped."""

import re
from collections.abc import Iterator
from typing import NoReturn

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset

from galaxy_models import storage
from galaxy_models.errors import CatalogError
from galaxy_models.tables.formats.table import Table, unreadable

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
OTHER_SEPARATORS = {";": "semicolons", "|": "bars", "\t": "tabs", ",": "commas"}
# Arrow's words where the header is one column, and a number has a decimal comma.
ROW_OF_SEVERAL = re.compile(r"Expected 1 columns, got \d+: (.*)")
# The only place where Arrow says which column it was.
CONVERSION_ERROR = re.compile(r"CSV column #(\d+): (?:Row #(\d+): )?.*?error to (\w+)")


class DelimitedTable(Table):
    """A text table; types are guessed from its first megabyte."""

    types_are_guessed = True

    def __init__(self, uri: str, text_columns: tuple[str, ...] = ()) -> None:
        self.uri = uri
        self.image_root = storage.parent(uri)
        try:
            self._dataset = _open_dataset(uri, text_columns)
            schema = self._dataset.schema
            columns = zip(schema.names, schema.types, strict=True)
            empty = [name for name, type_ in columns if pa.types.is_null(type_)]
            if empty:  # no value yet, so no type: text takes whatever comes
                self._dataset = _open_dataset(uri, (*text_columns, *empty))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if found := ROW_OF_SEVERAL.search(str(error)):
                raise CatalogError(
                    f"the header of {uri} has one column, and a row has more "
                    f"({found[1]!r}); separate columns by commas in .csv (and write "
                    "decimal points), or by tabs in .tsv."
                ) from error
            raise unreadable(uri, error) from error
        self.schema = self._dataset.schema
        _check_separator(uri, self.schema.names)

    def with_text(self, column: str) -> Table:
        """Open the table again, a column's text not guessed into numbers."""
        return DelimitedTable(self.uri, (column,))

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._dataset.to_batches(columns=columns)
        except pa.ArrowInvalid as error:
            self._refuse_mixed_types(error)

    def _refuse_mixed_types(self, error: pa.ArrowInvalid) -> NoReturn:
        found = CONVERSION_ERROR.search(str(error))
        if found is None:
            raise error
        number, row, type_ = found.groups()
        name = self.schema.names[int(number)]
        place = f" (row {row})" if row else ""
        raise CatalogError(
            f"column {name!r} of {self.uri} starts as {type_} and goes on as "
            f"something else{place}: {str(error).rpartition('error to ')[2].strip()}; "
            "write all its values alike, or convert the catalog to Parquet."
        ) from error


def _check_separator(uri: str, names: list[str]) -> None:
    """Refuse a table that another character separates: all of it is one column."""
    for character, words in OTHER_SEPARATORS.items():
        if len(names) == 1 and character in names[0]:
            raise CatalogError(
                f"the columns of {uri} seem to be separated by {words} (its only one "
                f"is {names[0]!r}); save it as .csv with commas, or .tsv with tabs."
            )


def _open_dataset(uri: str, text_columns: tuple[str, ...]) -> pa_dataset.Dataset:
    filesystem, path = storage.filesystem_and_path(uri)
    is_tsv = uri.lower().removesuffix(".gz").endswith(".tsv")
    table_format = pa_dataset.CsvFileFormat(
        parse_options=pa_csv.ParseOptions(delimiter="\t" if is_tsv else ","),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(text_columns, pa.string()),
            strings_can_be_null=True,
        ),
    )
    return pa_dataset.dataset(path, format=table_format, filesystem=filesystem)
