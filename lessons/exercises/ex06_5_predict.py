"""Five predictions, in nats and pure numbers. An error of one percent is allowed; so is computing.

    even        the loss of a model that gives each of 10 classes the same probability
    half        the loss of a row whose right answer was given a probability of one half
    mean        the loss of a batch of two rows, whose right answers were given 1/2 and 1/8
    push        d loss / d logit of the right class, in a batch of 4 rows, where its probability is 0.9
    flattened   the smallest loss there is if probabilities of 10 classes are handed over as logits:
                the best p is 1 for the right class and 0 for the others

Return a dict with these names.
"""


def predict() -> dict[str, float]:
    raise NotImplementedError


HINTS = [
    "The loss of a row is -ln p, and the loss of a batch is the mean of its rows.",
    "push: p - y, for y = 1, and the mean over four rows.",
    "flattened: softmax of (1, 0, 0, ..., 0) gives e / (e + 9) to the right class.",
]
