"""About the most memory that the NumPy twin takes at once, in numbers: for an update, for generation.

What it keeps is counted exactly (common/activations.py, common/memory.py). Here is, besides, what is alive for a
moment: the logits in several forms, the layer that is just computed. For all but the smallest models these figures
are within a tenth of what is measured.
"""

from common.activations import saved
from common.config import KEEPS, ClassifierConfig, GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig, TrainConfig
from common.memory import cache, parameters

_PLAIN = {"relu": 5, "gelu": 7, "gelu_exact": 6}
_GATED = {"relu": 6, "silu": 6, "gelu": 8, "gelu_exact": 8}
"""How many arrays as large as the hidden layer are alive at once in a feed-forward layer, by its activation."""


def training(model: ModelConfig, train: TrainConfig, *, batch: int, length: int, source: int = 0) -> int:
    """Parameters, optimizer and one update, at their largest: in the backward pass, or while the parameters move."""
    held = (1 + len(KEEPS[train.optimizer])) * parameters(model)
    backward = gradients(model, batch=batch, length=length, source=source)
    update = parameters(model) + _logits(model, batch, length) + moving(model, train)
    return held + max(backward, update)


def compiled(model: ModelConfig, train: TrainConfig, *, batch: int, length: int, source: int = 0) -> int:
    """A guess at an update of the JAX twin, off by up to a half: the compiler decides, and can be asked.

    Parameters and optimizer before and after; what backward needs, were it what NumPy keeps; logits and their gradient.
    """
    state = 2 * (1 + len(KEEPS[train.optimizer])) * parameters(model)
    kept = sum(saved(model, batch=batch, length=length, source=source).values())
    return state + kept + 2 * _logits(model, batch, length)


def moving(model: ModelConfig, train: TrainConfig) -> int:
    """What an update allocates beside parameters, gradients and optimizer, exactly: vectors as long as they."""
    kept = len(KEEPS[train.optimizer])
    coupled = train.weight_decay > 0 and train.optimizer != "adamw"
    return (3 + kept + (kept == 2) + (train.clip_norm > 0) + coupled) * parameters(model)


def gradients(model: ModelConfig, *, batch: int, length: int, source: int = 0) -> int:
    """A forward and a backward pass, the gradients included, the parameters not.

    The loss holds three tables as large as the logits; beside them there is either a one-hot table of the tokens,
    for the embedding's gradient, or the work of one layer. The gradient of every residual sum is kept.
    """
    kept = sum(saved(model, batch=batch, length=length, source=source).values()) + parameters(model)
    tables = 3 * _logits(model, batch, length)
    embedding = _table(model, batch, length, source)
    onehot = max(1.25 * embedding, 2 * _tied(model))
    return round(
        kept + tables + max(onehot, _layer(model, batch, length, source)) + _sums(model, batch, length, source)
    )


def generation(model: GPTConfig | LlamaConfig, *, rows: int, size: int) -> int:
    """Parameters, and `rows` texts of `size` tokens, read at once or gone on with: every step makes a new cache."""
    kept = cache(model, rows=rows, size=size, itemsize=1)
    return parameters(model) + kept + max(kept, _forward_layer(model, rows, size) + _sums(model, rows, size, 0))


def _logits(model: ModelConfig, batch: int, length: int) -> int:
    if isinstance(model, ClassifierConfig):
        return batch * model.vocab
    return batch * length * (model.tgt_vocab if isinstance(model, Seq2SeqConfig) else model.vocab)


def _table(model: ModelConfig, batch: int, length: int, source: int) -> int:
    """One-hot rows of the tokens that are embedded: of either side, the larger."""
    if isinstance(model, Seq2SeqConfig):
        return batch * max(model.src_vocab * source, model.tgt_vocab * length)
    return batch * length * model.vocab


def _tied(model: ModelConfig) -> int:
    """The gradient of an embedding that is also the head comes in two parts and their sum."""
    if isinstance(model, ClassifierConfig) or not model.tied:
        return 0
    return (model.tgt_vocab if isinstance(model, Seq2SeqConfig) else model.vocab) * model.d_model


def _sums(model: ModelConfig, batch: int, length: int, source: int) -> int:
    if isinstance(model, Seq2SeqConfig):
        sides = length * (model.n_decoder + 1) + source * (model.n_encoder + model.n_decoder + 1)
        return batch * model.d_model * sides
    return batch * model.d_model * length * (model.n_blocks + 1)


def _layer(model: ModelConfig, batch: int, length: int, source: int) -> int:
    """The backward pass of the widest layer: four tables of attention weights, or several hidden layers."""
    longest, d = max(length, source), model.d_model
    one_asks = isinstance(model, ClassifierConfig) and model.n_blocks == 1
    asked, answering = (1, 4 * longest * d) if one_asks else (longest, 0)
    weights = 4 * model.n_heads * longest + 2 * _heads(model) + d
    thinking = (2 if _activation(model) == "relu" else 3) * model.d_ffn + 2 * d
    return batch * (asked * max(weights, thinking) + answering)


def _forward_layer(model: GPTConfig | LlamaConfig, batch: int, length: int) -> int:
    """Four tables of attention weights with the vectors of all heads, or several hidden layers."""
    weights = 4 * model.n_heads * length + 4 * _heads(model)
    thinking = (_GATED if isinstance(model, LlamaConfig) else _PLAIN)[_activation(model)] * model.d_ffn
    return batch * length * (2 * model.d_model + max(weights, thinking))


def _heads(model: ModelConfig) -> int:
    return model.n_heads * model.d_head if isinstance(model, LlamaConfig) else model.d_model


def _activation(model: ModelConfig) -> str:
    if isinstance(model, LlamaConfig):
        return model.gate
    return "relu" if isinstance(model, ClassifierConfig) else model.activation
