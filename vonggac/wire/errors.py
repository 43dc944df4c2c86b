"""What a reader of the wire may raise, named by what the caller should do."""


class MalformedMessage(ValueError):
    """The bytes are no message of this contract: keep them aside, count, go on."""


class UnknownType(MalformedMessage):
    """A well-formed envelope of a type that this version does not know: keep it aside and count it; never fatal."""
