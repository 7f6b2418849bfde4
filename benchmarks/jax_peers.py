"""The digit transformer in JAX for step_speed.py: ours, and the same model in Equinox and in Flax NNX.

The peers are written as their own documents teach: a module class for each part, the library's attention, norm and
optimizer (optax.adam), its jit around one training step. The parameters are those of common/params.py, copied in, so
that the losses can be held against ours. XLA may use one thread, like everybody else: call `one_xla_thread` before JAX
is imported.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from common.config import ClassifierConfig, TrainConfig
from common.data.batching import Examples
from common.positions import sinusoidal
from common.types import Tree

UPDATES = 10
"""How many updates our loop makes in one dispatch. Training makes 50, which costs no more."""


def one_xla_thread() -> None:
    """Let XLA compute on one thread, unless the user's environment already says something to XLA."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")


# ---- ours ----


def train_config(examples: Examples) -> TrainConfig:
    batch = len(examples.targets)
    return TrainConfig(examples=batch, batch_size=batch, optimizer="adam", weight_decay=0.0)


def our_loop(
    params: Tree, examples: Examples, *, config: ClassifierConfig, lr: float, pooled: bool
) -> Callable[[], list[float]]:
    """A function that makes UPDATES updates in one dispatch, as jax_impl/train.py does, and returns their losses."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jax_impl import optim
    from jax_impl.device import loop

    train = train_config(examples)

    @partial(jax.jit, donate_argnums=0)
    def updates(carry, examples, order, lrs, n):
        carry, figures = loop.updates(_our_step(config, train, pooled), carry, examples, order, lrs, n)
        return carry, carry, figures

    fresh = jax.tree.map(jnp.asarray, params)
    state = [(fresh, optim.init(fresh, train))]
    on_device = Examples(*map(jnp.asarray, examples))
    order = np.tile(np.arange(train.batch_size, dtype=np.int32), (UPDATES, 1))
    lrs = np.full(UPDATES, lr, np.float32)

    def step() -> list[float]:
        state[0], _, figures = updates(state[0], on_device, order, lrs, UPDATES)
        return np.asarray(figures)[:, 0].tolist()

    return step


def our_dispatches(
    params: Tree, examples: Examples, *, config: ClassifierConfig, lr: float, pooled: bool
) -> Callable[[], float]:
    """A function that makes one update in one dispatch and returns its loss."""
    import jax
    import jax.numpy as jnp

    from jax_impl import optim

    train = train_config(examples)
    update = jax.jit(_our_step(config, train, pooled), donate_argnums=(0, 1))
    fresh = jax.tree.map(jnp.array, params)
    state = [fresh, optim.init(fresh, train)]
    on_device = Examples(*map(jnp.asarray, examples))

    def step() -> float:
        *state[:], loss, _ = update(*state, on_device, lr=lr)
        return float(loss)

    return step


def _our_step(config: ClassifierConfig, train: TrainConfig, pooled: bool) -> Callable:
    """`train_step` itself, which pools the last block, or the same with the plain forward pass."""
    import jax
    import jax.numpy as jnp

    from jax_impl import optim
    from jax_impl import train as ours
    from jax_impl.models import classifier
    from jax_impl.ops import cross_entropy

    def plain(params, opt, examples, *, lr):
        def loss_fn(params):
            logits_BC = classifier.forward(params, tokens_BT=examples.tokens, mask_BT=examples.mask, config=config)
            return cross_entropy.forward(logits_BC, targets_B=examples.targets), logits_BC

        (loss, logits_BC), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        new_params, new_opt = optim.update(params, grads, opt, lr=lr, config=train)
        return new_params, new_opt, loss, jnp.mean(jnp.argmax(logits_BC, axis=-1) == examples.targets, dtype=loss.dtype)

    return partial(ours.train_step, model=config, train=train) if pooled else plain


# ---- Equinox and Optax ----


def equinox_step(
    params: Tree, examples: Examples, *, config: ClassifierConfig, lr: float, pooled: bool
) -> Callable[[], float]:
    """A model of one example, `vmap` over the batch, `eqx.filter_jit` around the step."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax

    class Block(eqx.Module):
        attention: eqx.nn.MultiheadAttention
        norm1: eqx.nn.LayerNorm
        up: eqx.nn.Linear
        down: eqx.nn.Linear
        norm2: eqx.nn.LayerNorm

        def __init__(self, weights: Tree, key: jax.Array):
            d, f = config.d_model, config.d_ffn
            attention = eqx.nn.MultiheadAttention(config.n_heads, d, key=key)
            self.attention = eqx.tree_at(
                lambda a: [p.weight for p in (a.query_proj, a.key_proj, a.value_proj, a.output_proj)],
                attention,
                [jnp.asarray(weights["attn"][name]["w"].T) for name in "qkvo"],
            )
            self.norm1, self.norm2 = (
                _filled(eqx.nn.LayerNorm(d, eps=config.eps), weight=weights[n]["g"], bias=weights[n]["b"])
                for n in ("norm1", "norm2")
            )
            self.up = _linear(eqx.nn.Linear(d, f, key=key), weights["ffn"]["up"])
            self.down = _linear(eqx.nn.Linear(f, d, key=key), weights["ffn"]["down"])

        def __call__(self, x_SD: jax.Array, mask_S: jax.Array, queries: int) -> jax.Array:
            x_TD = x_SD[:queries]
            mask_TS = jnp.broadcast_to(mask_S, (queries, len(x_SD)))
            m_TD = jax.vmap(self.norm1)(x_TD + self.attention(x_TD, x_SD, x_SD, mask=mask_TS))
            f_TD = jax.vmap(lambda m_D: self.down(jax.nn.relu(self.up(m_D))))(m_TD)
            return jax.vmap(self.norm2)(m_TD + f_TD)

    class Model(eqx.Module):
        embedding: eqx.nn.Embedding
        blocks: list[Block]
        head: eqx.nn.Linear

        def __init__(self, weights: Tree, key: jax.Array):
            self.embedding = eqx.nn.Embedding(weight=jnp.asarray(weights["emb"]["w"]))
            self.blocks = [Block(block, key) for block in weights["blocks"]]
            self.head = _linear(eqx.nn.Linear(config.d_model, config.vocab, key=key), weights["head"])

        def __call__(self, tokens_T: jax.Array, mask_T: jax.Array) -> jax.Array:
            length = len(tokens_T)
            x_TD = jax.vmap(self.embedding)(tokens_T) + jnp.asarray(sinusoidal(length, config.d_model), jnp.float32)
            for i, block in enumerate(self.blocks):
                x_TD = block(x_TD, mask_T, 1 if pooled and i == config.n_blocks - 1 else length)
            return self.head(x_TD[0])

    def _filled(module: Any, *, weight: Any, bias: Any) -> Any:
        return eqx.tree_at(lambda m: (m.weight, m.bias), module, (jnp.asarray(weight), jnp.asarray(bias)))

    def _linear(module: Any, weights: Tree) -> Any:
        return _filled(module, weight=weights["w"].T, bias=weights["b"])

    optimizer = optax.adam(lr)

    @eqx.filter_jit
    def make_step(model, opt_state, tokens_BT, mask_BT, targets_B):
        def loss_fn(model):
            logits_BV = jax.vmap(model)(tokens_BT, mask_BT)
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits_BV, targets_B))

        loss, grads = eqx.filter_value_and_grad(loss_fn)(model)
        updates, opt_state = optimizer.update(grads, opt_state, model)
        return eqx.apply_updates(model, updates), opt_state, loss

    model = Model(params, jax.random.key(0))
    state = [model, optimizer.init(eqx.filter(model, eqx.is_inexact_array))]
    on_device = tuple(map(jnp.asarray, examples))

    def step() -> float:
        *state[:], loss = make_step(*state, *on_device)
        return float(loss)

    return step


