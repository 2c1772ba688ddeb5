"""The report's captions and explanations."""

CONFUSION = "confusion_matrix"
RELIABILITY = "reliability"
COVERAGE = "accuracy_coverage"
CLASS_COUNTS = "class_counts"
CONFIDENCE = "confidence"
SKY = "sky_map"
VOTE_ERRORS = "vote_errors"
VOTE_FRACTIONS = "vote_fractions"
VOTE_RANKS = "vote_ranks"

PLOT_TEXTS = {
    VOTE_ERRORS: "Mean error of predicted vote fractions by question, and that of "
    "predicting the mean for every galaxy",
    VOTE_FRACTIONS: "Predicted fractions of the first question's answers against the "
    "fractions of votes",
    VOTE_RANKS: "Where votes lie in the distributions that were predicted for them; "
    "flat if these mean what they say",
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

FAILED_TERM = (
    "Failed",
    "The image was missing, broken or no image; such rows count in nothing else.",
)

TERMS = (
    (
        "Confidence",
        "Probability (0 to 1) that the network gives to the class that it finds most "
        "probable.",
    ),
    FAILED_TERM,
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

VOTE_TERMS = (
    (
        "Error",
        "Mean difference between the predicted and the observed fraction of an answer, "
        "over answers and galaxies; each galaxy weighs by the volunteers who were "
        "asked, so a question that nobody was asked weighs nothing.",
    ),
    (
        "Error of the mean",
        "The same, if the mean fractions of the compared galaxies were predicted for "
        "every one of them.",
    ),
    (
        "Confidence",
        "Of predicted votes: the expected fraction of the first question's most common "
        "answer.",
    ),
    (
        "Inside central intervals",
        "Share of the votes that lie in the central interval of their predicted "
        "distribution (Dirichlet-multinomial); of 90 % intervals that mean what they "
        "say, 90 % of the votes do.",
    ),
)

NUMBER_TERMS = (
    (
        "Error, bias",
        "The predicted number less the label; bias is the mean error, with its "
        "standard error.",
    ),
    (
        "RMS error, NMAD",
        "Root of the mean squared error; and a scatter that outliers do not change: "
        "1.4826 times the median distance from the median error, the standard "
        "deviation if errors were normal.",
    ),
    (
        "RMS error of the mean, R²",
        "The RMS error if the mean of the compared galaxies were predicted for every "
        "one of them; R² is 1 less the squared ratio of both, the share of the "
        "variance that is explained.",
    ),
    (
        "Spearman",
        "Correlation of the ranks of predictions and labels, -1 to 1.",
    ),
    (
        "Within 1 and 2 sd, inside",
        "Share of labels that lie so many predicted standard deviations (sd) from the "
        "prediction, or inside the central interval of the predicted normal "
        "distribution; if these mean what they say, 68 and 95 %, and as many as the "
        "interval's name says.",
    ),
    (
        "−ln likelihood",
        "Mean over galaxies of minus the logarithm of the predicted density at the "
        "label (nats; it depends on the unit); lower is better.",
    ),
)
