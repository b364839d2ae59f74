"""The field types of the settings: numbers with bounds, files, secrets, durations, addresses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    ValidationInfo,
    WrapValidator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from clustersight.duration import format_duration, parse_duration
from clustersight.problem import unknown
from clustersight.settings.listen import Listen, parse_listen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from pydantic import ValidatorFunctionWrapHandler


class Section(BaseModel):
    """A mapping of the configuration file: frozen, without unknown keys, silent about its input."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False, validate_default=True
    )


@dataclass(frozen=True)
class Known:
    """Names that settings use and others define; None: any name goes."""

    panels: Collection[str] | None = None
    thresholds: Collection[str] | None = None


@dataclass(frozen=True)
class Surroundings:
    """What validation needs from outside: the folder of the file and the names that exist."""

    folder: Path = Path()
    known: Known = Known()


def surroundings(info: ValidationInfo) -> Surroundings:
    """Return the validation context; the working directory and any name without one."""
    return info.context if isinstance(info.context, Surroundings) else Surroundings()


def refuse_unknown(section: str, noun: str, names: Iterable[str], known: Collection[str] | None) -> None:
    """Refuse names that are not `known`, each at its key; raises ValidationError."""
    wrong = [] if known is None else [name for name in names if name not in known]
    if known is None or not wrong:
        return
    errors = [
        InitErrorDetails(type=fault(unknown(noun, name, known), of_key=True), loc=(name,), input=None)
        for name in wrong
    ]
    raise ValidationError.from_exception_data(section, errors)


def fault(
    message: str, *, beside: str | None = None, below: str | None = None, of_key: bool = False
) -> PydanticCustomError:
    """Make an error with a finished message.

    It is shown at the field that failed, or at the key `beside` it (another field of the section), or
    at the key `below` (where a whole section failed); `of_key` shows the key's place, not the value's.
    """
    context = {"message": message, "beside": beside, "below": below, "of_key": of_key}
    return PydanticCustomError("setting", "{message}", context)


@dataclass(frozen=True)
class Bounds:
    """A number from `low` to `high`, with one message for a wrong type and for a wrong size."""

    low: float
    high: float

    def __call__(self, value: object, handler: ValidatorFunctionWrapHandler) -> Any:
        """Check it; raises a fault."""
        wrong = fault(f"must be a number from {self.low} to {self.high}")
        # pydantic takes true for 1; `workers: yes` is a mistake.
        if isinstance(value, bool):
            raise wrong
        try:
            number = handler(value)
        except ValidationError:
            raise wrong from None
        if number is not None and not self.low <= number <= self.high:
            raise wrong
        return number


def between(low: float, high: float) -> WrapValidator:
    """Bound a number; the document of the settings reads the bounds."""
    return WrapValidator(Bounds(low, high))


def _parsed(parse: Callable[[str], Any], kind: type) -> Callable[[object], object]:
    """Adapt a parser that raises ValueError with a message that needs no input beside it."""

    def check(value: object) -> object:
        if value is None or isinstance(value, kind):
            return value
        try:
            return parse(value if isinstance(value, str) else "")
        except ValueError as error:
            raise fault(str(error)) from None

    return check


def _resolved(value: object, info: ValidationInfo) -> object:
    """Make a path relative to the file; empty text, from `${VAR:-}`, is no path."""
    if value is None or value == "":
        return None
    if not isinstance(value, str | Path):
        raise fault("must be a path; put it in quotes")
    return surroundings(info).folder / value


def _existing(path: Path | None) -> Path | None:
    try:
        if path is None or path.is_file():
            return path
    except (OSError, ValueError):
        # A name too long, a folder that may not be entered, a NUL: no file for us either.
        pass
    raise fault(f"names {path}, which is not a readable file; relative paths start at the file's folder")


def read_secret(path: Path) -> str:
    """Return a secret file's text without its trailing newline. Raises ValueError, which names the path."""
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        # No detail: a decoding error quotes the bytes.
        raise ValueError(f"names {path}, which cannot be read as UTF-8 text; check path and mode") from None
    if not text:
        raise ValueError(f"names {path}, which is empty; write the secret into it")
    return text


def _secret(value: object, info: ValidationInfo) -> object:
    """Take the secret itself or, from the field before it, its `*_file`; not both."""
    given = None if value == "" else value
    file_key = f"{info.field_name}_file"
    path = info.data.get(file_key)
    if path is None:
        return given
    if given is not None:
        raise fault(f"is given, and {file_key} too; keep one of them", beside=file_key)
    try:
        return read_secret(path)
    except ValueError as error:
        raise fault(str(error), beside=file_key) from None


def check_url(text: str | None) -> str | None:
    """Check an http(s) URL that may be shown: without a password. Raises a fault."""
    if not text:
        return None
    try:
        url = urlsplit(text)
        good = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not good:
        raise fault("must be a URL such as https://host.example:9090/path")
    if url.password is not None:
        raise fault("must not hold a password, since it is shown; use the key that is meant for it")
    return text


def _web_url(url: SecretStr | None) -> SecretStr | None:
    """Check the form alone; the message must not show the URL, which is a secret."""
    try:
        parts = urlsplit(url.get_secret_value() if url else "")
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if url and not good:
        raise fault("must be a URL such as https://hooks.slack.com/services/…")
    return url


Duration = Annotated[
    timedelta,
    BeforeValidator(_parsed(parse_duration, timedelta)),
    PlainSerializer(format_duration, return_type=str),
]
ListenAddress = Annotated[
    Listen, BeforeValidator(_parsed(parse_listen, Listen)), PlainSerializer(str, return_type=str)
]
RelativePath = Annotated[Path, BeforeValidator(_resolved)]
OptionalPath = Annotated[Path | None, BeforeValidator(_resolved)]
# Declare `NAME_file: ExistingFile = None` before `NAME: Secret = None`: fields see those above them.
ExistingFile = Annotated[Path | None, AfterValidator(_existing), BeforeValidator(_resolved)]
Secret = Annotated[SecretStr | None, Field(validate_default=True), BeforeValidator(_secret)]
Url = Annotated[str | None, AfterValidator(check_url)]
WebSecret = Annotated[Secret, AfterValidator(_web_url)]