# ---- Flax NNX and Optax ----


def nnx_step(
    params: Tree, examples: Examples, *, config: ClassifierConfig, lr: float, pooled: bool, cached: bool
) -> Callable[[], float]:
    """`nnx.Optimizer` and `nnx.jit` around the step; `cached` spares each call the walk over the modules."""
    import jax.numpy as jnp
    import optax
    from flax import nnx

    class Block(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            d, f = config.d_model, config.d_ffn
            self.attention = nnx.MultiHeadAttention(config.n_heads, d, use_bias=False, decode=False, rngs=rngs)
            self.norm1 = nnx.LayerNorm(d, epsilon=config.eps, rngs=rngs)
            self.up = nnx.Linear(d, f, rngs=rngs)
            self.down = nnx.Linear(f, d, rngs=rngs)
            self.norm2 = nnx.LayerNorm(d, epsilon=config.eps, rngs=rngs)

        def __call__(self, x_BSD, mask_B11S, queries: int):
            x_BTD = x_BSD[:, :queries]
            m_BTD = self.norm1(x_BTD + self.attention(x_BTD, x_BSD, mask=mask_B11S))
            return self.norm2(m_BTD + self.down(nnx.relu(self.up(m_BTD))))

    class Model(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.embedding = nnx.Embed(config.vocab, config.d_model, rngs=rngs)
            self.blocks = nnx.List([Block(rngs) for _ in range(config.n_blocks)])
            self.head = nnx.Linear(config.d_model, config.vocab, rngs=rngs)

        def __call__(self, tokens_BT, mask_BT):
            length = tokens_BT.shape[1]
            x_BTD = self.embedding(tokens_BT) + jnp.asarray(sinusoidal(length, config.d_model), jnp.float32)
            for i, block in enumerate(self.blocks):
                queries = 1 if pooled and i == config.n_blocks - 1 else length
                x_BTD = block(x_BTD, mask_BT[:, None, None, :], queries)
            return self.head(x_BTD[:, 0])

    @nnx.jit
    def train_step(model, optimizer, tokens_BT, mask_BT, targets_B):
        def loss_fn(model):
            logits_BV = model(tokens_BT, mask_BT)
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits_BV, targets_B))

        loss, grads = nnx.value_and_grad(loss_fn)(model)
        optimizer.update(model, grads)
        return loss

    model = Model(nnx.Rngs(0))
    _fill_nnx(model, params, config)
    optimizer = nnx.Optimizer(model, optax.adam(lr), wrt=nnx.Param)
    on_device = tuple(map(jnp.asarray, examples))
    call = nnx.cached_partial(train_step, model, optimizer) if cached else partial(train_step, model, optimizer)

    def step() -> float:
        return float(call(*on_device))

    return step


def _fill_nnx(model: Any, params: Tree, config: ClassifierConfig) -> None:
    """Copy our weights in. NNX splits the heads of the projections into an axis of their own."""
    import jax.numpy as jnp

    def fill(variable: Any, values: Any) -> None:
        variable[...] = jnp.asarray(values.reshape(variable.shape))

    def fill_linear(module: Any, weights: Tree) -> None:
        fill(module.kernel, weights["w"])
        fill(module.bias, weights["b"])

    fill(model.embedding.embedding, params["emb"]["w"])
    for block, weights in zip(model.blocks, params["blocks"], strict=True):
        attention = block.attention
        for projection, name in zip(
            (attention.query, attention.key, attention.value, attention.out), "qkvo", strict=True
        ):
            fill(projection.kernel, weights["attn"][name]["w"])
        for norm in ("norm1", "norm2"):
            fill(getattr(block, norm).scale, weights[norm]["g"])
            fill(getattr(block, norm).bias, weights[norm]["b"])
        fill_linear(block.up, weights["ffn"]["up"])
        fill_linear(block.down, weights["ffn"]["down"])
    fill_linear(model.head, params["head"])
