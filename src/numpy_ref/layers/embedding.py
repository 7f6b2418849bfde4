"""Embedding: look up one learned vector for each token.

    y[b, t] = w[token[b, t]]

The same as multiplying a one-hot vector by w, without the multiplications.

Backward. A row of w was copied to every place where its token stands, so it gathers the gradients of all of them:
    dw[v] = sum of dy[b, t] over all places with token[b, t] = v
This is a scatter that adds. `dw[tokens] = dy` would keep only the last place of a repeated token. A row whose token is
not in the batch gets exactly zero. Token ids are not differentiable and have no gradient.

The sum is computed as onehot^T @ dy: the vocabularies here are small, and a matrix product is many times faster than
`np.add.at`, to which a test holds it equal.

Lesson: lessons/01_embeddings.md    Twin: jax_impl/layers/embedding.py
"""

import numpy as np

from common.params import Embedding
from common.types import Array


def forward(params: Embedding, *, tokens_BT: Array):
    y_BTD = params["w"][tokens_BT]
    return y_BTD, (len(params["w"]), tokens_BT)


def backward(dy_BTD: Array, saved):
    vocab, tokens_BT = saved
    onehot_VR = (np.arange(vocab)[:, None] == tokens_BT.reshape(1, -1)).astype(dy_BTD.dtype)
    dw_VD = onehot_VR @ dy_BTD.reshape(-1, dy_BTD.shape[-1])
    return {"w": dw_VD}
