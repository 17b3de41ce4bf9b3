from benchmarks import report


def test_a_section_replaces_its_earlier_self_and_no_other(tmp_path):
    page = tmp_path / "docs" / "benchmarks.md"
    for title, text in {"One": "1", "Two": "2", "Three": "3"}.items():
        report.write_section(page, title, text)
    report.write_section(page, "Two", "two\n")
    sections = page.read_text().removeprefix(report.INTRODUCTION)
    assert sections == "\n## One\n\n1\n\n## Two\n\ntwo\n\n## Three\n\n3\n"
