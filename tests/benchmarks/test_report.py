from pathlib import Path

from benchmarks import report

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def test_a_section_replaces_its_earlier_self_and_no_other(tmp_path):
    page = tmp_path / "docs" / "benchmarks.md"
    for title, text in {"One": "1", "Two": "2", "Three": "3"}.items():
        report.write_section(page, title, text)
    report.write_section(page, "Two", "two\n")
    sections = page.read_text().removeprefix(report.INTRODUCTION)
    assert sections == "\n## One\n\n1\n\n## Two\n\ntwo\n\n## Three\n\n3\n"


def test_sections_written_by_hand_stay_on_the_page(tmp_path):
    page, before = tmp_path / "benchmarks.md", PAGE.read_text(encoding="utf-8")
    page.write_text(before, encoding="utf-8")
    report.write_section(page, "Forward pass", "measured again")
    start, _, rest = before.partition("## Forward pass\n")
    assert "## On one NVIDIA H100\n" in rest and "\n### Training step\n" in rest
    expected = start + "## Forward pass\n\nmeasured again\n\n" + rest[rest.index("## Training step") :]
    assert page.read_text(encoding="utf-8") == expected
