"""EMOVO: Italian, 6 actors, 14 sentences, 6 emotions and neutral, 588 clips (Costantini et al. 2014, LREC, paper 591).

``f1/dis-f1-b1.wav`` is emotion (first letters of the Italian word), actor, sentence. There is a folder per actor, and one of documents.

Sources: http://www.lrec-conf.org/proceedings/lrec2014/summaries/591.html; EmoBox, github.com/emo-box/EmoBox,
EmoBox/preprocess/scripts/emovo.py (codes, sentences) and data/emovo/emovo.jsonl (paths); github.com/DagsHub/audio-datasets,
EMOVO/README.md (layout, codes).

Not verified on the real data: the sentences, which EmoBox copied from a PDF of the archive.
"""

from collections.abc import Iterator
from pathlib import Path

from finser.corpora.known.utterance import check_folder, look_up, split_name
from finser.corpora.recipes.checks import audio_of, by_stem

LABELS = {
    "dis": "disgust",  # disgusto
    "gio": "joy",  # gioia
    "pau": "fear",  # paura
    "rab": "anger",  # rabbia
    "sor": "surprise",  # sorpresa
    "tri": "sadness",  # tristezza
    "neu": "neutral",
}
EMOTIONS: dict[str, str | None] = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprise": "surprise",
}
SEX = {"f1": "female", "f2": "female", "f3": "female", "m1": "male", "m2": "male", "m3": "male"}
SENTENCES = {  # b: short, l: long, n: without meaning, d: question
    "b1": "Gli operai si alzano presto.",
    "b2": "I vigili sono muniti di pistola.",
    "b3": "La cascata fa molto rumore.",
    "l1": "L'autunno prossimo Tony partirà per la Spagna: nella prima metà di ottobre.",
    "l2": "Ora prendo la felpa di là ed esco per fare una passeggiata.",
    "l3": "Un attimo dopo s'è incamminato ... ed è inciampato.",
    "l4": "Vorrei il numero telefonico del Signor Piatti.",
    "n1": "La casa forte vuole col pane.",
    "n2": "La forza trova il passo e l'aglio rosso.",
    "n3": "Il gatto sta scorrendo nella pera.",
    "n4": "Insalata pastasciutta coscia d'agnello limoncello.",
    "n5": "Uno quarantatré dieci mille cinquantasette venti.",
    "d1": "Sabato sera cosa farà?",
    "d2": "Porti con te quella cosa?",
}


def rows(folder: Path) -> Iterator[dict[str, str]]:
    """Yield a row per audio file, from its name.

    Parameters
    ----------
    folder : Path
        The unpacked archive, with ``f1/dis-f1-b1.wav``.

    Raises
    ------
    FinserError
        There is no audio, a file name has an unknown code or contradicts its folder, or several files have one name.
    """
    for path in by_stem(audio_of(folder, "EMOVO", "f1/dis-f1-b1.wav"), folder).values():
        label, actor, sentence = split_name(r"([a-z]+)-([a-z]\d+)-([a-z]\d+)", path, "dis-f1-b1.wav")
        sex = look_up(actor, SEX, "actor", path)
        if path.parent.name.lower() in SEX:
            check_folder(path.parent.name.lower() == actor, path, actor)
        yield {
            "path": str(path),
            "speaker": actor,
            "emotion": look_up(label, LABELS, "emotion code", path),
            "sex": sex,
            "language": "it",
            "sentence": look_up(sentence, SENTENCES, "sentence", path),
        }
