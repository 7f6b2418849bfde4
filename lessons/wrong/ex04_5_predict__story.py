# says: e: the first look is hardly missed
def answers():
    return 256, 4, 12, 2, 0
