"""How a training is spread over this machine or a cluster: what every worker receives.

Imports neither TensorFlow nor Ray.
"""

from dataclasses import dataclass

from galaxy_models import storage
from galaxy_models.cluster.resources import Resources, training_workers
from galaxy_models.config import TrainConfig
from galaxy_models.training.examples import Examples
from galaxy_models.training.request import Request

# In the model folder, while a training runs:
RAY_TRAIN_NAME = "_ray_train"  # Ray Train's own files and checkpoints
CHECKPOINTS_NAME = "_checkpoints"  # those of a training without Ray

# Of decoded pixels, where the plan is auto. Ray adds 10 s (measured on two cores), and
# its store spills to disk; a process holds all of them in memory, and its driver too.
MAX_LOCAL_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Workers:
    """The training processes, all alike."""

    num: int
    threads: int
    """CPU threads of each."""

    use_gpu: bool
    """Whether each has one."""

    @classmethod
    def fitting(cls, config: TrainConfig, resources: Resources) -> "Workers":
        """Choose workers for what the cluster, or this machine, holds.

        Raises:
            ResourceError: more were asked for than fit, or none fits.
        """
        num, threads = training_workers(
            config.num_workers, resources, config.batch_size
        )
        return cls(num, threads, use_gpu=resources.num_gpus > 0)

    @classmethod
    def alone(cls, machine: Resources) -> "Workers":
        """One process on all CPUs of a machine, however many they are."""
        return cls(1, machine.num_cpus, use_gpu=False)


@dataclass(frozen=True)
class Plan:
    """A request, its decoded galaxies, and the workers; the same for every worker."""

    request: Request
    workers: Workers
    training: Examples
    validation: Examples

    @property
    def label_weights(self) -> tuple[float, ...] | None:
        """Weight of a galaxy of each label in the training loss; None: all weigh 1."""
        return self.request.truth.label_weights(self.request.config.class_weight)

    @property
    def precision(self) -> str:
        """Keras dtype policy."""
        precision = self.request.config.precision
        if precision != "auto":
            return precision
        return "mixed_float16" if self.workers.use_gpu else "float32"

    @property
    def num_galaxies(self) -> int:
        """Galaxies that could be decoded."""
        return self.training.num_galaxies + self.validation.num_galaxies

    @property
    def checkpoints_uri(self) -> str:
        """Where a training without Ray keeps its checkpoints."""
        return storage.join(self.request.output, CHECKPOINTS_NAME)

    @property
    def title(self) -> str:
        """Title of the history's plot."""
        config, num_galaxies = self.request.config, self.training.num_galaxies
        return f"{config.network}, {config.image_size} px, {num_galaxies} galaxies"


def ends_sooner_here(request: Request, machine: Resources) -> bool:
    """Whether a training ends sooner in a process of this machine than with Ray.

    Args:
        request: what was asked for.
        machine: the CPUs and GPUs that it may use.

    Raises:
        ResourceError: more workers were asked for than fit.
    """
    config = request.config
    if machine.num_hosts > 1 or machine.num_gpus:
        return False
    if is_begun_by_ray(request):
        return False  # it goes on where Ray's workers were
    num_bytes = request.truth.num_to_learn * 3 * config.decoded_size**2
    return num_bytes <= MAX_LOCAL_BYTES and Workers.fitting(config, machine).num == 1


def is_begun_by_ray(request: Request) -> bool:
    """Whether Ray's workers were at this training already: only they resume it."""
    return storage.is_folder(storage.join(request.output, RAY_TRAIN_NAME))
