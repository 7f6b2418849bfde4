# says: d: each update shrinks
def answers():
    return 70, 2.5 / 9, 0.05, 0.85, 0.4
