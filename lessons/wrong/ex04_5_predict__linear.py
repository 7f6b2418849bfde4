# says: b: both sides of every matrix
def answers():
    return 256, 2, 12, 2, 500
