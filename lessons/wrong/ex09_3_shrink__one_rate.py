# says: the rate changes from update to update
def left(lrs, decay):
    return float((1 - lrs.max() * decay) ** len(lrs))
