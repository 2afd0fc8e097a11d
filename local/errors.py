"""Errors as the service answers them."""

from __future__ import annotations


class ServiceError(Exception):
    """An error answer of an AWS API.

    :param code: error code, such as ``ValidationException`` or ``ResourceInUse``.
    :param message: text for people.
    :param status: HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(message: str) -> ServiceError:
    """A request that the service refuses."""
    return ServiceError("ValidationException", message)


def missing(what: str) -> ServiceError:
    """A resource that does not exist, where the service answers with ``ResourceNotFound``."""
    return ServiceError("ResourceNotFound", f"{what} does not exist.")


def conflict(message: str) -> ServiceError:
    """A call that the state of the resource does not allow."""
    return ServiceError("ConflictException", message)
