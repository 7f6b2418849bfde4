"""Models small enough to be trained while the tests wait: each is made once, by NumPy, where it is first asked for."""

from functools import cache

from common.checkpoint import Model
from common.config import (
    ClassifierConfig,
    DigitsConfig,
    GPTConfig,
    Seq2SeqConfig,
    SequenceConfig,
    TextConfig,
    TrainConfig,
    family_of,
)
from common.data import tasks, text
from common.vocabulary import WORDS
from numpy_ref import train as numpy_train

SMALL = ClassifierConfig(d_model=32, n_heads=4, d_ffn=64)
V = len(WORDS)
REVERSE = SequenceConfig(task="reverse", min_length=2, max_length=5)
SORT = SequenceConfig(task="sort", min_length=2, max_length=4)
WRITER = Seq2SeqConfig(V, V, d_model=32, n_encoder=1, n_decoder=1, n_heads=2, d_ffn=64, max_len=16)
SORTER = GPTConfig(V, d_model=32, n_blocks=2, n_heads=4, d_ffn=64, max_len=24, positions="sinusoidal")
REVERSE_RUN = TrainConfig(examples=4000, epochs=3, lr=5e-3, weight_decay=0.1)
SORT_RUN = TrainConfig(examples=4000, epochs=6, lr=1e-2, weight_decay=0.1)
WORDS_READ = "\n\n".join(
    f"The model of part {i} reads a text → and names the token that comes next. Déjà vu: {i * i} times!"
    for i in range(60)
)


def _trained(model, task, run, words=""):
    data = tasks.load(task, model, run, words)
    *_, last = numpy_train.fit(numpy_train.init(model, run), data, model=model, train=run, every=10**6)
    return Model(family_of(model), model, task, last.params, run)


@cache
def digits(epochs=5):
    """Right most of the time."""
    return _trained(SMALL, DigitsConfig(), TrainConfig(examples=4000, epochs=epochs))


@cache
def reverse():
    """An encoder-decoder, right most of the time."""
    return _trained(WRITER, REVERSE, REVERSE_RUN)


@cache
def sort():
    """A decoder alone, right about every other time."""
    return _trained(SORTER, SORT, SORT_RUN)


@cache
def text_model(level="char"):
    """A decoder alone that has read a few words."""
    task = text.describe(WORDS_READ, level=level, context=40)
    model = GPTConfig(task.vocab, d_model=32, n_blocks=1, n_heads=2, d_ffn=64, max_len=40)
    return _trained(
        model, task, TrainConfig(examples=640, epochs=8, batch_size=32, lr=1e-2, weight_decay=0.1), WORDS_READ
    )


def untrained(task, seq2seq=False, room=None):
    """A model of a sequence task or a text that has learned nothing."""
    if isinstance(task, DigitsConfig):
        model = SMALL
    elif seq2seq:
        model = Seq2SeqConfig(V, V, d_model=8, n_encoder=1, n_decoder=1, n_heads=2, d_ffn=8, max_len=room or 64)
    else:
        longest = task.context if isinstance(task, TextConfig) else 64
        model = GPTConfig(task.vocab, d_model=8, n_blocks=1, n_heads=2, d_ffn=8, max_len=room or longest)
    return Model(family_of(model), model, task, numpy_train.init(model, TrainConfig()).params)
