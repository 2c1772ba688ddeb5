"""How a training is spread over the cluster: what every worker receives.

Imports no TensorFlow.
"""

from dataclasses import dataclass

import ray.train

from galaxy_models.cluster.resources import Resources, training_workers
from galaxy_models.config import TrainConfig
from galaxy_models.training.examples import DECODE_CPUS, Examples
from galaxy_models.training.request import Request


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
        """Choose workers for what the cluster holds.

        Raises:
            ResourceError: more were asked for than fit, or none fits.
        """
        num, threads = training_workers(
            config.num_workers, resources, config.batch_size
        )
        return cls(num, threads, use_gpu=resources.num_gpus > 0)

    def scaling_config(self) -> ray.train.ScalingConfig:
        """Book each worker's share with Ray Train."""
        return ray.train.ScalingConfig(
            num_workers=self.num,
            use_gpu=self.use_gpu,
            # Without GPUs each gets most of a host, so that none should share one.
            placement_strategy="PACK" if self.use_gpu else "SPREAD",
            resources_per_worker={
                "CPU": self.threads - DECODE_CPUS,
                **({"GPU": 1} if self.use_gpu else {}),
            },
        )


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
    def title(self) -> str:
        """Title of the history's plot."""
        config, num_galaxies = self.request.config, self.training.num_galaxies
        return f"{config.network}, {config.image_size} px, {num_galaxies} galaxies"
