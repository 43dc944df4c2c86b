"""Configuration: YAML gives structure, the schema gives types; every mistake at once, with file, line and a suggestion.

edge.yaml:8: cameras[gate].motion.treshold: unknown option. Did you mean 'threshold'?
"""

import difflib
import ipaddress
import os
import re
import stat
import types
import typing
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from vonggac.daemon import quantities
from vonggac.daemon.yaml_lines import Document, Path_, read_yaml, spell
from vonggac.wire.ids import is_box_id, is_camera_name


class Section(BaseModel):
    """Base of every part of a configuration: frozen, and an unknown option is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ConfigInvalid(Exception):
    """The configuration has mistakes: `lines` tells each with file, line and what to do. Exit 78."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


Model = TypeVar("Model", bound=BaseModel)
CREDENTIALS = "CREDENTIALS_DIRECTORY"
CREDSTORE = Path("/etc/credstore")
"""Where systemd takes credentials from; commands given by hand read them there themselves, as root."""


def load_config(path: Path, model: type[Model]) -> Model:
    """Read and check a file. Raises ConfigInvalid with all mistakes found, in the order of their lines."""
    try:
        document = read_yaml(path)
    except OSError as error:
        raise ConfigInvalid([f"{path}: cannot be read: {error.strerror}. Give the file with --config"]) from None
    mistakes = list(document.mistakes)
    if not mistakes or document.tree is not None:
        try:
            config = model.model_validate(
                document.tree if document.tree is not None else {}, context={"folder": path.resolve().parent}
            )
        except pydantic.ValidationError as error:
            details = [dict(detail) for detail in error.errors()]
            mistakes += [_explain(detail, document, model) for detail in details if not _is_echo(detail, details)]
        else:
            if not mistakes:
                return config
    unique = sorted(set(mistakes))
    raise ConfigInvalid([f"{path}:{line}: {text}" for line, text in unique])


def read_secret(path: Path) -> str:
    """The one line of a secret file. Raises ConfigInvalid when it is missing, empty or readable by others."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not text"
        if isinstance(error, PermissionError) and path.parent == CREDSTORE:
            why = f"{why}; only root reads it. Give this command with sudo"
        raise ConfigInvalid([f"{path}: secret file cannot be read: {why}"]) from None
    given_by_systemd = path.parent == Path(os.environ.get(CREDENTIALS, "/nonexistent"))
    if mode & 0o077 and not given_by_systemd:
        raise ConfigInvalid([f"{path}: secret file is open to others (mode {mode:04o}). Do: chmod 600 {path}"])
    if not text or "\n" in text:
        raise ConfigInvalid([f"{path}: secret file must hold one line and holds {len(text.splitlines())}"])
    return text


def is_this_machine(host: str) -> bool:
    """True for loopback: what goes there passes no line on which somebody could listen."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- types of options --------------------------------------------------------------------------------------------


def _in_folder(path: Path, info: ValidationInfo) -> Path:
    if not os.environ.get(CREDENTIALS):
        path = Path(re.sub(rf"\$({CREDENTIALS}\b|{{{CREDENTIALS}}})", str(CREDSTORE), str(path)))
    path = Path(os.path.expandvars(path)).expanduser()
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


def _check_box_id(text: str) -> str:
    if not is_box_id(text):
        raise ValueError("must be 3–40 of a–z, 0–9 and -")
    return text


def _check_camera_name(text: str) -> str:
    if not is_camera_name(text):
        raise ValueError("must be 1–40 of a–z, 0–9, _ and -, beginning with a letter or digit")
    return text


def _by(parse: typing.Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


ConfigPath = Annotated[Path, AfterValidator(_in_folder)]
"""A path; a relative one counts from the configuration file's own folder; `$CREDENTIALS_DIRECTORY` is replaced, by hand
with `/etc/credstore`."""
Duration = Annotated[float, _by(quantities.parse_duration_s), Field(ge=0)]
"""Seconds, written `30s`, `5m`, `2h`, `7d`."""
Size = Annotated[int, _by(quantities.parse_size_bytes), Field(ge=0)]
"""Bytes, written `500MB`, `20GiB`."""
MinuteOfDay = Annotated[int, _by(quantities.parse_minute_of_day)]
"""Minutes since local midnight, written `22:30`."""
BoxId = Annotated[str, AfterValidator(_check_box_id)]
CameraName = Annotated[str, AfterValidator(_check_camera_name)]


# --- words for mistakes ------------------------------------------------------------------------------------------

_NEEDS = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "model_type": "must be a section of options",
    "dict_type": "must be a section of options",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "path_type": "must be a path",
}


def _is_echo(detail: dict[str, Any], details: list[dict[str, Any]]) -> bool:
    """A list is called too short when its only items are wrong: the items' own mistakes say it better."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        other["loc"][: len(loc)] == loc and len(other["loc"]) > len(loc) for other in details
    )


def _explain(detail: dict[str, Any], document: Document, model: type[BaseModel]) -> tuple[int, str]:
    path: Path_ = tuple(key for key in detail["loc"] if isinstance(key, int) or not key.startswith("function-"))
    where, line, kind = spell(path, document.tree), document.line_of(path), detail["type"]
    value = detail.get("input")
    shown = f", not {value!r}" if isinstance(value, str) and len(value) <= 60 else ""
    if kind == "extra_forbidden":
        known = _options_at(model, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(sorted(known))}"
        return line, f"{where}: unknown option. {hint}"
    if kind == "missing":
        return document.line_of(path[:-1]), f"{where}: is missing and must be given"
    if kind == "literal_error":
        near = difflib.get_close_matches(str(value), _choices(str(detail["ctx"]["expected"])), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return line, f"{where}: must be one of {detail['ctx']['expected']}{shown}.{hint}"
    if kind == "too_short":
        return line, f"{where}: needs at least {detail['ctx']['min_length']}, has {detail['ctx']['actual_length']}"
    if value is None and kind in _NEEDS:
        return line, f"{where}: {_NEEDS[kind]} and is empty"
    if kind in _NEEDS:
        return line, f"{where}: {_NEEDS[kind]}{shown}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    message = message.replace("Input should be", "must be")
    return line, f"{where}: {message[0].lower() + message[1:]}{shown if kind != 'value_error' else ''}"


def _choices(expected: str) -> list[str]:
    return [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]


def _options_at(model: type[BaseModel], path: Path_) -> list[str]:
    """Names of the options that the schema knows at a place."""
    models = [model]
    for key in path:
        if isinstance(key, int):
            continue
        hints = [candidate.model_fields[key].annotation for candidate in models if key in candidate.model_fields]
        models = [found for hint in hints for found in _models_in(hint)]
    return [name for candidate in models for name in candidate.model_fields]


def _models_in(hint: Any) -> list[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return [hint]
    if get_origin(hint) in (typing.Union, types.UnionType, tuple, list, dict, Annotated):
        return [found for arg in get_args(hint) for found in _models_in(arg)]
    return []
