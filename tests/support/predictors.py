"""What tests of predicting actors share: a plan without a cluster, and both stages."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from galaxy_models.chunks.ledger import Ledger
from galaxy_models.cluster.job_log import JobLog
from galaxy_models.config import EngineName, ScoreConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.models.card import ModelCard
from galaxy_models.scoring.plan import Plan, Stages
from galaxy_models.scoring.predictor import FusedPredictor, Predictor, decode_chunk
from galaxy_models.scoring.request import Request
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


def plan_for(rows: pa.Table, folder: str = "/sky", keep: tuple[str, ...] = ()) -> Plan:
    """A plan for a catalog of these rows, cut into chunks of two."""
    uri = f"{folder}/galaxies.parquet"
    table = ParquetTable(uri, folder, ("galaxies.parquet",), rows.schema)
    catalog = Catalog(
        uri=uri,
        table=table,
        id_column="dr7",
        image_column="image",
        image_root=folder,
        num_rows=rows.num_rows,
        fingerprint="0",
    )
    card = ModelCard("lenet5", CLASSES, DecodeRule(16), model_hash="0")
    request = Request(
        config=ScoreConfig(catalog=uri, model="/model", output=f"{folder}/predictions"),
        model="/model",
        card=card,
        rule=card.decode_rule,
        catalog=catalog,
        rows=NumberedRows(table, (rows.num_rows,), "0"),
        keep=keep,
    )
    ledger = Ledger(f"{folder}/predictions", rows.num_rows, 2, rows_per_file=200)
    return Plan(request, stages_for("keras", batch_size=8), ledger)


def stages_for(engine: EngineName, batch_size: int = 32) -> Stages:
    """One actor on a CPU."""
    return Stages(
        engine=engine,
        on_gpus=False,
        two_stage=False,
        num_actors=1,
        threads=1,
        batch_size=batch_size,
        actor_cpus=0.5,
        decode_cpus=0.5,
    )


def with_stages(plan: Plan, **changes: Any) -> Plan:
    return dataclasses.replace(plan, stages=dataclasses.replace(plan.stages, **changes))


def with_request(plan: Plan, **changes: Any) -> Plan:
    return dataclasses.replace(
        plan, request=dataclasses.replace(plan.request, **changes)
    )


def in_one_stage(plan: Plan, log: JobLog, chunks: pa.Table) -> pa.Table:
    return pa.concat_tables(FusedPredictor(plan, log)(chunks))


def in_two_stages(plan: Plan, log: JobLog, chunks: pa.Table) -> pa.Table:
    predict = Predictor(plan, log)
    each = [chunks.slice(index, 1) for index in range(len(chunks))]
    return pa.concat_tables([predict(decode_chunk(one, plan=plan)) for one in each])


BOTH_PLANS = pytest.mark.parametrize("predict", [in_one_stage, in_two_stages])
Predict = Callable[[Plan, JobLog, pa.Table], pa.Table]


def kept_rows(plan: Plan) -> pd.DataFrame:
    """What a finished file would hold."""
    plan.ledger.finish_file(0, {})
    return pd.read_parquet(plan.ledger.output)
