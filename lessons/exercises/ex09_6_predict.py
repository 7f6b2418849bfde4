"""Predictions: answer without running anything. Each answer is one number; half a percent of error is allowed.

a Four runs of A and four of B. In how many ways can the eight numbers be handed out, four to each?

b A has 91, 95, 96 and B has 94, 96, 97. In what share of the nine pairs is the run of A better, a tie being
one half?

c A model that is right with probability one half is asked 100 questions. What is the spread of its share?

d A weight of 1 never has a gradient. What do three updates of AdamW leave of it, learning rate 0.1, decay
0.5?

e After 936 updates, with decay: the median share of the last look on the answer of First. Nearer to 0.2, 0.4
or 0.8?
"""


def answers():
    a, b, c, d, e = (NotImplemented,) * 5  # your five numbers
    if NotImplemented in (a, b, c, d, e):
        raise NotImplementedError
    return a, b, c, d, e


HINTS = [
    "a: as on the page, where three of six were chosen; 8! / (4! 4!).",
    "b: a table of nine cells; 95 beats one, 96 beats one and ties with one. c: the square root of p (1 - p) / n.",
    "d: the same factor three times. e: the first picture of what goes on inside, at its right end.",
]
