# says: e: a mean spreads
def answers():
    return 2, 0, 1, 6, 3
