# says: b: 95 beats 94
def answers():
    return 70, 2 / 9, 0.05, 0.95**3, 0.4
