"""How a file is read into items: the settings that a user can give, and that a run keeps."""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from backlight.core import ConfigError
from backlight.core.settings import check_settings, setting

Format = Literal["lines", "csv", "tsv", "json", "jsonl", "fasta", "smi", "blank-lines", "delimited", "files", "text"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
TABLES: Final = ("csv", "tsv")
JSONS: Final = ("json", "jsonl")
END_OF_TEXT: Final = "<|endoftext|>"

_ESCAPES: Final = {"\\n": "\n", "\\t": "\t"}
_REMEDY: Final = "Leave it out, and it is detected."


@dataclass(frozen=True, kw_only=True)
class Reading:
    r"""How a file is read. What is None is detected from the file.

    Args:
        format: "lines", one item per line; "csv" and "tsv", one column of a table; "json" and "jsonl", strings or one
            field of objects, in an array or one per line; "fasta", the sequences; "smi", the first word of each line;
            "blank-lines", blocks of lines between blank lines; "delimited", text between marks; "files", each file is
            one item; "text", one stream.
        column: the name of a column, or its number, from 1.
        header: "yes" if the first row of a table has the names of its columns, "no" if it has data.
        label: the name or number of another column, whose values are the labels of the items; see `text/labels.py`.
        field: the name of a field of JSON objects; with points for a field of a field, as in "meta.title".
        delimiter: the mark between items, such as `<|endoftext|>`; or the character between columns. `\n` and `\t` can
            be written with a backslash.
        normalise: "nfc" or "nfd", the form of Unicode to which the text is converted; "none" converts nothing.
        labels: all labels, in the order of their characters; they come from the table.

    Raises:
        ConfigError: a setting of the wrong type, or one that the format does not have.
    """

    format: Format | None = setting(  # noqa: RUF009  (a field, of an immutable type)
        "Format of the file. Default: detected.", default=None, remedy=_REMEDY
    )
    column: int | str | None = setting("Column of a table, by name or number.", default=None, remedy=_REMEDY)
    header: Literal["yes", "no"] | None = setting(
        "Whether the first row of a table names the columns.", default=None, remedy=_REMEDY
    )
    label: int | str | None = setting(
        "Column of a table with the label of each item, to sample by.", default=None, remedy=_REMEDY
    )
    field: str | None = setting("Field of the JSON objects, as in title or meta.title.", default=None, remedy=_REMEDY)
    delimiter: str | None = setting(
        "Separator between items, such as '<|endoftext|>', or between columns.",
        default=None,
        remedy=_REMEDY,
    )
    normalise: Literal["nfc", "nfd", "none"] | None = setting(
        "Unicode form to convert the text to: nfc, nfd or none.", default=None, remedy=_REMEDY
    )
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_settings(self)
        for name in ("column", "label"):
            if isinstance(getattr(self, name), int):
                object.__setattr__(self, name, str(getattr(self, name)))
        if self.delimiter is not None:
            for written, meant in _ESCAPES.items():
                object.__setattr__(self, "delimiter", self.delimiter.replace(written, meant))
            if not self.delimiter:
                raise ConfigError("delimiter must have a character; got an empty one. Leave it out.")
        if self.labels is not None and self.label is None:
            raise ConfigError("labels come from a column of a table; got labels without it. Name the column: label.")
        self._check_owner("column", self.column, TABLES)
        self._check_owner("label", self.label, TABLES)
        self._check_owner("header", self.header, TABLES)
        self._check_owner("field", self.field, JSONS)
        self._check_owner("delimiter", self.delimiter, (*TABLES, "delimited"))
        if self.is_table and self.delimiter is not None and len(self.delimiter) != 1:
            raise ConfigError(
                f"the delimiter of a table must be one character; got {self.delimiter!r}. For text between marks, use"
                " format 'delimited'."
            )
        if self.field is not None and (self.column, self.label, self.header) != (None, None, None):
            raise ConfigError("field is for JSON; column, label and header are for tables; got both. Leave one out.")

    def _check_owner(self, name: str, value: object, formats: tuple[str, ...]) -> None:
        if value is not None and self.format is not None and self.format not in formats:
            raise ConfigError(
                f"{name} is a setting of the format{'s' * (len(formats) > 1)} {', '.join(formats)}; got {value!r} with"
                f" {self.format}. Leave one out."
            )

    @property
    def is_table(self) -> bool:
        """Whether the settings ask for a table."""
        return self.format in TABLES or (self.column, self.label, self.header) != (None, None, None)

    @property
    def only_form(self) -> "Reading":
        """The Unicode form alone: the settings that also hold for a list of strings."""
        return Reading(normalise=self.normalise)

    @property
    def asks_for_records(self) -> bool:
        """Whether a setting says how a file is divided into items."""
        return replace(self, normalise=None) != AS_IT_IS


AS_IT_IS: Final = Reading()
"""Everything is detected."""
