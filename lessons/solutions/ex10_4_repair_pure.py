"""A running mean, pure."""


def start():
    return (0.0, 0.0)


def update(state, x):
    total, count = state[0] + x, state[1] + 1
    return (total, count), total / count
