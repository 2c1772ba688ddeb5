"""What heads are trained to."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from galaxy_models.models import dirichlet  # noqa: E402
from galaxy_models.models.networks import build_network  # noqa: E402
from galaxy_models.tables.vote_tables.decision_tree import make_tree  # noqa: E402
from galaxy_models.training.collective import Collective  # noqa: E402
from galaxy_models.training.data_parallel import DataParallelNetwork  # noqa: E402
from galaxy_models.training.objectives import VoteObjective  # noqa: E402

pytestmark = pytest.mark.slow

TREE = make_tree(
    {"shape": {"smooth": None, "disk": "arms"}, "arms": {"yes": None, "no": None}}, "t"
)
VOTES = np.asarray([[10, 30, 25, 5], [9, 0, 0, 0]] * 8, np.float32)
BRIGHTNESS = np.asarray([200, 20] * 8, np.uint8)


def test_a_network_learns_the_fractions_of_votes_and_its_loss_is_their_likelihood() -> (
    None
):
    keras.utils.set_random_seed(0)
    network = build_network("lenet5", 4, 32, kind="votes")
    images = np.broadcast_to(BRIGHTNESS[:, None, None, None], (16, 32, 32, 3))
    parallel = DataParallelNetwork(
        network, keras.optimizers.Adam(3e-3), Collective(1), VoteObjective(TREE)
    )
    weights, no_teacher = np.ones(16, np.float32), np.empty((16, 0), np.float32)

    for _ in range(60):
        parallel.step(images, VOTES, weights, no_teacher)

    said = network.predict(images, verbose=0)
    loss, error, num = parallel.evaluate(images, VOTES, weights).numpy()
    expected = dirichlet.negative_log_likelihood(VOTES, said, TREE)
    assert loss / num == pytest.approx(expected, rel=1e-3)
    fractions = dirichlet.expected_fractions(said, TREE)
    np.testing.assert_allclose(fractions[0], [0.25, 0.75, 5 / 6, 1 / 6], atol=0.05)
    np.testing.assert_allclose(fractions[1, :2], [1, 0], atol=0.05)
    assert error / num < 0.05
    assert (said > 0).all()
