"""Tasks are few enough for the driver and many enough for every actor."""

import pytest

from galaxy_models.chunks.workers import choose_num_tasks


@pytest.mark.parametrize(
    ("num_chunks", "num_actors", "num_tasks"),
    [(10, 2, 10), (100_000, 2, 4096), (100_000, 1000, 32_000), (5000, 1000, 5000)],
)
def test_the_last_tasks_of_actors_are_a_small_share_of_their_work(
    num_chunks: int, num_actors: int, num_tasks: int
) -> None:
    assert choose_num_tasks(num_chunks, num_actors) == num_tasks
