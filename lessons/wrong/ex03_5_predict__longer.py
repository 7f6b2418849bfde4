# says: b: the norm forgets
def answers():
    return 1, 10, 16, 0, 1
