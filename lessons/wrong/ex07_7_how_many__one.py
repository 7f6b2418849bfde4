# says: loss: 1 is too few


def how_many() -> dict[str, int]:
    return dict.fromkeys(("loss", "head bias", "relu", "scale", "residual"), 1)
