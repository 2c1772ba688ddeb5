"""What lies in a job's output that ``--overwrite`` would not take for the job's."""

from galaxy_models import storage
from galaxy_models.storage.output_folder import OutputKind


def files_of_others(output: object, kind: OutputKind) -> list[str]:
    names = storage.list_names(str(output))
    assert kind.results_name in names
    return [name for name in names if not kind.writes(name)]
