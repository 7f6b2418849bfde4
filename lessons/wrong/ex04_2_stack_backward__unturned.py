# says: right, and in the wrong order
def backward(dy, backs):
    dxs, grads = [dy], []
    for back in reversed(backs):
        d_block, dx = back(dxs[-1])
        dxs.append(dx)
        grads.append(d_block)
    return grads, dxs[-1]
