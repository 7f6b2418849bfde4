# says: a: the logits are 3, 3 and 4
def answers():
    return 3, 0, 1, 6, 0.5
