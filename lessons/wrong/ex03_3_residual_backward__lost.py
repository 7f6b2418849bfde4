# says: the way past the sublayer
def backward(dy_BTD, norm_back, f_back):
    return f_back(norm_back(dy_BTD))
