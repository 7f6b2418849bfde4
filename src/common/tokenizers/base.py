"""The one class for all tokenizers, and the decoder that reads ids one by one."""

import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from common.errors import UserError

ENDS = ("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end_of_text|>", "<|endoftext|>")
"""Special tokens after which an answer is over whatever a model's files say: they mean nothing else."""


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary, and two ways to cut text into it."""

    pieces: Sequence[bytes] = field(repr=False)
    """What each id stands for. A special token's are the letters of its name."""
    special: Mapping[str, int] = field(repr=False)
    """Tokens that are no text: the beginning of a message, the end of an answer."""
    plain: Callable[[str], list[int]] = field(repr=False)
    """Ids of a text in which special tokens are letters like any others."""
    marked: Callable[[str], list[int]] = field(repr=False)
    """Ids of a text in which special tokens are recognised."""
    added: Mapping[str, int] = field(default_factory=dict)
    """Tokens that are recognised as a whole, but are text."""
    bos: int | None = None
    """The id a text begins with."""
    eos: int | None = None
    """The id a text ends with."""
    opens: bool = False
    """Whether a text to go on with begins with `bos`."""
    space: bool = False
    """Whether encoding puts a space before a text, which decoding takes away again."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """What to write beside the weights so that this tokenizer can be read again, by `transformers` too."""

    @property
    def ends(self) -> frozenset[int]:
        """Ids after which a text is over."""
        named = {self.special[name] for name in ENDS if name in self.special}
        return frozenset(named if self.eos is None else named | {self.eos})

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """The ids of a text. With `special`, the names of special tokens in it become those tokens.

        Raises UserError for text that is no Unicode: half of a surrogate pair.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(f"the text holds half a character, at place {error.start}: it cannot be encoded") from None
        return self.marked(text) if special else self.plain(text)

    def prompt(self, text: str) -> list[int]:
        """The ids of a text that a model shall go on with."""
        opening = [self.bos] if self.opens and self.bos is not None else []
        return opening + self.encode(text)

    def decode(self, ids: Iterable[int], *, special: bool = False) -> str:
        """The text of ids, the names of special tokens in it only if asked for.

        Bytes that are no character, and ids beyond the vocabulary, become U+FFFD.
        """
        stream = self.stream(special=special)
        return "".join([*map(stream.feed, ids), stream.end()])

    def stream(self, *, special: bool = False) -> "Stream":
        """A decoder for ids that come one by one. The parts of text it gives, joined, are what `decode` gives."""
        hidden = frozenset() if special else frozenset(self.special.values())
        return Stream(self.pieces, hidden, self.space)


class Stream:
    """Text out of ids as they come, in whole characters."""

    def __init__(self, pieces: Sequence[bytes], hidden: frozenset[int], space: bool):
        self._pieces, self._hidden, self._space = pieces, hidden, space
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: int) -> str:
        """The text that this id completes; empty while a character is still incomplete."""
        if token in self._hidden:
            return ""
        piece = self._pieces[token] if 0 <= token < len(self._pieces) else "\N{REPLACEMENT CHARACTER}".encode()
        if self._space and piece:
            self._space = False
            piece = piece.removeprefix(b" ")
        return self._decoder.decode(piece)

    def end(self) -> str:
        """What is left when no more ids come: U+FFFD for a character that was never completed."""
        return self._decoder.decode(b"", final=True)
