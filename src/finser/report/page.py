"""The stage `report`: read the results, draw the pictures, and write one page as Markdown and as a self-contained HTML file."""

import base64
import re
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from finser import layout
from finser.config.dump import resolved
from finser.config.params import Params
from finser.errors import FinserError
from finser.files import whole_folder, write_text
from finser.report import captions, classifier_captions, figures, machines, tables
from finser.report import classifier_tables as emotion
from finser.report.literature import published_scores
from finser.report.published_weights import CAPTION, published_weights
from finser.report.read import Results, collect

TEMPLATES = Path(__file__).parent
FIGURES = layout.RESULTS / "figures"
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE)


def report(params: Params) -> None:
    """Write results/report.md, results/report.html and results/figures/.

    Raises
    ------
    FinserError
        A result that `params` names is missing or not readable.
    """
    results = collect(params)
    with whole_folder(FIGURES) as folder:
        figures.draw(results, folder)
    markdown = write_page(results)
    write_text(layout.report(), markdown)
    write_text(layout.report().with_suffix(".html"), to_html(markdown, params.report.title, layout.RESULTS))


def write_page(results: Results) -> str:
    """The page in Markdown; pictures are links to figures/NAME.png."""
    text = _environment().get_template("report.md.jinja").render(_context(results))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def to_html(markdown: str, title: str, root: Path) -> str:
    """One HTML file that contains the style, the tables and the pictures that `markdown` links to below `root`."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(COMMENT.sub("", markdown))
    embedded = re.sub(r'src="(figures/[\w.]+\.png)"', lambda match: f'src="{_data_uri(root / match[1])}"', body)
    scrollable = embedded.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    return _environment().get_template("page.html.jinja").render(title=title, body=scrollable)


def _context(results: Results) -> dict[str, Any]:
    """Return the variables of the template: records, functions that make tables and captions, and facts that several of them need."""
    params = results.params
    synthetic = captions.synthetic_titles(results, params.corpora)
    figures_of = [record.figures for record in (*results.fins, *results.runs)]
    return {
        "results": results,
        "params": params,
        "parameters": resolved(params).strip(),
        "tables": tables,
        "captions": captions,
        "emotion": emotion,
        "of_classifiers": classifier_captions,
        "machines": machines,
        "figures": figures,
        "published": published_scores(results),
        "weights_caption": CAPTION,
        "weights": published_weights(results),
        "pooled": captions.names(results, params.pooled),
        "pictures": lambda protocol: [_confusion_link(results, model, protocol) for model in results.models],
        "number": partial(next, count(1)),
        "synthetic": synthetic,
        "emotion_synthetic": captions.synthetic_titles(results, params.pooled),
        "all_synthetic": len(synthetic) == len(results.corpora),
        "of_all": captions.synthetic_label(results, params.corpora),
        "of_emotion": captions.synthetic_label(results, params.pooled),
        "of_fins": captions.synthetic_label(results, (*params.train_fin.data.corpora, *params.unseen_corpora)),
        "seeds": sorted({seed for one in figures_of for seed in one.get("seeds", [one.get("seed")])}),
        "devices": sorted({str(one["device"]) for one in figures_of if "device" in one}),
    }


def _confusion_link(results: Results, model: str, protocol: str) -> str:
    title = f"Confusion of {tables.model_title(results, model)}, {tables.PROTOCOL_TITLES[protocol]}"
    return f"![{title}](figures/{figures.confusion_name(model, protocol)}.png)"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["plain"] = lambda text: " ".join(str(text).split())
    environment.filters["protocol_title"] = tables.PROTOCOL_TITLES.__getitem__
    return environment


def _data_uri(path: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        raise FinserError("no such picture", where=path, do="run again: finser report") from None
