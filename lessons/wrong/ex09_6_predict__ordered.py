# says: a: the order in which the four are chosen
def answers():
    return 1_680, 2.5 / 9, 0.05, 0.95**3, 0.4
