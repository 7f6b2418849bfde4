# says: also passes through the norm
def backward(dy_BTD, norm_back, f_back):
    return dy_BTD + f_back(norm_back(dy_BTD))
