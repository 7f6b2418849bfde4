# says: it returns None
def backward(dy, backs):
    grads = [back(dy)[0] for back in backs]
    grads.reverse()
