"""`IncludeFile`: a parameter that is given as a path, and read as the file's contents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowkit.errors import UsageError
from flowkit.flow.parameter_field import (
    NO_DEFAULT,
    ParameterContext,
    ParameterField,
    ReadFile,
)
from flowkit.flow.parameter_types import ParameterType, UserCallFailed, call_user
from flowkit.graph import Fault, ParameterDescription, Place


class IncludedFile(ParameterField):
    """A file on its class. Read on a flow object, it is what the file held when the run began."""

    def __init__(
        self,
        given_name: str | None,
        *,
        default: Any,
        is_text: bool,
        encoding: str,
        parser: Callable[[Any], object] | None,
        required: bool,
        help: str | None,
    ) -> None:
        super().__init__(given_name, default=default, required=required, help=help)
        self.is_text, self.encoding, self.parser = is_text, encoding, parser

    @property
    def value_type(self) -> ParameterType:
        """Text: the path. What an annotation says is the type of the contents."""
        return ParameterType(str)

    def from_text(self, text: str | Sequence[str], read_file: ReadFile) -> object:
        """Read the file at a path. Raises UsageError."""
        path = super().from_text(text, read_file)
        try:
            return self._contents(str(path), read_file(str(path)))
        except OSError as error:
            raise UsageError(
                f"file `{path}` of parameter `{self.name}` cannot be read: "
                f"{error.strerror or type(error).__name__}",
                hint=f"give the path of a readable file: `--{self.name} PATH`",
            ) from error

    def missing(self) -> UsageError:
        """Make the error of a run that gives no file."""
        example = f"{self.name}.{'txt' if self.is_text else 'bin'}"
        return UsageError(
            f"parameter `{self.name}` is missing: it takes the path of a file",
            hint=f"give it: `--{self.name} {example}`",
        )

    def from_default(self, context: ParameterContext, read_file: ReadFile) -> object:
        """Read the default file; None without one, or if it is not there and need not be."""
        path = super().from_default(context, read_file)
        if path is None:
            return None
        try:
            return self.from_text(str(path), read_file)
        except UsageError as error:
            if isinstance(error.__cause__, FileNotFoundError) and not self.is_required:
                return None
            raise

    def _contents(self, path: str, data: bytes) -> object:
        contents: str | bytes = data
        if self.is_text:
            try:
                contents = data.decode(self.encoding)
            except (UnicodeDecodeError, LookupError) as error:
                raise UsageError(
                    f"file `{path}` of parameter `{self.name}` is no `{self.encoding}` text: "
                    f"{error}",
                    hint="declare it with the right `encoding=`, or with `is_text=False`",
                ) from error
        if self.parser is None:
            return contents
        try:
            return call_user(self.parser, contents)
        except UserCallFailed as error:
            raise UsageError(
                f"the parser of parameter `{self.name}` cannot read file `{path}`: {error}",
                hint=f"mend the file, or give another one: `--{self.name} PATH`",
            ) from error

    def type_faults(self, place: Place | None) -> list[Fault]:
        """Return what is wrong with the default and the parser."""
        if self.parser is not None and not callable(self.parser):
            return [
                Fault(
                    "parameter-type",
                    f"the parser of parameter `{self.name}` is `{self.parser!r}`, no function",
                    "give a function of the file's contents, such as `json.loads`",
                    place=place,
                )
            ]
        return super().type_faults(place)

    def describe(self, attribute: str) -> ParameterDescription:
        """Describe the parameter for a command line."""
        described = super().describe(attribute)
        return ParameterDescription(
            name=described.name,
            attribute=attribute,
            type_name="path",
            help=described.help,
            required=described.required,
            default=described.default,
            computed=described.computed,
        )


def IncludeFile(  # noqa: N802 (a flow declares its files as if by a type)
    name: str | None = None,
    *,
    default: Any = NO_DEFAULT,
    is_text: bool = True,
    encoding: str = "utf-8",
    required: bool = False,
    parser: Callable[[Any], object] | None = None,
    help: str | None = None,
) -> Any:
    """Declare a file that a run includes.

    With `words = IncludeFile("words")` in the class, a run takes `--words PATH`, or the environment
    variable `FLOWKIT_RUN_WORDS`. Every step reads `self.words`: the contents as they were when the
    run started, kept with it.

    Args:
        name: The option's name; the attribute's, if it is left out.
        default: A path, or a function of a `ParameterContext` that returns one.
        is_text: Whether the contents are text; otherwise they are bytes.
        encoding: The encoding of text.
        required: Whether a run needs a file. If not, an absent one is None.
        parser: A function of the contents; what it returns is what steps read.
        help: What `--help` says about it.
    """
    return IncludedFile(
        name,
        default=default,
        is_text=is_text,
        encoding=encoding,
        parser=parser,
        required=required,
        help=help,
    )
