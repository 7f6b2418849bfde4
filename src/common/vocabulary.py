"""The twenty tokens of the digit tasks, and text to tokens and back. Sequence models add tokens from 20 on."""

from collections.abc import Iterable, Sequence

TOKENS = (
    "[PAD]", "[EOS]", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
    "First", "Second", "Last", "Max", "Min", "(", ")", ",",
)  # fmt: skip
"""The first twenty, which never move: all that the classifier knows."""
WORDS = (*TOKENS, "=", "[START]", "+", "Copy", "Reverse", "Sort")
"""What the sequence models know: the twenty, and more from 20 on."""
PAD, EOS = 0, 1
OPERATIONS = ("First", "Second", "Last", "Max", "Min")
ID = {token: i for i, token in enumerate(WORDS)}
START = ID["[START]"]
DIGIT_IDS = tuple(ID[str(digit)] for digit in range(10))


def encode(text: str) -> list[int]:
    """Token ids of a canonical text, its tokens apart by blanks: `"Max ( 5 3 9 )"` -> `[15, 17, 7, 5, 11, 18]`.

    Raises KeyError at a word that is no token. People's input goes through common/data/parsing.py, which is
    lenient and explains.
    """
    return [ID[word] for word in text.split()]


def decode(ids: Iterable[int]) -> str:
    """The text of token ids, padding left out."""
    return " ".join(WORDS[i] for i in ids if i != PAD)


def words(ids: Sequence[int]) -> list[str]:
    """Each id's token, padding included: the labels of an attention picture."""
    return [WORDS[i] for i in ids]
