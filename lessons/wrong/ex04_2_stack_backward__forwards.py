# says: from the first block to the last
def backward(dy, backs):
    dxs, grads = [dy], []
    for back in backs:
        d_block, dx = back(dxs[-1])
        dxs.append(dx)
        grads.append(d_block)
    return grads, dxs[-1]
