# says: AdamW multiplies the decay by the learning rate
def left(lrs, decay):
    return float((1 - decay) ** len(lrs))
