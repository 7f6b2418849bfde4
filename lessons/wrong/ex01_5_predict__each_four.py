# says: rows: a token that stands three times has one row


def predict() -> dict[str, int]:
    return {"weights": 64_000, "rows": 6, "length": 256, "orders": 6, "best": 55}
