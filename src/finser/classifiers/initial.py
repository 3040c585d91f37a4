"""What training begins from: models/initial/MODEL/, the same for every protocol and fold."""

import json

from finser import layout
from finser.classifiers import module_of
from finser.emotions import EMOTIONS
from finser.files import whole_folder
from finser.params import Params
from finser.progress import say


def initialise(params: Params, model: str) -> None:
    """Write config.json and, where the model has any, initial weights; drawn from ``initialise.seed``."""
    module, folder = module_of(model), layout.initial(model)
    with whole_folder(folder) as partial:
        config = {"model": model, "classes": list(EMOTIONS), "seed": params.initialise.seed, **module.initial(params, partial)}
        (partial / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    say(f"initial {model}: {config['weights']}")
