"""Where an answer is written while it comes: broken between words, and harmless to the terminal whatever it says."""

import re

from rich.cells import cell_len
from rich.console import Console

from console import draw

_PARTS = re.compile(r"\n| +|[^ \n]+")
_JOINERS = "\u200c\u200d"
"""Within words of Persian and Hindi, and between the parts of an emoji."""
_TYPED = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "•": "*"})
"""What models like to write, as a terminal shows it that knows only ASCII."""
_LONGEST = 24
"""Columns of a word that is waited for before it is shown; what is longer is cut where the line ends."""


def harmless(text: str, plain: bool) -> str:
    """A model's text without what a terminal would act upon: controls, and marks that turn the direction of text."""
    return "".join(_harmless(c, plain) for c in (text.translate(_TYPED) if plain else text))


def _harmless(c: str, plain: bool) -> str:
    if c.isprintable() or c == "\n":
        return c if c.isascii() or not plain else "?"
    if c == "\r":
        return ""  # half of the end of a line
    if c == "\t":
        return "    "
    if c in "\u2028\u2029":
        return "\n"
    if c.isspace() and c > "\x9f":
        return " "
    return c if c in _JOINERS and not plain else "?"


class Sheet:
    """One answer after the other on a stream that shows text as it is written."""

    def __init__(self, out: Console):
        self._out, self.plain = out, draw.is_ascii(out)
        self._column, self._begun = 0, False
        self._blanks = self._word = ""

    def write(self, text: str) -> None:
        """Show what has come. A word is shown when it is whole, blanks before the first are not shown at all."""
        for part in _PARTS.findall(harmless(text, self.plain)):
            if part == "\n":
                self._flush()
                if self._begun:
                    self._line()
            elif part.isspace():
                self._flush()
                if self._begun:
                    self._blanks += part
            else:
                self._letters(part)
        self._out.file.flush()

    def end(self) -> None:
        """Show what was held back, and end the line; the next answer begins anew."""
        self._flush()
        self._line()
        self._begun = False
        self._out.file.flush()

    def _letters(self, part: str) -> None:
        self._begun = True
        if not self._out.is_terminal:  # the lines of a file are not broken
            self._word += part
            return self._flush()
        for letter in part:
            wide = cell_len(letter) > 1  # Chinese has no blanks: a line may be broken before every sign
            if wide:
                self._flush()
            self._word += letter
            if wide or cell_len(self._word) > _LONGEST:
                self._flush()
        return None

    def _flush(self) -> None:
        if not self._word:
            return
        word, self._word = self._word, ""
        room = self._out.width if self._out.is_terminal else 0
        if room and self._column + len(self._blanks) + cell_len(word) > room:
            if self._column:
                self._line()
            self._blanks = self._blanks[: max(0, room - cell_len(word))]  # a smaller indent, rather than a cut word
        after = self._column + len(self._blanks) + cell_len(word)
        self._out.file.write(self._blanks + word)
        # a word longer than a line goes on in the next ones by itself; a full one has no room left
        self._blanks, self._column = "", (after - 1) % room + 1 if room and after > room else after

    def _line(self) -> None:
        self._out.file.write("\n")
        self._blanks, self._column = "", 0
