"""The machinery of the lessons: every block of a page runs, and prints what the page says. `python -m course --help`"""
