"""Pictures of a run: how it learned, what it confuses, where it looks, how it sees the digits.

Every function draws the numbers it is given, computes nothing of a model, writes one file and returns its path. The
suffix chooses the format: `.svg` or `.png`. The same numbers give the same bytes, whatever matplotlib settings the user
has. Raises UserError if the file cannot be written.

The colours (Okabe and Ito 2008) can be told apart with any kind of colour vision; lines differ in their markers too,
and cells carry their number, so that a black-and-white print says the same.

A room for each kind of picture; drawing.py holds what they share.
"""

from common.plots.attention import attention_head, attention_heads, attention_over_training
from common.plots.confusions import confusion
from common.plots.curves import accuracy_by_length, accuracy_by_operation, loss_by_position, training_curves
from common.plots.drawing import BLACK, BLUE, GREEN, GREY, LINES, ORANGE, PINK, figure_of, plain_log, save, styled
from common.plots.gradients import gradient_norms, parting, twin_differences
from common.plots.vectors import embedding_pca, similarity_matrix

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "LINES",
    "ORANGE",
    "PINK",
    "accuracy_by_length",
    "accuracy_by_operation",
    "attention_head",
    "attention_heads",
    "attention_over_training",
    "confusion",
    "embedding_pca",
    "figure_of",
    "gradient_norms",
    "loss_by_position",
    "parting",
    "plain_log",
    "save",
    "similarity_matrix",
    "styled",
    "training_curves",
    "twin_differences",
]
