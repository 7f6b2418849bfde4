# says: every block was given dy
def backward(dy, backs):
    dxs, grads = [dy], []
    for back in reversed(backs):
        d_block, dx = back(dy)
        dxs.append(dx)
        grads.append(d_block)
    return grads[::-1], dxs[-1]
