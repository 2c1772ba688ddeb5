"""The report's captions and explanations."""

CONFUSION = "confusion_matrix"
RELIABILITY = "reliability"
COVERAGE = "accuracy_coverage"
CLASS_COUNTS = "class_counts"
CONFIDENCE = "confidence"
SKY = "sky_map"

PLOT_TEXTS = {
    CONFUSION: "Confusion matrix: galaxies by true class (rows) and predicted class "
    "(columns)",
    RELIABILITY: "Reliability: accuracy against confidence, and how many galaxies "
    "each bin has",
    COVERAGE: "Accuracy of the most confident galaxies against the share of galaxies "
    "that is kept",
    CLASS_COUNTS: "Number of galaxies of each predicted class, and of failed rows",
    CONFIDENCE: "Histogram of the confidence of the predictions, by predicted class",
    SKY: "Map of the sky: galaxies per square degree, right ascension growing to the "
    "left",
}

TERMS = (
    (
        "Confidence",
        "Probability (0 to 1) that the network gives to the class that it finds most "
        "probable.",
    ),
    (
        "Failed",
        "The image was missing, broken or no image; such rows count in nothing else.",
    ),
)

LABELLED_TERMS = (
    (
        "Accuracy",
        "Share of compared galaxies whose predicted class is the label. Of a hundred "
        "samples as large as this, about 95 have an interval that holds the accuracy "
        "of all such galaxies (Wilson 1927).",
    ),
    (
        "Precision, recall, F1",
        "Of the galaxies predicted to be of a class, the share that are; of those that "
        "are, the share that is found; and the harmonic mean of both.",
    ),
    (
        "Macro-F1, balanced accuracy",
        "Mean F1 and mean recall of the classes that occur among the labels, each "
        "class weighing the same.",
    ),
    (
        "Expected calibration error",
        "Mean gap between confidence and accuracy over bins of confidence, weighted by "
        "galaxies (Guo et al. 2017, eq. 3).",
    ),
    (
        "Brier score, negative log likelihood",
        "How far the probabilities are from the labels; 0 is perfect. The first is the "
        "mean squared distance, at most 2; the second is in nats, probabilities below "
        "1e-7 counting as that.",
    ),
    (
        "Accuracy against coverage",
        "What the accuracy would be if only the most confident galaxies were kept.",
    ),
)
