"""Solution of the exercise of this name."""


def predict() -> dict[str, int]:
    return {"weights": 64_000, "rows": 4, "length": 256, "orders": 6, "best": 55}
