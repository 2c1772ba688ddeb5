"""README's first command, made small."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from galaxy_models.cli.quickstart import quickstart
from galaxy_models.config import QuickstartConfig
from galaxy_models.errors import OutputError


@pytest.mark.slow
def test_quickstart_leaves_a_model_a_table_and_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "quickstart"
    quickstart(
        QuickstartConfig(output=str(output), num_labelled=100, num_catalog=60, epochs=1)
    )
    table = pd.read_parquet(output / "predictions")
    assert len(table) == table["object_id"].nunique() == 60
    assert (table["status"] == "failed").sum() == 2
    assert {"ra", "dec", "predicted_class", "confidence"} <= set(table)
    printed = capsys.readouterr().out
    assert "pd.read_parquet(" in printed
    assert "gallery.png" in printed
    for picture in ("gallery.png", "model/history.png"):
        assert Image.open(output / picture).size[0] > 500


def test_quickstart_does_not_write_into_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("irreplaceable")
    with pytest.raises(OutputError, match="not empty"):
        quickstart(QuickstartConfig(output=str(tmp_path)))
