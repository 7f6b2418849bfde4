# says: these are the losses after each step
import jax


def descend(loss, w, lr, n):
    def step(w, _):
        moved = w - lr * jax.grad(loss)(w)
        return moved, loss(moved)

    return jax.lax.scan(step, w, None, length=n)
