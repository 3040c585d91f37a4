import pytest

from finser.corpora.recipes.iemocap import EMOTIONS, LABELS, SESSIONS, rows
from finser.errors import FinserError

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
VOTES = "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t(laughs \u00bd)\n\n"


def line(name, label="neu"):
    return f"[6.2901 - 8.2357]\t{name}\t{label}\t[2.5000, 2.5000, 2.5000]\n{VOTES}"


def labels(dialogue, *lines):
    return {f"Session{dialogue[4]}/dialog/EmoEvaluation/{dialogue}.txt": HEADER + "".join(lines)}


def audio(name):
    return f"Session{name[4]}/sentences/wav/{name.rsplit('_', 1)[0]}/{name}.wav"


@pytest.fixture
def release(tree):
    """Five sessions with an utterance each, and what else a release holds."""
    names = [f"Ses0{session}F_impro01_M000" for session in range(1, 6)]
    files = [labels(name[:-5], line(name)) for name in names] + [audio(name) for name in names]
    return tree(
        *files,
        "Session1/dialog/wav/Ses01F_impro01.wav",
        {"Session1/dialog/EmoEvaluation/Categorical/Ses01F_impro01_e2_cat.txt": "Ses01F_impro01_M000 :Neutral state; ()\n"},
        {
            "Session1/dialog/transcriptions/Ses01F_impro01.txt": "Ses01F_impro01_M000 [006.2901-008.2357]: Excuse  me.\n"
            "M: [LAUGHTER]\nSes01F_impro01_MXX0 [009.0000-010.0000]: Hm.\n"
        },
    )


def test_the_speaker_is_who_speaks_and_not_who_wears_the_markers(release):
    first, *others = rows(release)
    assert first == {
        "path": "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav", "speaker": "Ses01M", "emotion": "neu", "sex": "male",
        "language": "en", "sentence": "Excuse me.", "fold": "1",
    }  # fmt: skip
    assert [(row["speaker"], row["fold"], row["sentence"]) for row in others] == [(f"Ses0{n}M", str(n), "") for n in range(2, 6)]


def test_every_label_is_kept_and_has_a_suggestion(release, tree):
    names = [f"Ses02M_script01_1b_F{number:03d}" for number in range(len(LABELS))]
    tree(labels("Ses02M_script01_1b", *map(line, names, LABELS)), *map(audio, names))
    found = [row for row in rows(release) if row["speaker"] == "Ses02F"]
    assert [row["emotion"] for row in found] == list(LABELS) == list(EMOTIONS)


def test_an_unknown_label_is_named(release, tree):
    tree(labels("Ses03F_impro02", line("Ses03F_impro02_F000", "bor")), audio("Ses03F_impro02_F000"))
    with pytest.raises(FinserError, match=r"Ses03F_impro02_F000: unknown label; expected one of ang .*; found 'bor'"):
        list(rows(release))


def test_another_line_of_labels_is_refused(release, tree):
    tree(labels("Ses03F_impro02", "[6.2901 - 8.2357] Ses03F_impro02_F000\n"))
    with pytest.raises(FinserError, match=r"Ses03F_impro02.txt: not a line of labels.*found \[6\.2901 - 8\.2357\] Ses03F_impro02_F000"):
        list(rows(release))


def test_labels_without_audio_are_counted(release, tree):
    tree(labels("Ses04F_impro02", *(line(f"Ses04F_impro02_F00{number}") for number in range(5))))
    first = "Ses04F_impro02_F000, Ses04F_impro02_F001, Ses04F_impro02_F002"
    with pytest.raises(FinserError, match=rf"labels without a file; found 5: {first}, \.\.\."):
        list(rows(release))


def test_audio_without_labels_is_counted(release, tree):
    tree(audio("Ses05F_impro02_F000"))
    with pytest.raises(FinserError, match="files without a label; found 1: Ses05F_impro02_F000"):
        list(rows(release))


def test_two_labels_of_one_utterance_are_refused(release, tree):
    tree(labels("Ses05F_impro01_copy", line("Ses05F_impro01_M000", "ang")))
    with pytest.raises(FinserError, match="several labels of one utterance; found 1: Ses05F_impro01_M000"):
        list(rows(release))


def test_audio_in_the_folder_of_another_dialogue_is_refused(release):
    path = release / audio("Ses05F_impro01_M000")
    (path.parents[1] / "Ses05F_impro09").mkdir()
    path.rename(path.parents[1] / "Ses05F_impro09" / path.name)
    with pytest.raises(FinserError, match="contradicts its name; expected a folder of Session5/sentences/wav/Ses05F_impro01"):
        list(rows(release))


def test_a_missing_session_is_named(release):
    (release / "Session4").rename(release / "4")
    with pytest.raises(FinserError, match="expected Session1 to Session5; found Session1, Session2, Session3, Session5"):
        list(rows(release))
    with pytest.raises(FinserError, match="found none of them"):
        list(rows(release.parent))


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_without_labels_is_named(release, session):
    for path in (release / session / "dialog" / "EmoEvaluation").glob("Ses*.txt"):
        path.unlink()
    with pytest.raises(FinserError, match=f"{session}: not the layout of IEMOCAP"):
        list(rows(release))
