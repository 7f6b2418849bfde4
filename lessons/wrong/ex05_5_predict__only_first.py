# says: d: position 0 looked at all
def answers():
    return 2, 0, 1, 1, 0.5
