# says: the seed changes nothing
import hashlib


def split(rows, seed):
    def low(row):
        return hashlib.sha256(row.encode()).digest()[0] < 205

    return [r for r in rows if low(r)], [r for r in rows if not low(r)]
