"""Distinguishes a damaged checkpoint from other errors of reading it."""


def damage_of(error: BaseException) -> Exception | None:
    """Returns the damage that an error of orbax tells of; None if the error has another cause.

    Where a description of the checkpoint has another form, orbax asks it for what it has not: AttributeError.
    Orbax raises a plain Exception, caused by the ValueError of TensorStore, where an array's files are cut or missing.
    """
    if type(error) is Exception and error.__cause__:
        error = error.__cause__
    kinds = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError)
    return error if isinstance(error, kinds) else None
