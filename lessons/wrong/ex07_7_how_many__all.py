# says: head bias: 27 is too many


def how_many() -> dict[str, int]:
    return dict.fromkeys(("loss", "head bias", "relu", "scale", "residual"), 27)
