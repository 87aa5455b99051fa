"""Questions to the inventory: a JMESPath expression, asked of one container after the other.

Source:
    https://jmespath.org/specification.html
"""

import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import jmespath
import jmespath.exceptions
import jmespath.functions

from hookrunner.errors import UsageError

_DAY = 86400.0


class Functions(jmespath.functions.Functions):
    """JMESPath's own functions, and what it lacks for an inventory: the age of things."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    @jmespath.functions.signature({"types": ["number", "string", "null"]})
    def _func_days_since(self, told: float | str | None) -> float | None:
        """Days since a time: seconds since the epoch, or as text; null where it is none."""
        at = _instant(told)
        return None if at is None else (self._now - at).total_seconds() / _DAY


class Question:
    """An expression that is asked of records.

    Args:
        expression: As a person writes it.
        now: What ages are counted from.

    Raises:
        UsageError: It is no JMESPath.
    """

    def __init__(self, expression: str, *, now: datetime) -> None:
        try:
            with warnings.catch_warnings():  # of `text` for 'text', which is still understood
                warnings.simplefilter("ignore", PendingDeprecationWarning)
                self._parsed = jmespath.compile(expression)
        except jmespath.exceptions.JMESPathError as error:
            raise _mistake(expression, error) from error
        self._expression = expression
        self._options = jmespath.Options(custom_functions=Functions(now))

    def answer(self, record: Mapping[str, Any]) -> Any:
        """What the expression gives for a record.

        A function that does not take what the record has gives null, as a key does that it
        has not: an audit of many containers must not end at the first that lacks one.

        Raises:
            UsageError: It calls a function that does not exist, or with too few words.
        """
        try:
            return self._parsed.search(record, options=self._options)
        except jmespath.exceptions.JMESPathTypeError:
            return None
        except jmespath.exceptions.JMESPathError as error:
            raise _mistake(self._expression, error) from error

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether the answer is true, as JMESPath has it: not false, null or empty.

        Raises:
            UsageError: As `answer`.
        """
        found = self.answer(record)
        return found is not None and found is not False and found not in ("", [], {})


def record(view: Mapping[str, Any]) -> dict[str, Any]:
    """What a question is asked of: a container of the API, its metadata's keys beside.

    So ``owner == 'dns'`` asks for the user's own key, and ``image_behind`` for the
    container's. A key of both is the container's; ``metadata.KEY`` is always the other.
    """
    return {**(view.get("metadata") or {}), **view}


def ask(question: Question, views: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The containers for which a question holds.

    Raises:
        UsageError: As `Question.answer`.
    """
    return [view for view in views if question.holds(record(view))]


def _mistake(expression: str, error: Exception) -> UsageError:
    words = " ".join(str(error).split())
    return UsageError(
        f"{expression!r} cannot be asked: {words}",
        hint="`hookrunner help audit` has ten questions, and https://jmespath.org the language",
    )


def _instant(told: float | str | None) -> datetime | None:
    try:
        if isinstance(told, str):
            at = datetime.fromisoformat(told)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        return None if told is None else datetime.fromtimestamp(told, UTC)
    except (ValueError, OverflowError, OSError):
        return None
