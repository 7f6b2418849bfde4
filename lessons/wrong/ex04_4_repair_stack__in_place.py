# says: x itself was changed
def states(x, blocks):
    xs = [x]
    for block in blocks:
        y = xs[-1]
        y += block(xs[-1]) - xs[-1]
        xs.append(y)
    return xs
