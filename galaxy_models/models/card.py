"""What a model is: the card of a model folder, ``model.json``.

It knows the card's fields and what they may be; where the folder lies, and what else
is in it, ``folder`` knows.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
from dataclasses import dataclass, field
from math import inf
from typing import Any

from galaxy_models.config import HIDDEN_UNITS
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.models.heads import (
    ClassesHead,
    Head,
    RegressionHead,
    Target,
    VotesHead,
)
from galaxy_models.tables.vote_tables.decision_tree import make_tree

MODEL_NAME = "model.keras"
INT8_NAME = "model_int8.tflite"
FLOAT_NAME = "model_float.tflite"
EMBEDDING_NAME = "embedding.npz"
CARD_NAME = "model.json"
MIN_AGREEMENT = 0.99  # of an engine with the network; with less, auto leaves it out
# Of model.json. 1 had no version, and no fields of alpha and the flips; 4 has
# hidden_units, which older versions of this package do not know.
FORMAT_VERSION = 4
VERSIONED_PACKAGES = (
    "ai-edge-litert", "astropy", "keras", "numpy", "opencv-python-headless", "pillow",
    "pyarrow", "ray", "simplejpeg", "tensorflow",
)  # fmt: skip


@dataclass(frozen=True)
class LiteRTRecord:
    """A LiteRT file of the folder, and how its predictions compare with Keras'.

    All figures are over the validation galaxies.
    """

    file_hash: str
    """SHA-256 of the file."""

    agreement: float
    """How far it says what ``model.keras`` says, 0 to 1: of classes, the share of
    galaxies given the same one; see ``heads``."""

    val_accuracy: float | None
    """Share of galaxies given their label, 0 to 1; ``metrics`` has Keras'. None where
    there are no classes."""

    max_probability_difference: float
    """Largest difference of any output from Keras'; of classes 0 to 1."""

    num_galaxies: int
    """Galaxies compared."""

    num_float_layers: int = 0
    """int8 only: leading convolutions kept in float, so that faint light survives."""

    @property
    def agrees(self) -> bool:
        """Whether it says enough of what the trained network says."""
        return self.agreement >= MIN_AGREEMENT


@dataclass(frozen=True)
class EmbeddingRecord:
    """The folder's principal components of features, and what they were fitted on."""

    file_hash: str
    """SHA-256 of ``embedding.npz``."""

    num_components: int
    """The longest embedding that scoring can write."""

    num_features: int
    """Values of the input of the network's first dense layer."""

    explained_variance: float
    """Share of the features' variance along the components, 0 to 1."""

    num_galaxies: int
    """Training galaxies that they were fitted on."""

    catalog: str
    """Where these came from."""


@dataclass(frozen=True)
class ModelCard:
    """What a model is and where it comes from; ``model.json``."""

    network: str
    """Architecture, a name of ``NETWORKS``."""

    classes: tuple[str, ...]
    """Class names in the order of the network's outputs; none of another head."""

    decode_rule: DecodeRule
    """How an image became pixels in training, and must at scoring."""

    model_hash: str
    """SHA-256 of ``model.keras``; names the model."""

    alpha: float = 1.0
    """Width multiplier of the network."""

    hidden_units: int = HIDDEN_UNITS
    """Width of the dense layer before the outputs; 0 for none."""

    horizontal_flip: bool = True
    """Whether training mirrored images left-right."""

    vertical_flip: bool = True
    """Whether training mirrored images top-bottom."""

    training: dict[str, Any] = field(default_factory=dict, repr=False)
    """The configuration that ``jobs.train`` ran with."""

    data: dict[str, Any] = field(default_factory=dict, repr=False)
    """The labelled catalog: where, its fingerprint, galaxies a class and side."""

    metrics: dict[str, float] = field(default_factory=dict)
    """Figures on the validation galaxies, of the weights that were kept."""

    num_epochs: int = 0
    """Epochs that were trained; 0 in folders of older versions."""

    temperature: float = 1.0
    """What scoring divides the logits (of votes: the concentrations) by, or multiplies
    standard deviations by, so that they mean what they say; fitted on the validation
    galaxies. 1, as in folders of version 0.1, for none."""

    litert: dict[str, LiteRTRecord] = field(default_factory=dict)
    """The folder's LiteRT files by name; empty in folders of version 0.1."""

    embedding: EmbeddingRecord | None = None
    """None in folders of older versions; ``jobs.embed`` adds it."""

    versions: dict[str, str] = field(default_factory=dict, repr=False)
    """Library versions in training."""

    plausible_probability: float | None = None
    """Calibrated probability from which a class is plausible, so that the true class is
    among them for 90 % of galaxies like those of the validation; see ``conformal``.
    None where there are no classes, and in folders of earlier versions."""

    questions: dict[str, dict[str, str | None]] | None = None
    """The decision tree of a model of votes; see ``decision_tree``."""

    targets: tuple[Target, ...] = ()
    """Numbers that a model of a regression predicts."""

    @property
    def head(self) -> Head:
        """What the network's outputs mean."""
        if self.targets:
            return RegressionHead(self.targets)
        if self.questions is not None:
            return VotesHead(make_tree(self.questions, CARD_NAME))
        return ClassesHead(self.classes)

    @property
    def network_arguments(self) -> dict[str, Any]:
        """Keywords of ``networks.build_network`` that build this model's network."""
        return {
            "name": self.network,
            "num_classes": len(self.head.output_names),
            "image_size": self.decode_rule.image_size,
            "alpha": self.alpha,
            "hidden_units": self.hidden_units,
            "kind": self.head.kind,
        }


