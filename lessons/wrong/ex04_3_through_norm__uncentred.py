# says: its own mean
def through_norm(parts, g, b, r):
    return [*(g * r * part for part in parts), b]
