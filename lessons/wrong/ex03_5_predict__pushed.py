# says: d: the mean of a gradient
def answers():
    return 1, 1, 16, 1, 1
