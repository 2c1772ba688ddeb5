"""Every engine gives the probabilities of the trained model."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from galaxy_models.config import EngineName
from galaxy_models.models import engines
from galaxy_models.models.engines import KerasEngine, load_engine
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]
MAX_MEMORY_MB = 400  # with Ray Data; TensorFlow alone takes as much again
IMAGES = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3), np.uint8)


@pytest.fixture
def started_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier tests may have used TensorFlow here; its threads are set but once."""
    monkeypatch.setattr(engines, "start_tensorflow", lambda *_, **__: None)


@pytest.mark.parametrize(
    ("name", "tolerance"), [("keras", 1e-5), ("litert-float", 1e-4)]
)
def test_float_engines_give_the_model_s_probabilities(
    started_tensorflow: None, model_folder: str, name: EngineName, tolerance: float
) -> None:
    engine = load_engine(name, model_folder, read_card(model_folder), threads=1)
    expected = load_model(model_folder).predict_on_batch(IMAGES)
    np.testing.assert_allclose(engine.predict(IMAGES), expected, atol=tolerance)


def test_mixed_precision_computes_in_float16_and_answers_in_float32(
    started_tensorflow: None, model_folder: str
) -> None:
    engine = KerasEngine(model_folder, read_card(model_folder), 1, on_gpu=True)
    probabilities = engine.predict(IMAGES)
    expected = load_model(model_folder).predict_on_batch(IMAGES)
    difference = np.abs(probabilities - expected).max()
    assert 0 < difference < 1e-2  # none at all would mean float32
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


ACTOR = """
import re, sys
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
import ray.data  # as in every process of a Ray Data job
from galaxy_models.tables.catalog import Catalog
from galaxy_models.cluster.job_log import JobLog
from galaxy_models.models.folder import read_card
from galaxy_models.chunks.ledger import Ledger
from galaxy_models.config import ScoreConfig
from galaxy_models.scoring.plan import Plan, Stages
from galaxy_models.scoring.predictor import FusedPredictor
from galaxy_models.scoring.request import Request
from galaxy_models.tables.formats import open_parquet
from galaxy_models.tables.formats.numbered_rows import number_rows

JobLog.count = lambda self, **numbers: None
model, image, folder = sys.argv[1:]
rows = pa.table({"object_id": [1, 2], "image": [image, image]})
pq.write_table(rows, f"{folder}/catalog.parquet")
table = open_parquet(f"{folder}/catalog.parquet")
card = read_card(model)
catalog = Catalog("c", table, "object_id", "image", "/", 2, "0")
config = ScoreConfig(catalog="c", model=model, output=folder)
rule, rows = card.decode_rule, number_rows(table)
request = Request(config, model, card, rule, catalog, rows, ())
stages = Stages("litert-int8", False, False, 1, 1, 32, 0.5, 0.5)
plan = Plan(request, stages, Ledger(folder, 2, 2, 2))
list(FusedPredictor(plan, JobLog(None))(pa.table({"chunk": [0]})))
predictions = pq.read_table(plan.ledger.chunk_uri(0))
print(predictions["status"].to_pylist().count("ok"))
print(sum(name in sys.modules for name in ("tensorflow", "keras")))
status = Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_litert_actor_never_imports_tensorflow(
    model_folder: str, labelled: Survey, tmp_path: Path
) -> None:
    image = max(labelled.catalog.parent.rglob("*.jpg"), key=lambda p: p.stat().st_size)
    finished = subprocess.run(
        [sys.executable, "-c", ACTOR, model_folder, str(image), str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )
    num_good, num_imported, memory_mb = map(int, finished.stdout.split())
    assert num_good == 2
    assert num_imported == 0
    assert memory_mb < MAX_MEMORY_MB
