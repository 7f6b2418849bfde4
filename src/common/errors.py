"""The one exception that scripts show to people: a sentence that says what is wrong, where, and what to do."""


class UserError(ValueError):
    """Something the user can put right. Scripts print it as one line and exit with code 2; it is never a traceback."""
