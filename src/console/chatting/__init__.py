"""Conversations with a model: what was said, who answers, how it is printed, and the commands that can be typed."""
