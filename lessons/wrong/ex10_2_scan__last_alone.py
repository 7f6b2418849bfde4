# says: return a pair
import jax


def descend(loss, w, lr, n):
    return jax.lax.fori_loop(0, n, lambda i, at: at - lr * jax.grad(loss)(at), w)
