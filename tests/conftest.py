"""What several tests share: a made-up survey, one Ray, one trained model."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from catalog_files import repeated
from s3_server import UNSET_VARIABLES, S3Server, running_s3_server
from score_job import NUM_ROWS

from galaxy_models.catalog import Catalog, open_catalog
from galaxy_models.config import CatalogConfig, TrainConfig
from galaxy_models.simulation import Survey, write_survey

SmallTraining = Callable[..., TrainConfig]

NUM_LABELLED = 120
IMAGE_SIZE_PX = 48


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
def many_galaxies(labelled: Survey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of the labelled galaxies (one of them broken) under very many ids."""
    path = tmp_path_factory.mktemp("many") / "catalog.parquet"
    repeated(labelled, NUM_ROWS).to_parquet(path, index=False)
    return path


@pytest.fixture(scope="session")
def ray_here() -> Iterator[None]:
    """One embedded Ray for all tests that need one: starting it takes seconds."""
    from galaxy_models.cluster import ray_session

    with ray_session():
        yield


@pytest.fixture(scope="session")
def model_folder(
    ray_here: None,
    labelled: Survey,
    small_training: SmallTraining,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A model folder that one training worker wrote."""
    from galaxy_models.training import fit

    output = str(tmp_path_factory.mktemp("models") / "lenet5")
    fit(small_training(labelled, output))
    return output


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
def galaxy_data() -> Path:
    """Folder of real galaxy images; tests that need it skip without."""
    folder = os.environ.get("GALAXY_DATA_DIR")
    if not folder:
        pytest.skip("GALAXY_DATA_DIR is not set: no real galaxy images here")
    return Path(folder)
