# says: d: what block 2 hands down
def answers():
    return 256, 4, 12, 1, 500
