"""Made-up votes of a made-up survey's galaxies, and a model folder of votes."""

from pathlib import Path

import numpy as np
import pandas as pd

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.models.card import (
    FLOAT_NAME,
    MODEL_NAME,
    LiteRTRecord,
    ModelCard,
    hash_model,
)
from galaxy_models.models.folder import write_card
from galaxy_models.simulation import Survey
from galaxy_models.tables.vote_tables.decision_tree import make_tree

QUESTIONS: dict[str, dict[str, str | None]] = {
    "shape": {"smooth": "how-round", "featured": "edge-on"},
    "how-round": {"round": None, "between": None, "cigar": None},
    "edge-on": {"yes": None, "no": None},
}
TREE = make_tree(QUESTIONS, "made-up")
VOTES_OF_CLASS = {
    "round": [36, 4, 30, 5, 1, 0, 4],
    "in_between": [32, 8, 6, 24, 2, 1, 7],
    "cigar": [24, 16, 0, 6, 18, 12, 4],
    "edge_on": [6, 34, 0, 1, 5, 31, 3],
    "spiral": [4, 36, 3, 1, 0, 1, 35],
}
IMAGE_SIZE_PX = 32
TEMPERATURE = 2.0


def write_votes(survey: Survey, path: Path) -> pd.DataFrame:
    """Give each labelled galaxy the votes of its class; write a table of counts."""
    catalog = pd.read_csv(survey.catalog)
    votes = np.asarray([VOTES_OF_CLASS[name] for name in catalog["label"]])
    counts = pd.DataFrame(votes, columns=list(TREE.columns))
    table = pd.concat([catalog[["object_id", "image"]], counts], axis=1)
    table.to_csv(path, index=False)
    return table


def write_vote_model(folder: Path) -> str:
    """Write the folder of a network of votes that learned nothing."""
    import keras

    from galaxy_models.models.networks import build_network
    from galaxy_models.training.export import to_litert

    folder.mkdir()
    keras.utils.set_random_seed(0)
    network = build_network("lenet5", len(TREE.columns), IMAGE_SIZE_PX, kind="votes")
    network.save(folder / MODEL_NAME)
    litert = to_litert(network)
    (folder / FLOAT_NAME).write_bytes(litert)
    card = ModelCard(
        network="lenet5",
        classes=(),
        questions=TREE.to_json(),
        decode_rule=DecodeRule(IMAGE_SIZE_PX),
        model_hash=hash_model((folder / MODEL_NAME).read_bytes()),
        temperature=TEMPERATURE,
        litert={FLOAT_NAME: LiteRTRecord(hash_model(litert), 1.0, None, 0.0, 9)},
    )
    write_card(str(folder), card)
    return str(folder)
