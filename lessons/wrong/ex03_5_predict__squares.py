# says: c: 256 is the sum of the squares
def answers():
    return 1, 1, 256, 0, 1
