"""A dataset on disk is the dataset, or it is refused."""

from pathlib import Path

import numpy as np
import pytest

from predictors.archive import ROWS, keep, recall
from predictors.dataset import Dataset
from predictors.errors import ArtefactCorrupt, ArtefactMissing


@pytest.fixture
def few(seals: Dataset) -> Dataset:
    return seals.take(np.arange(50))


def test_a_dataset_read_back_is_the_same(few: Dataset, tmp_path: Path) -> None:
    keep(few, tmp_path / "kept")
    again = recall(tmp_path / "kept")
    assert again.content_hash == few.content_hash
    assert again.lives == few.lives
    assert again.failures == few.failures


def test_a_dataset_without_rows_is_kept_too(few: Dataset, tmp_path: Path) -> None:
    none = few.take(np.zeros(len(few), dtype=bool))
    keep(none, tmp_path / "kept")
    assert recall(tmp_path / "kept").content_hash == none.content_hash


def test_what_is_there_is_not_written_again(few: Dataset, tmp_path: Path) -> None:
    keep(few, tmp_path / "kept")
    before = (tmp_path / "kept" / ROWS).stat().st_mtime_ns
    keep(few, tmp_path / "kept")
    assert (tmp_path / "kept" / ROWS).stat().st_mtime_ns == before


def test_a_flipped_byte_is_refused_until_it_is_kept_again(few: Dataset, tmp_path: Path) -> None:
    keep(few, tmp_path / "kept")
    raw = bytearray((tmp_path / "kept" / ROWS).read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "kept" / ROWS).write_bytes(raw)
    with pytest.raises(ArtefactCorrupt, match=r"rows\.parquet differs"):
        recall(tmp_path / "kept")
    keep(few, tmp_path / "kept")
    assert recall(tmp_path / "kept").content_hash == few.content_hash


def test_what_was_never_kept_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactMissing, match="nowhere"):
        recall(tmp_path / "nowhere")
