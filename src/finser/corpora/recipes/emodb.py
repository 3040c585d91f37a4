"""EmoDB: 10 German actors, 535 clips, 7 emotions (Burkhardt et al. 2005, doi:10.21437/Interspeech.2005-446).

``wav/03a01Fa.wav`` is speaker (2 digits), text (letter and 2 digits), emotion (letter of the German word), version (letter). The folder
may also hold the publisher's lab and label files, which are not read.

Sources: the publisher's documentation, http://emodb.bilderbar.info/docu/; audEERING's copy of its codes, texts and speakers,
github.com/audeering/audformat, docs/emodb-example.rst. The two copies found of the texts differ in one space (hochgetragen).

Not verified on the real data: whether every file name has the letter of the version; names without it are read.
"""

from collections.abc import Iterator
from pathlib import Path

from finser.corpora.known.utterance import look_up, split_name
from finser.corpora.recipes.checks import audio_of, by_stem

LABELS = {
    "W": "anger",  # Wut or Ärger
    "L": "boredom",  # Langeweile
    "E": "disgust",  # Ekel
    "A": "anxiety/fear",  # Angst
    "F": "happiness",  # Freude
    "T": "sadness",  # Trauer
    "N": "neutral",
}
EMOTIONS: dict[str, str | None] = {
    "anger": "angry",
    "anxiety/fear": "fear",
    "boredom": "boredom",
    "disgust": "disgust",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
}
SEX = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}
TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


def rows(folder: Path) -> Iterator[dict[str, str]]:
    """Yield a row per audio file, from its name.

    Parameters
    ----------
    folder : Path
        The unpacked archive, with ``wav/03a01Fa.wav``.

    Raises
    ------
    FinserError
        There is no audio, a file name has an unknown code, or several files have one name.
    """
    for path in by_stem(audio_of(folder, "EmoDB", "wav/03a01Fa.wav"), folder).values():
        speaker, text, label = split_name(r"(\d\d)([a-z]\d\d)([A-Z])[a-z]?", path, "03a01Fa.wav")
        yield {
            "path": str(path),
            "speaker": speaker,
            "emotion": look_up(label, LABELS, "emotion code", path),
            "sex": look_up(speaker, SEX, "speaker", path),
            "language": "de",
            "sentence": look_up(text, TEXTS, "text code", path),
        }
