"""The digit transformer by hand in PyTorch, for comparison: same parameters, same arithmetic, backward by autograd.

Written to be fast: PyTorch's fused kernels for attention, norm and loss, one two-axis matrix product with its bias for
each linear layer, no modules. The parameters are those of common/params.py, so that losses can be held against ours.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own name for it)

from common import tree
from common.config import ClassifierConfig
from common.data.batching import Examples
from common.positions import sinusoidal
from common.types import Tree

ADAM = {"for-loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
"""The three ways in which torch.optim.Adam walks over the tensors. On a CPU the for-loop is its default."""

Parameters = dict[str, torch.Tensor]


def logits(
    p: Parameters,
    tokens_BT: torch.Tensor,
    mask_B11S: torch.Tensor,
    p_TD: torch.Tensor,
    *,
    config: ClassifierConfig,
    pooled: bool,
) -> torch.Tensor:
    """Logits (B, V). `pooled`: the last block computes the first position only, as classifier.forward_pooled does."""
    x = F.embedding(tokens_BT, p["emb.w"]) + p_TD
    for i in range(config.n_blocks):
        asks = x[:, :1] if pooled and i == config.n_blocks - 1 else x
        x = block(p, asks, x, mask_B11S, config=config, prefix=f"blocks.{i}.")
    return _linear(p, "head", x[:, 0])


def block(
    p: Parameters,
    asks: torch.Tensor,
    x: torch.Tensor,
    mask_B11S: torch.Tensor,
    *,
    config: ClassifierConfig,
    prefix: str = "",
    attend: Callable[..., torch.Tensor] = F.scaled_dot_product_attention,
) -> torch.Tensor:
    """One encoder block whose parameters' names begin with `prefix`: the positions `asks` look at the positions `x`."""
    m = _norm(p, prefix + "norm1", asks + _attention(p, prefix + "attn.", asks, x, mask_B11S, config, attend), config)
    h = F.relu(_linear(p, prefix + "ffn.up", m))
    return _norm(p, prefix + "norm2", m + _linear(p, prefix + "ffn.down", h), config)


def _linear(p: Parameters, name: str, x: torch.Tensor) -> torch.Tensor:
    """Two axes and bias and product in one kernel: faster than `x @ w + b` on three axes."""
    w, b = p[name + ".w"], p.get(name + ".b")
    rows = x.reshape(-1, w.shape[0])
    y = torch.mm(rows, w) if b is None else torch.addmm(b, rows, w)
    return y.view(*x.shape[:-1], w.shape[1])


def _norm(p: Parameters, name: str, x: torch.Tensor, config: ClassifierConfig) -> torch.Tensor:
    return F.layer_norm(x, (config.d_model,), p[name + ".g"], p[name + ".b"], config.eps)


def _attention(
    p: Parameters,
    name: str,
    x: torch.Tensor,
    src: torch.Tensor,
    mask_B11S: torch.Tensor,
    config: ClassifierConfig,
    attend: Callable[..., torch.Tensor],
) -> torch.Tensor:
    def heads(letter: str, of: torch.Tensor) -> torch.Tensor:
        return _linear(p, name + letter, of).view(len(of), of.shape[1], config.n_heads, -1).transpose(1, 2)

    q, k, v = heads("q", x), heads("k", src), heads("v", src)
    o = attend(q, k, v, attn_mask=mask_B11S)
    return _linear(p, name + "o", o.transpose(1, 2).reshape(x.shape))


def adam_step(
    params: Tree,
    examples: Examples,
    *,
    config: ClassifierConfig,
    lr: float,
    walk: str = "for-loop",
    pooled: bool = False,
    compiled: bool = False,
) -> Callable[[], float]:
    """A function that makes one whole training step (forward, loss, backward, Adam) and returns its loss.

    `params` is copied. `walk` is a key of ADAM. `compiled` puts torch.compile around forward and backward.
    """
    torch.set_num_threads(1)
    p = {name: torch.tensor(np.array(leaf), requires_grad=True) for name, leaf in tree.items(params)}
    adam = torch.optim.Adam(p.values(), lr=lr, **ADAM[walk])
    tokens_BT, targets_B = torch.from_numpy(examples.tokens), torch.from_numpy(examples.targets)
    mask_B11S = torch.from_numpy(examples.mask)[:, None, None, :]
    p_TD = torch.tensor(sinusoidal(tokens_BT.shape[1], config.d_model), dtype=p["emb.w"].dtype)

    def loss_of(p: Parameters) -> torch.Tensor:
        found = logits(p, tokens_BT, mask_B11S, p_TD, config=config, pooled=pooled)
        return F.cross_entropy(found, targets_B)

    measured = torch.compile(loss_of) if compiled else loss_of

    def step() -> float:
        adam.zero_grad(set_to_none=True)
        loss = measured(p)
        loss.backward()
        adam.step()
        return loss.item()

    return step
