"""Five numbers, without running anything. Return them in a dict of whole numbers.

weights   how many weights has an embedding table for 1,000 tokens and width 64?
rows      for how many tokens does `Min ( 4 4 4 )` alone give a gradient that is not zero?
length    what is the squared length of the vector of a position, at width 512?
orders    without positions: how many of the six orders of the digits 5 3 9 give `Max` the same logits (to rounding)?
best      without positions: how many of the 100 questions `First ( a b )` can be answered right at best?
"""


def predict() -> dict[str, int]:
    raise NotImplementedError


HINTS = [
    "rows: write down the six tokens and strike out those that you have seen before.",
    "length: 512 columns are how many hands, and what does each add to the squared length?",
    "best: ten questions have two equal digits. In the other ninety, guessing is right half of the time.",
]
