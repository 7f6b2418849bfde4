"""The JAX twin's programs with their default settings, for a compiler: what training and generation run."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from common import random
from common.config import (
    ClassifierConfig,
    DigitsConfig,
    GPTConfig,
    LlamaConfig,
    ModelConfig,
    Seq2SeqConfig,
    SequenceConfig,
    TrainConfig,
)
from common.data import digits, sequences
from common.data.batching import AnyExamples
from common.sampling import Sampling
from common.vocabulary import EOS, START, WORDS

TRAIN = TrainConfig(examples=1_000)
UPDATES, MODELS, KERNEL = 50, 64, 512
ANSWERS = Sampling(temperature=0.8, top_k=5, top_p=0.9, max_new_tokens=16)


Program = tuple[str, Callable, tuple]
"""Its name, the function, and arguments of the right shapes."""


def programs() -> Iterator[Program]:
    for name, (model, data) in models().items():
        yield from passes(name, model, data)
        if name == "classifier":
            yield from runs(model, data)
        else:
            yield from generation(name, model)
    yield from kernels()


def models() -> dict[str, tuple[ModelConfig, AnyExamples]]:
    """The four families with their default settings, dropout where they have it, and examples of what they read."""
    task, n = SequenceConfig(), len(WORDS)
    texts, pairs = (sequences.load(task, seed=0, examples=TRAIN.batch_size, pairs=p).train for p in (False, True))
    return {
        "classifier": (ClassifierConfig(), digits.load(DigitsConfig(), seed=0, examples=TRAIN.examples).train),
        "gpt": (GPTConfig(vocab=n, dropout=0.1), texts),
        "seq2seq": (Seq2SeqConfig(src_vocab=n, tgt_vocab=n, dropout=0.1), pairs),
        "llama": (LlamaConfig(vocab=n), texts),
    }


def passes(name: str, model: ModelConfig, data: AnyExamples) -> Iterator[Program]:
    """The forward pass of a batch, and one update."""
    from jax_impl import family
    from jax_impl import train as twin

    state = twin.init(model, TRAIN)
    batch = data.take(slice(0, TRAIN.batch_size))
    key = random.key(0) if getattr(model, "dropout", 0.0) else None
    step = partial(twin.train_step, lr=1e-3, model=model, train=TRAIN, key=key)
    yield f"{name}: forward", partial(family.logits, model=model), (state.params, batch)
    yield f"{name}: update", step, (state.params, state.opt, batch)


def runs(model: ModelConfig, data: AnyExamples) -> Iterator[Program]:
    """The loops that training runs, for one model and for many."""
    import jax

    from jax_impl import train as twin
    from jax_impl.device import population

    state = twin.init(model, TRAIN)
    order, lrs = np.zeros((UPDATES, TRAIN.batch_size), np.int32), np.zeros(UPDATES, np.float32)
    given = ((state.params, state.opt), data, order)
    for dtype in ("float32", "bfloat16"):
        updates = partial(twin._updates, model=model, train=replace(TRAIN, dtype=dtype))
        yield f"classifier: {UPDATES} updates, {dtype}", updates, (*given, lrs, np.int32(UPDATES))
    many = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((MODELS, *np.shape(leaf)), leaf.dtype), given)
    together = partial(population._updates, model=model, train=TRAIN)
    yield f"classifier: {UPDATES} updates of {MODELS} models", together, (*many, lrs, np.int32(UPDATES))


def generation(name: str, model: ModelConfig) -> Iterator[Program]:
    """A batch of prompts read, one token more, and the loop that writes whole answers."""
    import jax

    from jax_impl import generate
    from jax_impl import train as twin

    params, prompts = twin.init(model, TRAIN).params, [[START] * 8] * TRAIN.batch_size
    begun, size = generate._begin(prompts, ANSWERS, model, START if name == "seq2seq" else None)
    prefill = partial(generate._prefill, size=size, model=model)
    yield f"{name}: prefill", prefill, (params, begun)
    logits_BV, cache = jax.eval_shape(prefill, params, begun)
    yield f"{name}: decode", partial(generate._decode, model=model), (params, cache, np.zeros(len(prompts), np.int32))
    loop = partial(generate._loop, model=model, sampling=generate._program(ANSWERS))
    keys_BW = np.zeros((len(prompts), 2), np.uint32)
    given = (params, cache, logits_BV, begun.seen, keys_BW, np.int32(ANSWERS.max_new_tokens), np.int32(EOS))
    yield f"{name}: whole answers", loop, given


def kernels() -> Iterator[Program]:
    """The attention kernel for TPUs with its gradients: a real model's heads, and heads whose width fits nothing."""
    import jax
    import jax.numpy as jnp

    from jax_impl.device import fused

    for width, dtype in ((64, jnp.bfloat16), (36, jnp.float32)):
        kernel = fused.causal(KERNEL, width, dtype, platform="tpu")

        def loss(q_BTNGK, k_BSNK, v_BSNK, kernel=kernel):
            return jnp.sum(kernel(q_BTNGK, k_BSNK, v_BSNK, mask_BTS=None).astype(jnp.float32))

        q, kv = (jax.ShapeDtypeStruct((1, KERNEL, 3, *heads, width), dtype) for heads in ((3,), ()))
        name = f"splash attention, heads of {width}, {jnp.dtype(dtype).name}, gradients"
        yield name, jax.grad(loss, (0, 1, 2)), (q, kv, kv)
