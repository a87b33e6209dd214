from pathlib import Path

import pytest
from pytest_django import Settings

from maintenance.staticfiles import HashedStorage, NpmFinder


@pytest.fixture
def finder(settings: Settings, tmp_path: Path) -> NpmFinder:
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart/chart.js").write_text("draw()")
    (tmp_path / "chart/secret.txt").write_text("not published")
    settings.NODE_MODULES_DIR = tmp_path
    settings.NPM_FILES = {"vendor/chart.js": "chart/chart.js", "vendor/gone.js": "gone.js"}
    return NpmFinder()


def test_a_published_name_leads_to_its_file(finder: NpmFinder, tmp_path: Path) -> None:
    assert finder.find("vendor/chart.js") == str(tmp_path / "chart/chart.js")
    assert finder.find("vendor/chart.js", find_all=True) == [str(tmp_path / "chart/chart.js")]


@pytest.mark.parametrize(
    "name", ["chart/chart.js", "chart/secret.txt", "vendor/gone.js", "../chart/secret.txt"]
)
def test_nothing_else_of_node_modules_is_published(finder: NpmFinder, name: str) -> None:
    assert not finder.find(name)


def test_what_is_published_can_be_read(finder: NpmFinder) -> None:
    name, storage = next(iter(finder.list(None)))
    with storage.open(name) as file:
        assert file.read() == b"draw()"


def test_source_maps_are_not_looked_for() -> None:
    assert "sourceMappingURL" not in str(HashedStorage.patterns)
    assert "url" in str(HashedStorage.patterns)


def test_a_script_is_published_under_a_name_that_tells_its_content(
    settings: Settings, tmp_path: Path
) -> None:
    settings.DEBUG = False
    (tmp_path / "chart.js").write_text("draw()\n//# sourceMappingURL=chart.js.map")
    storage = HashedStorage(location=str(tmp_path), base_url="/static/")
    list(storage.post_process({"chart.js": (storage, "chart.js")}, dry_run=False))
    assert storage.url("chart.js") != "/static/chart.js"
    assert storage.url("chart.js").startswith("/static/chart.")
