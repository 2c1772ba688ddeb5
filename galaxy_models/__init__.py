"""Galaxy morphology at survey scale: networks, training and scoring."""
