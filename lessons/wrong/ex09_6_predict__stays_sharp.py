# says: e: it rises to 0.7
def answers():
    return 70, 2.5 / 9, 0.05, 0.95**3, 0.8
