# says: 1 / (1 - mu)


def predict() -> dict[str, float]:
    return {
        "first": 0.001,
        "louder": 0.001,
        "steady": 10.0,
        "shrunk": 3.0 * (1 - 0.01 * 0.5),
        "updates": 3 * (1_000 // 64),
        "share": 60 / 100,
    }
