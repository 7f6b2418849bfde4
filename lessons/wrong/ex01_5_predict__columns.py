# says: length: each hand adds sin² + cos² = 1


def predict() -> dict[str, int]:
    return {"weights": 64_000, "rows": 4, "length": 512, "orders": 6, "best": 55}
