"""The stepper: stop training between any two operations and look at the real numbers."""
