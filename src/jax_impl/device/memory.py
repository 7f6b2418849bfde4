"""How much memory the device has, and what compiled programs take of it: the compiler knows before anything runs."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from numpy.typing import DTypeLike

from common import params as params_map
from common.config import ClassifierConfig, GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig, TrainConfig
from common.data.batching import Examples, Pairs, Texts
from common.types import Tree


def limit() -> int | None:
    """Bytes that JAX may allocate on the first device; None where it does not say, as on a CPU."""
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")


def of_update(model: ModelConfig, train: TrainConfig, *, batch: int, length: int, source: int = 0) -> dict[str, int]:
    """Bytes of one update as it is compiled for the device at hand; nothing is allocated for it."""
    from jax_impl import optim
    from jax_impl import train as twin

    params = _parameters(model, jnp.float32)
    opt = jax.eval_shape(partial(optim.init, config=train), params)
    key = jax.ShapeDtypeStruct((2,), jnp.uint32) if getattr(model, "dropout", 0.0) else None
    lr = jax.ShapeDtypeStruct((), jnp.float32)
    step = partial(twin.train_step.lower, params, opt, _examples(model, batch, length, source))
    return _bytes(step(lr=lr, model=model, train=train, key=key))


def of_decoding(model: GPTConfig | LlamaConfig, *, rows: int, size: int, dtype: DTypeLike) -> dict[str, int]:
    """Bytes of one more token for `rows` texts with room for `size`; the cache is among arguments and results."""
    from jax_impl import generate

    params, tokens = _parameters(model, dtype), jax.ShapeDtypeStruct((rows, 1), jnp.int32)
    begun = generate.Request(tokens, jax.ShapeDtypeStruct((rows,), jnp.int32), None)
    _, cache = jax.eval_shape(partial(generate._prefill, size=size, model=model), params, begun)
    return _bytes(generate._decode.lower(params, cache, jax.ShapeDtypeStruct((rows,), jnp.int32), model=model))


def _bytes(lowered: Any) -> dict[str, int]:
    """Results that lie in the memory of arguments are counted once, as arguments."""
    found = lowered.compile().memory_analysis()
    results = found.output_size_in_bytes - found.alias_size_in_bytes
    return {"arguments": found.argument_size_in_bytes, "results": results, "work": found.temp_size_in_bytes}


def _parameters(model: ModelConfig, dtype: DTypeLike) -> Tree:
    shapes = params_map.shapes(model)
    return jax.tree.map(lambda shape: jax.ShapeDtypeStruct(shape, dtype), shapes, is_leaf=lambda x: type(x) is tuple)


def _examples(model: ModelConfig, batch: int, length: int, source: int) -> Examples | Pairs | Texts:
    ids, marks = (jax.ShapeDtypeStruct((batch, length), kind) for kind in (jnp.int32, bool))
    if isinstance(model, ClassifierConfig):
        return Examples(ids, marks, jax.ShapeDtypeStruct((batch,), jnp.int32))
    if isinstance(model, Seq2SeqConfig):
        src, mask = (jax.ShapeDtypeStruct((batch, source), kind) for kind in (jnp.int32, bool))
        return Pairs(src, mask, ids, ids, marks)
    return Texts(ids, ids, marks)
