"""What tests of predicting actors share: a plan without a cluster, and both stages."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from galaxy_models.cluster.job_log import JobLog
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.models.card import ModelCard
from galaxy_models.scoring.ledger import Ledger
from galaxy_models.scoring.predictor import (
    FusedPredictor,
    Predictor,
    PredictorPlan,
    decode_chunk,
)
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.formats import ParquetTable
from galaxy_models.tables.formats.numbered_rows import NumberedRows

CLASSES = ("cigar", "round", "spiral")


class CountingLog(JobLog):
    """Adds up what the predictor counts, without an actor."""

    def __init__(self) -> None:
        super().__init__(None)
        self.counts: Counter[str] = Counter()

    def count(self, **numbers: int) -> None:
        self.counts.update(numbers)


def rows_with(ids: pa.Array, images: list[str | None]) -> pa.Table:
    ra = pa.array(np.linspace(10, 20, len(images)))
    return pa.table({"dr7": ids, "image": pa.array(images, pa.string()), "ra": ra})


def plan_for(
    rows: pa.Table, folder: str = "/sky", keep: tuple[str, ...] = ()
) -> PredictorPlan:
    """A plan for a catalog of these rows, cut into chunks of two."""
    uri = f"{folder}/galaxies.parquet"
    table = ParquetTable(uri, folder, ("galaxies.parquet",), rows.schema)
    return PredictorPlan(
        model="/model",
        card=ModelCard("lenet5", CLASSES, DecodeRule(16), model_hash="0"),
        catalog=Catalog(
            uri=uri,
            table=table,
            id_column="dr7",
            image_column="image",
            image_root=folder,
            num_rows=rows.num_rows,
            fingerprint="0",
        ),
        rows=NumberedRows(table, (rows.num_rows,), "0"),
        ledger=Ledger(f"{folder}/predictions", rows.num_rows, 2, 100),
        keep=keep,
        engine="keras",
        threads=1,
        batch_size=8,
        tta="none",
    )


def in_one_stage(plan: PredictorPlan, log: JobLog, chunks: pa.Table) -> pa.Table:
    return pa.concat_tables(FusedPredictor(plan, log)(chunks))


def in_two_stages(plan: PredictorPlan, log: JobLog, chunks: pa.Table) -> pa.Table:
    predict = Predictor(plan, log)
    each = [chunks.slice(index, 1) for index in range(len(chunks))]
    return pa.concat_tables([predict(decode_chunk(one, plan=plan)) for one in each])


BOTH_PLANS = pytest.mark.parametrize("predict", [in_one_stage, in_two_stages])
Predict = Callable[[PredictorPlan, JobLog, pa.Table], pa.Table]


def kept_rows(plan: PredictorPlan) -> pd.DataFrame:
    """What a finished file would hold."""
    plan.ledger.finish_file(0, {})
    return pd.read_parquet(plan.ledger.output)
