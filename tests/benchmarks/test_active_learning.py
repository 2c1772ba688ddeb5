"""Galaxies that are chosen teach more than galaxies drawn at random."""

import numpy as np
from active_learning import Galaxies, simulate

NUM = 1200
SHARES = (0.6, 0.3, 0.08, 0.02)  # of four classes, two of them rare


def made_up(seed: int) -> Galaxies:
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, NUM, p=SHARES)
    positions = np.eye(4)[labels] * 3 + rng.normal(size=(NUM, 4))
    order = rng.permutation(NUM)
    return Galaxies(
        features=np.hstack([positions, np.ones((NUM, 1))]),
        embeddings=positions.astype(np.float32),
        labels=labels,
        pool=order[:800],
        test=order[800:],
    )


def test_three_rounds_of_instructive_labels_beat_three_at_random() -> None:
    goals, seeds = (20, 60, 100), range(4)
    instructive, at_random = (
        np.array(
            [
                simulate(made_up(seed), goals, chooses, np.random.default_rng(9))
                for seed in seeds
            ]
        )
        for chooses in (True, False)
    )
    np.testing.assert_array_equal(instructive[:, 0], at_random[:, 0])
    gains = (instructive - at_random)[:, 2]
    assert gains.mean() > 0.005
    assert (gains > 0).sum() >= 3
