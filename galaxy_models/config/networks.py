"""The networks there are, by name, and which widths each of them takes."""

from typing import Literal, get_args

NetworkName = Literal["mobilenet_v1", "mobilenet_v2", "mobilenet_v2_paper", "lenet5"]
NETWORK_NAMES: tuple[NetworkName, ...] = get_args(NetworkName)
NETWORKS_WITH_ALPHA: tuple[NetworkName, ...] = (
    "mobilenet_v1",
    "mobilenet_v2_paper",
)
NETWORKS_WITH_HIDDEN_UNITS: tuple[NetworkName, ...] = (
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v2_paper",
)
HIDDEN_UNITS = 1000  # of the dense layer before the outputs, as in the blog

MIN_IMAGE_SIZE_PX = 32  # below it the last maps of every MobileNet are empty
