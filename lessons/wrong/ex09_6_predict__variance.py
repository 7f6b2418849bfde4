# says: c: the spread is the root
def answers():
    return 70, 2.5 / 9, 0.0025, 0.95**3, 0.4
