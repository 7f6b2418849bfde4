# says: 4 arrays
def states(x, blocks):
    xs = [x]
    for block in blocks:
        xs.append(block(xs[-1]))
    return xs[1:]
