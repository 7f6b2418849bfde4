"""The third witness: the digit classifier in PyTorch, written from the paper and from torch's own layers.

Nothing here is translated from the twins: attention is `scaled_dot_product_attention`, normalization is `nn.LayerNorm`,
the loss is `F.cross_entropy`, and every gradient is autograd's. Weights come in and gradients go out by the names of
common/params.py; torch keeps its matrices as (out, in), so they are transposed on the way.

Vaswani et al. 2017; Ba, Kiros and Hinton 2016.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

torch.set_num_threads(1)


def positional_encoding(length: int, width: int) -> Tensor:
    """PE(pos, 2i) = sin(pos / 10000^(2i / width)), PE(pos, 2i + 1) the cosine of the same angle (section 3.5)."""
    table = torch.zeros(length, width, dtype=torch.float64)
    for pos in range(length):
        for i in range(0, width, 2):
            angle = pos / 10000 ** (i / width)
            table[pos, i] = math.sin(angle)
            table[pos, i + 1] = math.cos(angle)
    return table


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        def split(y: Tensor) -> Tensor:
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        answers = F.scaled_dot_product_attention(
            split(self.q(x)), split(self.k(x)), split(self.v(x)), attn_mask=real[:, None, None, :]
        )
        return self.o(answers.transpose(1, 2).flatten(-2))


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)))


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, eps: float):
        super().__init__()
        self.attn, self.norm1 = SelfAttention(width, heads), nn.LayerNorm(width, eps)
        self.ffn, self.norm2 = FeedForward(width, hidden), nn.LayerNorm(width, eps)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        x = self.norm1(x + self.attn(x, real))
        return self.norm2(x + self.ffn(x))


class Classifier(nn.Module):
    def __init__(self, *, vocab: int, d_model: int, n_blocks: int, n_heads: int, d_ffn: int, eps: float, max_len: int):
        super().__init__()
        self.emb = nn.Embedding(vocab, d_model)
        self.register_buffer("positions", positional_encoding(max_len, d_model), persistent=False)
        self.blocks = nn.ModuleList(EncoderBlock(d_model, n_heads, d_ffn, eps) for _ in range(n_blocks))
        self.head = nn.Linear(d_model, vocab)
        self.double()

    def forward(self, tokens: Tensor, real: Tensor) -> Tensor:
        x = self.emb(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, real)
        return self.head(x[:, 0])


def run(config: dict, weights: dict[str, np.ndarray], tokens: np.ndarray, mask: np.ndarray, targets: np.ndarray):
    """Logits, loss and the gradient of every tensor, of weights given by the names of common/params.py, in float64."""
    model = Classifier(**config)
    model.load_state_dict({_theirs(name): _turned(name, torch.tensor(w)) for name, w in weights.items()})
    logits = model(torch.tensor(tokens), torch.tensor(mask))
    loss = F.cross_entropy(logits, torch.tensor(targets))
    loss.backward()
    theirs = dict(model.named_parameters())
    grads = {name: _turned(name, theirs[_theirs(name)].grad).numpy().copy() for name in weights}
    return logits.detach().numpy(), loss.detach().numpy(), grads


def _theirs(name: str) -> str:
    stem, last = name.rsplit(".", 1)
    return f"{stem}.{'bias' if last == 'b' else 'weight'}"


def _turned(name: str, matrix: Tensor) -> Tensor:
    return matrix.T.contiguous() if name.endswith(".w") and not name.startswith("emb.") else matrix
