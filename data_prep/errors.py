"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake of the user's, told in one sentence that names the flag, file or line to change."""
