"""The page, in headless Chromium: open, upload, record, read the result."""

import base64
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from finser.predict.bundle import SHIPPED, read
from finser.predict.hub import Predictor
from finser.predict.predictor import LocalPredictor

from .conftest import Running

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SHOTS = os.environ.get("FINSER_SHOTS")  # a folder for screenshots, to be looked at
OPTIONS = [
    "--headless=new",
    "--no-sandbox",  # the page is our own, and root has no sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",  # beeps
    "--use-fake-ui-for-media-stream",
]
pytestmark = [
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="no Chromium: apt-get install chromium chromium-driver"),
    pytest.mark.xdist_group("chromium"),
]


class Page:
    """The page in a browser."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver, self.url = driver, url

    def open(self, width: int, dark: bool = False) -> None:
        media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(self.url)
        self.wait(lambda: self.text("bundle"))

    def wait(self, until) -> None:
        WebDriverWait(self.driver, 60, 0.05).until(lambda _: until())

    def element(self, name: str):
        return self.driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        return self.element(name).text

    def upload(self, path: Path) -> None:
        self.element("file").send_keys(str(path))
        self.wait(lambda: self.element("file").is_enabled() and (self.text("fault") or self.text("headline")))

    def shares(self) -> dict[str, float]:
        """The numbers of the bars."""
        rows = self.element("bars").find_elements(By.CSS_SELECTOR, "tbody tr")
        found = [row.text.replace(" %", "").split() for row in rows]
        return {name: float(value) / 100 for name, value in found}

    def pixels(self, name: str) -> int:
        """Colours that a canvas has."""
        script = """const c = document.getElementById(arguments[0]);
            return new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"""
        return self.driver.execute_script(script, name)

    def run(self, script: str):
        return self.driver.execute_script(f"return {script}")

    def said(self) -> list[dict]:
        """The console's lines since the last call, without those of answers that are refused as they should be."""
        return [line for line in self.driver.get_log("browser") if "422 (Unprocessable" not in line["message"]]

    def shoot(self, name: str, width: int) -> None:
        if SHOTS:
            clip = {"x": 0, "y": 0, "width": width, "height": self.run("document.documentElement.scrollHeight"), "scale": 1}
            shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
            (Path(SHOTS) / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


@pytest.fixture(scope="module")
def page(served: Running) -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield Page(driver, served.url)
    finally:
        driver.quit()


@pytest.fixture
def files(tmp_path: Path, clip: bytes, long_clip: bytes) -> Path:
    for name, content in (("clip.wav", clip), ("long.wav", long_clip), ("text.wav", b"no sound")):
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, False), (1400, True), (400, True)])
def test_a_file_is_read_and_drawn(page: Page, files: Path, predictor: Predictor, width: int, dark: bool):
    name = f"{width}{'_dark' if dark else ''}"
    page.open(width, dark)
    assert not page.element("result").is_displayed() and "tones" in page.text("bundle") and "0.750 (95 % interval" in page.text("bundle")
    page.shoot(f"{name}_empty", width)
    page.upload(files / "long.wav")
    expected = predictor.predict(files / "long.wav")
    assert page.text("fault") == "" and page.text("headline") == expected.emotion
    assert page.shares() == pytest.approx(expected.probabilities, abs=6e-4)
    assert ("Unsure" in page.text("sure")) == expected.unsure
    assert page.text("warnings").splitlines() == list(expected.warnings)
    assert page.pixels("waveform") >= 3 and page.pixels("spectrogram") > 30 and page.pixels("probabilities") > 8
    assert page.run("document.documentElement.scrollWidth") <= page.run("innerWidth") == width
    page.driver.find_element(By.TAG_NAME, "summary").click()
    rows = page.element("windows").find_elements(By.CSS_SELECTOR, "tbody tr")
    windows = list(predictor.predict_windows(files / "long.wav"))
    assert [row.text.split()[2] for row in rows] == [one.emotion for one in windows] and len({one.emotion for one in windows}) > 2
    assert windows[0].emotion in page.element("probabilities").get_attribute("aria-label")
    assert page.run("document.documentElement.scrollWidth") <= width, "the table scrolls in its box"
    page.driver.find_element(By.TAG_NAME, "summary").click()
    page.shoot(name, width)
    assert page.said() == []


def test_a_fault_is_read_and_another_file_follows(page: Page, files: Path):
    page.open(400)
    page.upload(files / "text.wav")
    assert page.text("fault").startswith("text.wav: not readable as audio") and not page.element("result").is_displayed()
    assert page.element("fault").get_attribute("role") == "alert"
    page.shoot("400_fault", 400)
    page.upload(files / "clip.wav")
    page.wait(lambda: page.text("headline"))
    assert page.text("fault") == "" and page.text("headline") == "angry"
    page.upload(files / "text.wav")
    page.wait(lambda: page.text("fault"))
    assert not page.element("result").is_displayed() and not page.element("pictures").is_displayed(), "they were another recording's"
    assert page.said() == []


def test_the_microphone_is_recorded_by_the_keyboard(page: Page):
    page.open(1400)
    page.element("record").send_keys(Keys.ENTER)
    page.wait(lambda: page.text("status").startswith("recording: 1."))
    assert page.element("record").get_attribute("aria-pressed") == "true" and page.text("record") == "Stop"
    page.element("record").send_keys(Keys.SPACE)
    page.wait(lambda: page.text("headline") or page.text("fault"))
    assert page.text("fault") == "" and page.text("status").startswith("your recording: 1.")
    assert page.said() == []


