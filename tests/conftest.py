"""What several tests share: a made-up survey, one Ray, one trained model."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog_files import Opener, repeated
from dataset_here import DatasetHere
from earlier_scoring import (
    NUM_NOW,
    ROWS_PER_FILE,
    Configure,
    galaxies,
    score_earlier,
)
from filelock import FileLock
from package_files import PackageFiles, built_package
from prediction_files import FAILED, row, write_labels, write_predictions
from report_files import Evaluate
from s3_server import UNSET_VARIABLES, S3Server, running_s3_server
from score_job import NUM_ROWS
from training_digest import training_digest
from unlabelled_survey import write_unlabelled

from galaxy_models.config import (
    CatalogConfig,
    EvaluateConfig,
    ScoreConfig,
    TrainConfig,
)
from galaxy_models.models.card import CARD_NAME
from galaxy_models.simulation import Survey, write_survey
from galaxy_models.tables.catalog import Catalog, open_catalog

SmallTraining = Callable[..., TrainConfig]

# Ray runs its workers at niceness 15: beside others' work they would hardly run at all.
os.environ.setdefault("RAY_worker_niceness", "0")

NUM_LABELLED = 120
IMAGE_SIZE_PX = 48


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for the whole suite; none for chosen tests, which start at once."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return 2 if is_whole else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: those that need Ray, then slow ones."""
    turns: dict[Path, int] = {}
    for item in items:
        turns[item.path] = min(_turn(item), turns.get(item.path, _turn(item)))
    items.sort(key=lambda item: turns[item.path])


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("slow") is None:
        return 2
    fixtures = set(getattr(item, "fixturenames", ()))
    return 1 if fixtures.isdisjoint({"ray_here", "model_folder"}) else 0


@pytest.fixture
def sky(tmp_path: Path) -> Path:
    """A folder with one image, 1.jpg."""
    folder = tmp_path / "sky"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"\xff\xd8")
    return folder


@pytest.fixture
def opened(sky: Path) -> Callable[..., Catalog]:
    """Opens a catalog whose images lie under the folder ``sky``."""

    def open_it(path: Path | str, *columns: str, **settings: Any) -> Catalog:
        config = CatalogConfig(catalog=str(path), image_root=str(sky), **settings)
        return open_catalog(config, str(sky.parent / "staging"), columns)

    return open_it


@pytest.fixture
def catalog_of(sky: Path) -> Opener:
    """Writes a catalog beside the image and opens it."""

    def write_and_open(
        content: str | bytes | pa.Table,
        name: str = "galaxies.csv",
        columns: Sequence[str] = (),
        **settings: Any,
    ) -> Catalog:
        path = sky / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(
                content if isinstance(content, bytes) else content.encode()
            )
        config = CatalogConfig(catalog=str(path), **settings)
        return open_catalog(config, str(sky.parent / "staging"), columns)

    return write_and_open


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """A labelled survey: 120 galaxies, one of them broken."""
    return write_survey(
        tmp_path_factory.mktemp("labelled"),
        NUM_LABELLED,
        image_size=IMAGE_SIZE_PX,
        seed=3,
        broken_fraction=1 / NUM_LABELLED,
    )


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return write_unlabelled(tmp_path_factory.mktemp("unlabelled"))


