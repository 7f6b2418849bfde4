# says: the second run remembers the first
_seen = [0.0, 0]


def start():
    return (0.0, 0.0)


def update(state, x):
    _seen[0] += x
    _seen[1] += 1
    return (_seen[0], _seen[1]), _seen[0] / _seen[1]