def head_fields(head: Head) -> dict[str, Any]:
    """Give the card's fields that say which head a model has."""
    if isinstance(head, VotesHead):
        return {"classes": (), "questions": head.tree.to_json()}
    if isinstance(head, RegressionHead):
        return {"classes": (), "targets": head.targets}
    assert isinstance(head, ClassesHead)
    return {"classes": head.classes}


def hash_model(data: bytes) -> str:
    """Name a model by its content: SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of what decides a result, for the record."""
    found = {name: importlib.metadata.version(name) for name in VERSIONED_PACKAGES}
    return {"python": platform.python_version(), **found}


def card_to_json(card: ModelCard) -> bytes:
    """Spell a card as the content of ``model.json``."""
    content = {"format_version": FORMAT_VERSION, **dataclasses.asdict(card)}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return text.encode() + b"\n"


def parse_card(data: bytes) -> ModelCard:
    """Read the content of ``model.json``.

    Raises:
        ValueError, KeyError, TypeError, ConfigError: no training wrote it.
    """
    content = _migrated(json.loads(data))
    content["decode_rule"] = _parse_rule(content["decode_rule"])
    content["classes"] = tuple(content["classes"])
    content["litert"] = {
        name: LiteRTRecord(**record)
        for name, record in content.get("litert", {}).items()
    }
    if content.get("embedding") is not None:
        content["embedding"] = EmbeddingRecord(**content["embedding"])
    content["targets"] = tuple(Target(**one) for one in content.get("targets", ()))
    card = ModelCard(**content)
    _check_values(card)
    return card


def _migrated(content: Any) -> dict[str, Any]:
    """Bring the content of an older ``model.json`` to today's format.

    Raises:
        ValueError: a newer version of this package wrote it.
    """
    if not isinstance(content, dict):
        raise TypeError(f"{type(content).__name__}, not an object of fields")
    version = content.pop("format_version", 1)
    if version not in range(1, FORMAT_VERSION + 1):
        raise ValueError(
            f"format_version {version!r}: this version reads 1 to {FORMAT_VERSION}; "
            "install the version of galaxy-batch that wrote it"
        )
    if version == 1:
        training = content.get("training", {})
        for name in ("alpha", "horizontal_flip", "vertical_flip"):
            if name in training:
                content[name] = training[name]
    return content


def _check_values(card: ModelCard) -> None:
    """Refuse a card that no training wrote.

    Raises:
        ValueError: saying what is wrong.
    """
    _ = card.head  # a ConfigError says what is wrong with its questions
    if not 0 < card.temperature < inf:
        raise ValueError(f"temperature {card.temperature}: above 0 and finite")
    threshold = card.plausible_probability
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"plausible_probability {threshold}: 0 to 1")
    if not all(isinstance(name, str) for name in card.classes):
        raise ValueError(f"classes {list(card.classes)}: names only")
    if not 0 < card.alpha < inf:
        raise ValueError(f"alpha {card.alpha}: above 0 and finite")
    if card.hidden_units < 0:
        raise ValueError(f"hidden_units {card.hidden_units}: 0 or more")
    if not all(0 < one.scale < inf for one in card.targets):
        raise ValueError(f"targets {card.targets}: scales above 0 and finite")
    if not isinstance(card.training, dict):
        raise ValueError(f"training {card.training!r}: flags and their values")
    strange = set(card.litert).difference((INT8_NAME, FLOAT_NAME))
    if strange:  # a path, maybe, that leads out of the folder
        raise ValueError(f"litert {sorted(strange)}: no such files")


def _parse_rule(content: dict[str, Any]) -> DecodeRule:
    bands = tuple(content.get("fits_bands", ()))  # JSON knows only lists
    return DecodeRule(**{**content, "fits_bands": bands})
