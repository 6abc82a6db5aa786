import pytest

from model.gallery.open_photos.licences import named_in_page, open_licence


@pytest.mark.parametrize(
    ("code", "version", "spdx"),
    [
        ("cc0", "", "CC0-1.0"),
        ("pdm", "1.0", "CC-PDM-1.0"),
        ("pd", "", "CC-PDM-1.0"),
        ("cc-by", "4.0", "CC-BY-4.0"),
        ("by-sa", "2.0", "CC-BY-SA-2.0"),
        ("cc-by-sa-3.0-de", "", "CC-BY-SA-3.0-DE"),
    ],
)
def test_open_licences_are_recognised(code: str, version: str, spdx: str) -> None:
    licence = open_licence(code, version)
    assert licence is not None and licence.spdx == spdx


@pytest.mark.parametrize(
    "code",
    ["cc-by-nc", "by-nd", "by-nc-sa", "cc-by-nc-4.0", "", None, 7, "gfdl", "unknown", "sampling+"],
)
def test_other_licences_are_not_open(code: object) -> None:
    assert open_licence(code, "4.0") is None


def test_a_page_names_licences_in_its_links() -> None:
    page = '<a rel="license" href="https://creativecommons.org/licenses/by/2.0/">x</a>'
    assert named_in_page(page) == {open_licence("by", "2.0")}
    assert named_in_page(page.replace("/by/", "/by-nc/")) == {None}
    assert named_in_page("<a href='https://creativecommons.org/licenses/by/2.0/'>") == set()
