"""The terminal: it renders, it never computes."""
