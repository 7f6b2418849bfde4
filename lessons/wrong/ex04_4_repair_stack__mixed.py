# says: entry 2 is the first wrong one
def states(x, blocks):
    xs = [x]
    for block in blocks:
        xs.append(xs[-1] + block(xs[-1]) - xs[0])
    return xs
