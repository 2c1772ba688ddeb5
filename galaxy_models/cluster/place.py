"""Where a job works: in this process, in a Ray that runs, or in one that it starts.

Ray is imported only where it is used: that takes longer than small work.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from galaxy_models.cluster.resources import Resources
from galaxy_models.cluster.this_machine import ray_is_named, ray_is_up, this_machine


def joined_cluster(plan: str) -> AbstractContextManager[Resources | None]:
    """Join a Ray that runs or is named, unless this process is to work alone.

    Args:
        plan: the flag ``--plan``.
    """
    if plan == "local" or not (ray_is_up() or ray_is_named()):
        return nullcontext()

    from galaxy_models.cluster import session

    return session.joined_cluster()


@contextmanager
def chosen_machines(
    plan: str, ends_sooner_here: Callable[[Resources], bool], joined: Resources | None
) -> Iterator[tuple[Resources, bool]]:
    """Decide between this process and Ray, which is started if it does not run.

    Args:
        plan: the flag ``--plan``.
        ends_sooner_here: asked where the plan is auto.
        joined: resources of a cluster that was joined.

    Yields:
        What may be used, and whether it is this process that uses it.
    """
    machine = joined or this_machine()
    may_stay = plan == "auto" and not ray_is_named()
    if plan == "local" or (may_stay and ends_sooner_here(machine)):
        yield machine, True
        return

    from galaxy_models.cluster import session

    with session.ray_session() as resources:
        yield resources, False
