from pathlib import Path

import pytest


@pytest.fixture
def tree(tmp_path):
    """Make files: names without contents, or a mapping of names to texts; macOS's litter lies beside each."""

    def make(*names, **options) -> Path:
        root = options.get("root", tmp_path / "data")
        for one in names:
            for name, text in one.items() if isinstance(one, dict) else [(one, "")]:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding=options.get("encoding", "utf-8"))
                path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7resource fork")
        (root / "__MACOSX").mkdir(parents=True, exist_ok=True)
        (root / "__MACOSX" / "03a01Fa.wav").touch()
        (root / ".DS_Store").touch()
        return root

    return make
