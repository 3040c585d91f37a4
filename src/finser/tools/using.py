"""Commands that use a model: bundle, predict, listen and serve."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from finser.errors import FinserError
from finser.project.place import check_root

FromBundle = Annotated[
    str | None, typer.Option("--bundle", help="folder of a bundle, or its id on a hub; default: the one that ships with finser")
]


def bundle(
    model: Annotated[str, typer.Argument(help="a classifier of `final`, or a fusion of such")],
    target: Annotated[Path, typer.Argument(help="the folder to write")],
    folds: Annotated[bool, typer.Option("--folds", help="instead, all classifiers of cross-validation as an ensemble")] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="also as ONNX: features.onnx, and model.onnx for log-mel networks")] = False,
    onnx_features: Annotated[bool, typer.Option("--onnx-features", help="only features.onnx, which `finser predict` uses")] = False,
    remark: Annotated[str, typer.Option("--remark", help="a sentence for the card, below its scores")] = "",
    int8: Annotated[bool, typer.Option("--int8", help="ONNX with 8-bit weights: smaller, and other probabilities")] = False,
) -> None:
    """Write a trained classifier as a folder that `finser predict` reads, with its model card."""
    from finser.config import params as parameters
    from finser.tools import bundling

    check_root()
    graphs = "all" if onnx else "features" if onnx_features else "none"
    if int8 and graphs == "none":
        raise FinserError("--int8 is for ONNX", do="give --onnx or --onnx-features, too")
    made = bundling.bundle(parameters.load(), model, target, folds=folds, onnx=graphs, int8=int8, remark=remark)
    print(*bundling.said(made, target, graphs), sep="\n")


def predict(
    sources: Annotated[list[str], typer.Argument(help="files, folders, globs, lists of paths (.txt), or - for a list on standard input")],
    from_: FromBundle = None,
    window: Annotated[float, typer.Option("--window", help="seconds of a window of long recordings; 0: each file is one clip")] = 0.0,
    hop: Annotated[float, typer.Option("--hop", help="seconds from one window to the next; default: a third of a window")] = 0.0,
    segments: Annotated[bool, typer.Option("--segments", help="merge windows in a row with one emotion")] = False,
    form: Annotated[
        Literal["table", "csv", "jsonl", "rttm", "audformat", "parquet"] | None,
        typer.Option("--format", help="what to write; default: by the suffix of --output, or a table for people"),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="the file to write; default: standard output")] = None,
    threshold: Annotated[float | None, typer.Option("--threshold", help="probability below which a prediction is unsure")] = None,
    engine: Annotated[Literal["auto", "torch", "onnx"], typer.Option("--engine", help="auto: the ONNX graph of a bundle, if any")] = "auto",
    strict: Annotated[bool, typer.Option("--strict", help="end with the first file that cannot be read")] = False,
) -> int:
    """Predict the emotions of recordings with a bundle. Status 1 if a file cannot be read; the others are predicted all the same."""
    from finser.predict.run import Session, check_output, form_of, load, write
    from finser.predict.sound import Windows
    from finser.predict.sources import paths_of

    for option, given in (("--segments", segments), ("--hop", hop)):
        if given and not window:
            raise FinserError(f"{option} is for windows", do="give their length, too: --window 3")
    paths = list(paths_of(sources))
    form = form or form_of(output)
    check_output(output, [*paths, *map(Path, sources)])
    session = Session(load(from_, threshold, engine), Windows(window, hop or window / 3) if window else None, segments, strict)
    write(session, paths, form, output)
    return 1 if session.failed else 0


def serve(
    from_: FromBundle = None,
    host: Annotated[
        str, typer.Option("--host", help="address to listen at; other machines reach any but a loopback address")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0: any that is free", min=0, max=65_535)] = 8300,
    name: Annotated[list[str] | None, typer.Option("--name", help="a further Host name to answer to; may be repeated")] = None,
    max_mb: Annotated[float, typer.Option("--max-mb", help="largest upload, in 10^6 bytes")] = 64.0,
    max_seconds: Annotated[float, typer.Option("--max-seconds", help="longest recording")] = 600.0,
    waiting: Annotated[int, typer.Option("--waiting", help="requests that may wait for the one that is computed", min=0)] = 16,
    rate: Annotated[int, typer.Option("--rate", help="requests of one client address in a minute", min=1)] = 120,
) -> None:
    """Serve a page and an HTTP API for a bundle on this machine: record or drop a file, and see its emotions. Nothing is stored."""
    from finser.serve import run
    from finser.serve.limits import Limits

    run.check_installed()
    from finser.predict.run import load

    limits = Limits(megabytes=max_mb, seconds=max_seconds, waiting=waiting, per_minute=rate)
    run.serve(load(from_), host, port, limits, [one.lower() for one in name or ()])


def listen(
    source: Annotated[str, typer.Argument(help="-: raw 16-bit little-endian mono PCM on standard input; default: a microphone")] = "",
    from_: FromBundle = None,
    window: Annotated[float, typer.Option("--window", help="seconds of a window")] = 3.0,
    hop: Annotated[float, typer.Option("--hop", help="seconds from one window, and one line, to the next")] = 1.0,
    rate: Annotated[
        int | None, typer.Option("--rate", help="Hz; default: 16000 for -, and the microphone's own", min=1000, max=768_000)
    ] = None,
    form: Annotated[Literal["table", "jsonl"], typer.Option("--format", help="what to write")] = "table",
    device: Annotated[str, typer.Option("--device", help="name or number of a microphone; default: the system's")] = "",
    devices: Annotated[bool, typer.Option("--devices", help="list the microphones, and end")] = False,
) -> None:
    """Predict emotions while somebody speaks, a line per hop, with the latency in milliseconds."""
    if devices:
        from finser.predict.microphone import devices as found

        print(*found(), sep="\n")
        return
    if source not in ("", "-") or (source and device):
        raise FinserError("listens to a microphone, or to - alone", found=f"{source} {device}", do="for files: finser predict")
    from finser.predict.live import listen as live
    from finser.predict.sound import Windows

    live(from_, None if source else device, rate, Windows(window, hop), form)


COMMANDS = (predict, listen, serve, bundle)
