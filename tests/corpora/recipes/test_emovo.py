import pytest

from finser.corpora.recipes.emovo import EMOTIONS, LABELS, SENTENCES, SEX, rows
from finser.errors import FinserError


def test_the_whole_corpus(tree):
    names = [f"{actor}/{label}-{actor}-{sentence}.wav" for actor in SEX for label in LABELS for sentence in SENTENCES]
    found = list(rows(tree(*names, "documents/LA STRUTTURA DI EMOVO.pdf")))
    assert [row["path"] for row in found] == sorted(names)
    assert len(found) == 588  # Costantini et al. 2014: 6 actors, 14 sentences, 7 states
    assert {row["emotion"] for row in found} == set(EMOTIONS)


def test_a_row_has_what_the_name_says(tree):
    assert list(rows(tree("EMOVO/m3/rab-m3-d2.WAV"))) == [
        {
            "path": "EMOVO/m3/rab-m3-d2.WAV", "speaker": "m3", "emotion": "anger", "sex": "male", "language": "it",
            "sentence": "Porti con te quella cosa?",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "found"),
    [("f1/xxx-f1-b1", "'xxx'"), ("f1/dis-f4-b1", "'f4'"), ("f1/dis-f1-b9", "'b9'"), ("f1/dis-f2-b1", "f1"), ("f1/dis_f1", "dis_f1.wav")],
)
def test_a_wrong_code_is_named(tree, path, found):
    with pytest.raises(FinserError) as error:
        list(rows(tree(f"{path}.wav")))
    assert f"{path}.wav" in str(error.value) and f"found {found}" in str(error.value)