def test_two_clicks_while_the_browser_asks_begin_one_recording(page: Page):
    page.open(1400)
    page.driver.execute_script("""
        const really = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.asked = 0;
        navigator.mediaDevices.getUserMedia = async (what) => {
            window.asked += 1;
            await new Promise((go) => { window.allow = go; });
            return really(what);
        };
        const button = document.getElementById("record");
        button.focus();
        button.click();
        button.click();
    """)
    assert page.run("window.asked") == 1 and not page.element("record").is_enabled() and not page.element("file").is_enabled()
    page.run("window.allow()")
    page.wait(lambda: page.text("status").startswith("recording: 0."))
    assert page.text("record") == "Stop" and page.run("document.activeElement.id") == "record" and not page.element("file").is_enabled()
    page.element("record").click()
    page.wait(lambda: page.text("status").startswith("your recording: "))
    assert page.text("fault") == "" and page.run("window.asked") == 1 and page.element("file").is_enabled() and page.said() == []


def test_a_recording_that_cannot_begin_gives_the_microphone_back(page: Page):
    page.open(1400)
    page.driver.execute_script("""
        const really = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (what) => (window.stream = await really(what));
        AudioWorklet.prototype.addModule = async () => { throw new Error("no such module"); };
        document.getElementById("record").click();
    """)
    page.wait(lambda: page.text("fault"))
    assert page.text("fault") == "no such module" and page.text("record") == "Record"
    assert page.run("window.stream.getTracks().map((track) => track.readyState)") == ["ended"]
    assert page.element("record").is_enabled() and page.element("file").is_enabled()


@pytest.mark.parametrize("limits", [{"megabytes": 0.25}, {"seconds": 2.5}])
def test_a_recording_ends_before_the_server_would_refuse_it(page: Page, serving, limits: dict[str, float]):
    with serving(**limits) as url:
        small = Page(page.driver, url)
        small.open(1400)
        small.element("record").click()
        small.wait(lambda: small.text("headline") or small.text("fault"))
        assert small.text("fault") == "" and re.match(r"your recording: [12]\.\d s", small.text("status")), small.text("status")


def test_the_example_is_named_and_scores_elsewhere_are_shown(page: Page, serving):
    page.open(1400)
    assert not page.element("example").is_displayed() and "elsewhere" not in page.text("bundle")
    with serving(of=LocalPredictor()) as url:
        example = Page(page.driver, url)
        example.open(400)
        sentence = "This is the example that ships with finser: it is not for decisions about people."
        assert example.text("example") == sentence and example.run("document.documentElement.scrollWidth") <= 400
        shown, others = example.text("bundle"), read(SHIPPED).others
        assert others and all(f"on {one.title}, {one.clips:,} clips" in shown and f"{one.uar['value']:.3f} (" in shown for one in others)
        assert "too few test speakers" in shown or all(one.uar["low"] is not None for one in others)


def test_a_file_is_dropped(page: Page):
    page.open(1400)
    page.driver.execute_script("""
        const samples = new Uint8Array(44 + 22050).fill(128);
        const view = new DataView(samples.buffer);
        const words = [[0, "RIFF"], [8, "WAVE"], [12, "fmt "], [36, "data"]];
        words.forEach(([at, word]) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0))));
        const numbers = [[4, 36 + 22050], [16, 16], [24, 22050], [28, 22050], [40, 22050]];
        numbers.forEach(([at, number]) => view.setUint32(at, number, true));
        [[20, 1], [22, 1], [32, 1], [34, 8]].forEach(([at, number]) => view.setUint16(at, number, true));
        const carried = new DataTransfer();
        carried.items.add(new File([samples], "dropped.wav"));
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
    """)
    page.wait(lambda: page.text("headline") or page.text("fault"))
    assert page.text("status") == "dropped.wav: 1.0 s at 22,050 Hz" and "almost silent" in page.text("warnings")


def test_all_that_is_used_has_a_name_and_is_in_the_order_of_tabs(page: Page, files: Path):
    page.open(400)
    page.upload(files / "clip.wav")
    names = []
    for _ in range(20):
        for kind in ("keyDown", "keyUp"):
            page.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9})
        names.append(page.run("document.activeElement.id || document.activeElement.tagName"))
    assert [name for name in names if name in ("file", "record", "window", "hop", "player")][:5] == [
        "file",
        "record",
        "window",
        "hop",
        "player",
    ]
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    for node in tree:
        role = node.get("role", {}).get("value")
        if role in ("button", "spinbutton", "image", "link", "table", "region", "list") and not node["ignored"]:
            assert node["name"]["value"] or role == "list", node


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


PAIRS = [("text", "page"), ("text", "card"), ("soft", "card"), ("soft", "page"), ("accent", "card"), ("on-accent", "accent"),
         ("fault", "fault-page"), ("warn", "warn-page"), ("soft", "plot")]  # fmt: skip


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_the_contrast_of_wcag_aa(page: Page, dark: bool):
    page.open(1400, dark)
    script = "[...arguments].map((name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim())"
    for pair in PAIRS:
        colours = page.driver.execute_script(f"return {script}", *pair)
        colours = ["#" + "".join(2 * one for one in colour[1:]) if len(colour) == 4 else colour for colour in colours]
        light, low = sorted(map(luminance, colours), reverse=True)
        assert (light + 0.05) / (low + 0.05) >= 4.5, (pair, colours)
