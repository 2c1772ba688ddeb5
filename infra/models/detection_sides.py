"""Which real frames and galaxies the detection model may learn from.

The others, by a hash of the field or the id, are for tests of it.
"""

import hashlib

TRAINING_FIELDS = 0.5  # share of the fields
TRAINING_GALAXIES = 0.8  # share of Galaxy Zoo 2's ids


def is_training_field(field: str) -> bool:
    """Whether frames of a field, in any data release, teach."""
    return _share(f"field {field}") < TRAINING_FIELDS


def is_training_galaxy(object_id: str) -> bool:
    """Whether a galaxy teaches."""
    return _share(f"galaxy {object_id}") < TRAINING_GALAXIES


def _share(name: str) -> float:
    """A number from 0 to 1 that depends on a name alone."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
