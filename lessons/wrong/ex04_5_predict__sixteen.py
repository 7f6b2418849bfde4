# says: a: two sublayers a block
def answers():
    return 16, 4, 12, 2, 500
