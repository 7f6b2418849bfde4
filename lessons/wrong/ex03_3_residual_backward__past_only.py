# says: the way through the sublayer
def backward(dy_BTD, norm_back, f_back):
    return norm_back(dy_BTD)
