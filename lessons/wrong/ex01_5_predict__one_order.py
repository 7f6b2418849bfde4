# says: orders: without positions the rows are a set


def predict() -> dict[str, int]:
    return {"weights": 64_000, "rows": 4, "length": 256, "orders": 1, "best": 55}
