"""What heads are trained to."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

keras = pytest.importorskip("keras")

from galaxy_models.models import dirichlet  # noqa: E402
from galaxy_models.models.heads import HEAD_NAME  # noqa: E402
from galaxy_models.models.networks import build_network  # noqa: E402
from galaxy_models.models.networks.last_layers import with_head  # noqa: E402
from galaxy_models.tables.vote_tables.decision_tree import make_tree  # noqa: E402
from galaxy_models.training.collective import Collective  # noqa: E402
from galaxy_models.training.data_parallel import DataParallelNetwork  # noqa: E402
from galaxy_models.training.objectives import (  # noqa: E402
    RegressionObjective,
    VoteObjective,
)

pytestmark = pytest.mark.slow

TREE = make_tree(
    {"shape": {"smooth": None, "disk": "arms"}, "arms": {"yes": None, "no": None}}, "t"
)
VOTES = np.asarray([[10, 30, 25, 5], [9, 0, 0, 0]] * 8, np.float32)
BRIGHTNESS = np.asarray([200, 20] * 8, np.uint8)


def brightness_network() -> Any:
    """The smallest network of classes: four logits of an image's mean colour."""
    images = keras.Input((32, 32, 3), dtype="uint8")
    colour = keras.layers.GlobalAveragePooling2D()(
        keras.layers.Rescaling(1 / 255)(images)
    )
    logits = keras.layers.Dense(4, name=HEAD_NAME)(colour)
    return keras.Model(images, keras.layers.Softmax()(logits))


def test_a_network_learns_the_fractions_of_votes_and_its_loss_is_their_likelihood() -> (
    None
):
    keras.utils.set_random_seed(0)
    network = with_head(brightness_network(), "votes")
    images = np.broadcast_to(BRIGHTNESS[:, None, None, None], (16, 32, 32, 3))
    parallel = DataParallelNetwork(
        network, keras.optimizers.Adam(0.3), Collective(1), VoteObjective(TREE)
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


def test_the_loss_of_numbers_is_their_likelihood_and_a_missing_one_weighs_nothing() -> (
    None
):
    targets = np.asarray([[1.0, np.nan], [0.5, -2.0]], np.float32)
    outputs = np.asarray([[0.2, 9.0, 0.5, 9.0], [0.0, 0.0, 0.0, 1.0]], np.float32)
    objective = RegressionObjective(2)

    losses = objective.losses(targets, outputs, None, True).numpy()
    errors = objective.figures(targets, outputs).numpy()

    one = -stats.norm.logpdf(1.0, 0.2, np.exp(0.5))
    other = -stats.norm.logpdf(0.5) - stats.norm.logpdf(-2.0, 0, np.e)
    np.testing.assert_allclose(losses, [one, other], rtol=1e-5)
    np.testing.assert_allclose(errors, [0.8, 1.25], rtol=1e-6)


def test_a_network_of_numbers_puts_out_its_logits() -> None:
    network = build_network("lenet5", 4, 32, kind="regression")

    said = network.predict(np.zeros((2, 32, 32, 3), np.uint8), verbose=0)

    assert said.shape == (2, 4)
    assert network.layers[-1].name == "values"
