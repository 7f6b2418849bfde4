"""Cross-entropy: how surprised the model is by the right answer, in nats, averaged over the batch.

    p    = softmax(logits)
    loss = mean over b of -ln p[b, target_b]

-ln p is computed as ln(sum exp(x - top)) - (x_target - top), which stays finite when p itself rounds to zero.

Backward. The derivatives of the logarithm and of the softmax collapse into the simplest gradient there is:
    dlogits = (p - onehot(target)) / B
Every logit is pushed down by the probability it was given, the right one is pushed up by what it lacked. The softmax is
part of this formula: applying softmax's own backward after it would differentiate twice.

The weighted form serves the sequence models: of logits_BTV, only the positions with a weight count, and the mean is
over their weights. Its backward is the same formula with weight / sum of weights in place of 1 / B.

Lesson: lessons/06_loss.md    Twin: jax_impl/ops/cross_entropy.py
"""

import numpy as np

from common.sums import largest, total
from common.types import Array


def forward(logits_BC: Array, *, targets_B: Array):
    rows = np.arange(len(targets_B))
    z_BC = logits_BC - largest(logits_BC.real)
    e_BC = np.exp(z_BC)
    total_B1 = total(e_BC)
    loss = np.mean(np.log(total_B1[:, 0]) - z_BC[rows, targets_B])
    return loss, (e_BC / total_B1, targets_B)


def backward(dloss: Array, saved):
    p_BC, targets_B = saved
    onehot_BC = np.arange(p_BC.shape[-1]) == targets_B[:, None]
    dlogits_BC = (p_BC - onehot_BC) * (dloss / len(targets_B))
    return dlogits_BC


def forward_weighted(logits_BTV: Array, *, targets_BT: Array, weights_BT: Array):
    share_R = weights_BT.reshape(-1) / np.sum(weights_BT)
    targets_R = targets_BT.reshape(-1)
    logits_RV = logits_BTV.reshape(-1, logits_BTV.shape[-1])
    z_RV = logits_RV - largest(logits_RV.real)
    e_RV = np.exp(z_RV)
    total_R1 = total(e_RV)
    surprise_R = np.log(total_R1[:, 0]) - z_RV[np.arange(len(targets_R)), targets_R]
    loss = np.sum(surprise_R * share_R.astype(logits_BTV.real.dtype))
    return loss, (e_RV / total_R1, targets_R, share_R, logits_BTV.shape)


def backward_weighted(dloss: Array, saved):
    p_RV, targets_R, share_R, shape = saved
    onehot_RV = np.arange(p_RV.shape[-1]) == targets_R[:, None]
    dlogits_RV = (p_RV - onehot_RV) * (dloss * share_R[:, None]).astype(p_RV.dtype)
    return dlogits_RV.reshape(shape)
