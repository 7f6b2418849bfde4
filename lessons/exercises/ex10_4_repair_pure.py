"""Repair a function that is not pure.

`Averager` keeps a running mean of what it has seen, in itself: compiled, it goes wrong. Write the same as a
pure function: `update(state, x)` returns the new state and the mean so far; `start()` returns the first state, a tuple
of two numbers.

    class Averager:
        def __init__(self):
            self.total, self.count = 0.0, 0

        def update(self, x):
            self.total += x
            self.count += 1
            return self.total / self.count
"""


def start():
    raise NotImplementedError


def update(state, x):
    raise NotImplementedError


HINTS = [
    "What the object keeps between calls has to come in as an argument and go out as a result.",
    "state = (total, count)",
    "return (total + x, count + 1), (total + x) / (count + 1)",
]
