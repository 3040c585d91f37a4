"""Base class and value types of the sections of params.yaml. The modules of the sections define the defaults."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PublishedCorpus = Literal["ravdess", "crema_d", "tess", "savee", "esd"]
Feature = Literal["rms", "zcr", "chroma", "mfcc", "mel"]
Protocol = Literal["speaker", "random", "cross_corpus", "own", "own_leaky"]
OWN: tuple[Protocol, ...] = ("own", "own_leaky")  # their folds are those that tables or a file state
Made = Literal["noise", "noise_snr", "speed_pitch", "reverberation", "gain", "band_limit", "babble", "noise_file"]
Variant = Literal["original", Made]
AstSize = Literal["nano", "tiny", "small", "base", "large"]
UNSEEN_BY_DVC = ("size", "nfiles")  # keys that DVC's run cache leaves out at any depth (dvc/stage/cache.py)


def _seen_by_dvc(name: str) -> str:
    if name in UNSEEN_BY_DVC:
        raise ValueError(f"'{name}' is a name that DVC's run cache does not look at: a change would restore old results; take another name")
    return name


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"the first limit, {limits[0]}, is above the second, {limits[1]}")
    return limits


def whole(value: Any) -> Any:
    """Refuse 64.0 where pydantic's literals take it for 64."""
    if isinstance(value, float):
        raise ValueError("Input should be a valid integer")
    return value


NAME = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=64), AfterValidator(_seen_by_dvc)]  # it becomes a file name
Label = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_seen_by_dvc)]  # an emotion as a table writes it
CorpusName = Name  # a published corpus, or one of the user's own
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
FloatRange = Annotated[tuple[float, float], AfterValidator(_ascending)]
Decibels = Annotated[float, Field(ge=-60, le=60)]
DecibelRange = Annotated[tuple[Decibels, Decibels], AfterValidator(_ascending)]
Speed = Annotated[float, Field(ge=0.5, le=2)]
SpeedRange = Annotated[tuple[Speed, Speed], AfterValidator(_ascending)]
Seconds = Annotated[float, Field(ge=0.01, le=10)]
SecondsRange = Annotated[tuple[Seconds, Seconds], AfterValidator(_ascending)]


def _require_in_files(schema: dict[str, Any], section: type["Section"]) -> None:
    """Let editors ask for the keys that every file must hold."""
    if section.in_files:
        schema["required"] = [name for name in schema["properties"] if name in {*section.in_files, *schema.get("required", ())}]


class Section(BaseModel):
    """A part of params.yaml: immutable, closed to unknown keys, and of types as written.

    ``true`` is no number, ``"3"`` and ``3.0`` are no integers, 1 is no boolean. An integer is accepted for a float.

    Attributes
    ----------
    in_files : tuple of str
        Keys that every params.yaml must hold although they have a default, because dvc.yaml lists them by name: DVC refuses to run
        a stage if such a key is missing. A test compares them with dvc.yaml.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, json_schema_extra=_require_in_files)
    in_files: ClassVar[tuple[str, ...]] = ()


def as_written(value: Any) -> Any:
    """Return a value in the types of YAML: lists for tuples, dictionaries for sections."""
    if isinstance(value, Section):
        return {name: as_written(getattr(value, name)) for name in type(value).model_fields if getattr(value, name) is not None}
    if isinstance(value, Mapping):
        return {name: as_written(inner) for name, inner in value.items()}
    return [as_written(inner) for inner in value] if isinstance(value, tuple) else value


def required(section: Section) -> dict[str, Any]:
    """The least that a file must hold of a section: :attr:`Section.in_files`, with the values of `section`."""
    values = {name: getattr(section, name) for name in section.in_files}
    return {name: required(value) if isinstance(value, Section) else as_written(value) for name, value in values.items()}


def with_defaults(values: dict[str, Any], section: type[Section], default: Section | None = None) -> dict[str, Any]:
    """`values` with those defaults of a section that the section around it sets: ``train_fin.rms`` has other ones than ``train_fin.zcr``.

    Parameters
    ----------
    values : dict
        What a file says of a section.
    section : type
        The class of the section.
    default : Section, optional
        The section as the one around it has it by default.
    """
    new = dict(values)
    for name, field in section.model_fields.items():
        usual = field.default if default is None else getattr(default, name)
        if isinstance(usual, Section) and isinstance(values.get(name), dict):
            new[name] = with_defaults(values[name], type(usual), usual)
        elif default is not None and name not in values and usual != field.default:
            new[name] = as_written(usual)
    return new
