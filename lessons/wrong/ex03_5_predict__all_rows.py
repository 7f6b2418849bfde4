# says: e: that would be attention
def answers():
    return 1, 1, 16, 0, 6