@pytest.fixture(scope="session")
def many_galaxies(labelled: Survey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of the labelled galaxies (one of them broken) under very many ids."""
    path = tmp_path_factory.mktemp("many") / "catalog.parquet"
    repeated(labelled, NUM_ROWS).to_parquet(path, index=False)
    return path


@pytest.fixture(scope="session")
def ray_here() -> Iterator[None]:
    """One embedded Ray for all tests that need one: starting it takes seconds."""
    from galaxy_models.cluster.session import ray_session

    with ray_session():
        yield


@pytest.fixture(scope="session")
def model_folder(
    request: pytest.FixtureRequest, labelled: Survey, small_training: SmallTraining
) -> str:
    """A model folder of a small training, for all tests that only read it.

    Pytest's cache keeps it while what it depends on stays the same.
    """
    from galaxy_models.training import fit

    models = request.config.cache.mkdir("models")
    output = models / training_digest()
    with FileLock(models / "lock"):
        if not (output / CARD_NAME).exists():
            for earlier in models.glob("[0-9a-f]*"):
                shutil.rmtree(earlier)
            fit(small_training(labelled, str(output)))
    return str(output)


@pytest.fixture
def without_actors(ray_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scorings predict in this process; all else of them is as ever."""
    monkeypatch.setattr("ray.data.from_items", DatasetHere.from_items)
    # Earlier tests may have used TensorFlow here; its threads are set but once.
    monkeypatch.setattr(
        "galaxy_models.models.engines.start_tensorflow", lambda *_, **__: None
    )


@pytest.fixture(scope="session")
def small_training() -> SmallTraining:
    """Configures a training run of seconds."""

    def configure(survey: Survey, output: str, **changes: object) -> TrainConfig:
        settings: dict[str, object] = {
            "catalog": str(survey.catalog),
            "output": output,
            "network": "lenet5",
            "image_size": 32,
            "epochs": 2,
            "batch_size": 16,
            "validation_fraction": 0.2,
            "num_workers": 1,
        }
        return TrainConfig(**(settings | changes))  # type: ignore[arg-type]

    return configure


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


@pytest.fixture
def run_evaluate(report: Path) -> Evaluate:
    """Evaluates predictions into the folder ``report``."""
    from galaxy_models.evaluation import Report, evaluate

    def run_it(predictions: Path, **settings: Any) -> Report:
        paths = {"labels", "catalog"} & set(settings)
        settings |= {name: str(settings[name]) for name in paths}
        return evaluate(
            EvaluateConfig(predictions=str(predictions), output=str(report), **settings)
        )

    return run_it


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Four galaxies of which 3 is a mistake, and a failed one."""
    return write_predictions(
        tmp_path / "predictions",
        {
            1: row("round", 0.9),
            2: row("spiral", 0.6),
            3: row("round", 0.8),
            4: row("edge_on", 0.7),
            5: FAILED,
        },
    )


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    names = {1: "round", 2: "spiral", 3: "spiral", 4: "edge_on", 5: "round"}
    return write_labels(tmp_path / "labels.csv", names)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One S3 server for all tests that need one: starting it takes seconds."""
    with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket's URI; this process's environment leads to its server.

    An embedded Ray whose session began earlier does not see that environment: run
    whole jobs as processes of their own.
    """
    for name in UNSET_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.make_bucket()


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> PackageFiles:
    """The package, built once for all processes of a test run."""
    own = tmp_path_factory.getbasetemp()
    of_run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return built_package(of_run / "package")


@pytest.fixture(scope="session")
def galaxy_data() -> Path:
    """Folder of real galaxy images; tests that need it skip without."""
    folder = os.environ.get("GALAXY_DATA_DIR")
    if not folder:
        pytest.skip("GALAXY_DATA_DIR is not set: no real galaxy images here")
    return Path(folder)


@pytest.fixture(scope="module")
def earlier(labelled: Survey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished scoring of 25 galaxies, two of them failed."""
    folder = tmp_path_factory.mktemp("earlier")
    score_earlier(labelled, folder)
    return folder


@pytest.fixture
def configure_grown(earlier: Path, labelled: Survey, tmp_path: Path) -> Configure:
    """Asks for 32 galaxies, 25 of which were scored earlier."""
    shutil.copytree(earlier / "previous", tmp_path / "previous")

    def config_of(table: pd.DataFrame | None = None, **changes: Any) -> ScoreConfig:
        now = galaxies(labelled, NUM_NOW) if table is None else table
        now.to_parquet(tmp_path / "now.parquet", index=False)
        settings: dict[str, Any] = {
            "catalog": str(tmp_path / "now.parquet"),
            "model": "galaxy-zoo",
            "output": str(tmp_path / "out"),
            "previous": str(tmp_path / "previous"),
            "plan": "local",
            "rows_per_file": ROWS_PER_FILE,
            "keep": ("ra",),
        }
        return ScoreConfig(**(settings | changes))

    return config_of
