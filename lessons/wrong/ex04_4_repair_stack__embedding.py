# says: every block reads the first x
def states(x, blocks):
    xs = [x]
    for block in blocks:
        xs.append(block(xs[0]))
    return xs
