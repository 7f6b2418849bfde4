"""Where a token stands, as constant tables for both twins: sinusoidal positions, and the angles of rotary ones.

    P[t, 2i]     = sin(t / 10000^(2i / D))
    P[t, 2i + 1] = cos(t / 10000^(2i / D))

Each pair of columns is a clock hand that turns at its own speed: the first pair once in 6.3 positions, the last once
in about 63,000. Nothing here is learned. Rotary positions use the same hands, not as something to add but as angles to
turn by (ops/rope.py).

Vaswani et al. 2017, section 3.5; Su et al. 2021.    Lesson: lessons/01_embeddings.md
"""

from functools import lru_cache

import numpy as np

from common.config import LlamaConfig
from common.types import Array


@lru_cache(maxsize=8)
def sinusoidal(length: int, width: int) -> Array:
    """The table P_TD, float64, shape (length, width), read-only; the width must be even (ValueError)."""
    if width % 2:
        raise ValueError(f"sine and cosine come in pairs: the width must be even, not {width}")
    t_T1 = np.arange(length)[:, None]
    speed = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = t_T1 * speed
    table_TD = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, width)
    table_TD.setflags(write=False)  # it is kept from call to call
    return table_TD


@lru_cache(maxsize=8)
def rotary(length: int, config: LlamaConfig) -> tuple[Array, Array]:
    """The cosine and sine of every pair's angle at every position, float64, both (length, pairs), read-only."""
    angle_TP = np.arange(length)[:, None] * speeds(config)
    tables = np.cos(angle_TP), np.sin(angle_TP)
    for table_TP in tables:
        table_TP.setflags(write=False)
    return tables


def speeds(config: LlamaConfig) -> Array:
    """How far each pair of a head turns from one position to the next, in radians, (pairs,).

    LLaMA 3 stretched to texts longer than those it was first trained on: hands that turned often within them are left
    alone, those that turned hardly at all are slowed by the factor (Grattafiori et al. 2024).
    """
    width = config.turning
    speed_P = config.rope_base ** (-np.arange(0, width, 2) / max(width, 1))
    turns_P = config.rope_trained_len * speed_P / (2 * np.pi)
    low, high = config.rope_low_turns, config.rope_high_turns
    kept_P = np.clip((turns_P - low) / (high - low), 0.0, 1.0)
    return speed_P * (kept_P + (1 - kept_P) / config.rope_factor)
