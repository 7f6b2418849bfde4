# says: it goes uphill: the gradient is subtracted
import jax


def descend(loss, w, lr, n):
    def step(w, _):
        value, grad = jax.value_and_grad(loss)(w)
        return w + lr * grad, value

    return jax.lax.scan(step, w, None, length=n)
