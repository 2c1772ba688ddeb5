"""The one door to Ray."""

import pytest

from galaxy_models.cluster import ray_session
from galaxy_models.errors import ResourceError


def test_a_cluster_that_does_not_answer_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with (
        pytest.raises(ResourceError, match=r"RAY_ADDRESS=127\.0\.0\.1:9.*ray start"),
        ray_session(),
    ):
        pass
