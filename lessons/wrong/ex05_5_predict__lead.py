# says: b: every logit grows by ten
def answers():
    return 2, 10, 1, 6, 0.5
