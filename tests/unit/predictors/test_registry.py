import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from predictors import constant, logistic, weibull
from predictors.dataset import Dataset
from predictors.errors import ArtefactCorrupt, ArtefactMissing, ArtefactUnknown
from predictors.registry import load, read_manifest, remove_folder, save
from predictors.select import Model
from predictors.serving import score


def rewrite(folder: Path, name: str, change: object) -> None:
    """Change a listed file and its sum, as a hand that means well would."""
    raw = json.loads((folder / name).read_text())
    raw.update(change)
    (folder / name).write_text(json.dumps(raw))


def test_what_was_saved_forecasts_the_same_bits(
    seal_model: Model, seals: Dataset, tmp_path: Path
) -> None:
    save(seal_model, tmp_path / "seal")
    back = load(tmp_path / "seal")
    assert back.card == seal_model.card
    for ours, theirs in zip(
        score(seal_model, seals.x[:30]), score(back, seals.x[:30]), strict=True
    ):
        np.testing.assert_array_equal(ours.curve.risk, theirs.curve.risk)
        np.testing.assert_array_equal(ours.curve.low, theirs.curve.low)
        assert ours.reasons == theirs.reasons


def test_every_family_survives_its_files(seal_model: Model, seals: Dataset, tmp_path: Path) -> None:
    forecasters = [weibull.fit(seals), constant.fit(seals), logistic.learn(seals, folds=2)[0]]
    for forecaster in forecasters:
        model = replace(seal_model, forecaster=forecaster)
        save(model, tmp_path / forecaster.family)
        back = load(tmp_path / forecaster.family).forecaster
        assert back.family == forecaster.family
        for name in ("risk", "low", "high"):
            ours, theirs = (getattr(one.curves(seals.x[:9]), name) for one in (forecaster, back))
            np.testing.assert_array_equal(ours, theirs)


def test_one_flipped_bit_in_any_file_is_refused_by_name(seal_model: Model, tmp_path: Path) -> None:
    manifest = save(seal_model, tmp_path / "seal")
    assert len(manifest.files) == 1 + 4 * 3
    for name in manifest.files:
        path = tmp_path / "seal" / name
        sound = path.read_bytes()
        middle = len(sound) // 2
        path.write_bytes(sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :])
        with pytest.raises(ArtefactCorrupt, match=f"seal: {name} differs"):
            load(tmp_path / "seal")
        path.write_bytes(sound)
    load(tmp_path / "seal")


def test_a_missing_file_is_refused_by_name(seal_model: Model, tmp_path: Path) -> None:
    save(seal_model, tmp_path / "seal")
    (tmp_path / "seal" / "member-1-stage-2.ubj").unlink()
    with pytest.raises(ArtefactMissing, match=r"no member-1-stage-2\.ubj"):
        load(tmp_path / "seal")


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactMissing, match=r"no manifest\.json"):
        load(tmp_path)


def test_half_a_manifest_is_refused(seal_model: Model, tmp_path: Path) -> None:
    save(seal_model, tmp_path / "seal")
    path = tmp_path / "seal" / "manifest.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ArtefactCorrupt, match="not JSON"):
        load(tmp_path / "seal")


@pytest.mark.parametrize("change", [{"format": 99}, {"files": {}}])
def test_a_manifest_that_says_too_little_is_refused(
    seal_model: Model, tmp_path: Path, change: dict[str, object]
) -> None:
    save(seal_model, tmp_path / "seal")
    rewrite(tmp_path / "seal", "manifest.json", change)
    with pytest.raises((ArtefactUnknown, ArtefactMissing)):
        load(tmp_path / "seal")


def test_a_manifest_may_not_point_out_of_its_folder(seal_model: Model, tmp_path: Path) -> None:
    save(seal_model, tmp_path / "seal")
    rewrite(tmp_path / "seal", "manifest.json", {"files": {"../other": "0"}})
    with pytest.raises(ArtefactCorrupt, match="no plain file name"):
        load(tmp_path / "seal")


def test_saving_again_replaces_the_whole_folder(
    seal_model: Model, seals: Dataset, tmp_path: Path
) -> None:
    save(seal_model, tmp_path / "seal")
    save(replace(seal_model, forecaster=weibull.fit(seals)), tmp_path / "seal")
    assert load(tmp_path / "seal").forecaster.family == "weibull"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seal"]
    assert sorted(path.name for path in (tmp_path / "seal").iterdir()) == [
        "manifest.json",
        "model.json",
    ]


def test_the_artefact_hash_tells_models_apart(
    seal_model: Model, seals: Dataset, tmp_path: Path
) -> None:
    one, same = (save(seal_model, tmp_path / name) for name in ("a", "b"))
    other = save(replace(seal_model, forecaster=weibull.fit(seals)), tmp_path / "c")
    assert one.artefact_hash == same.artefact_hash == read_manifest(tmp_path / "a").artefact_hash
    assert other.artefact_hash != one.artefact_hash


def test_a_removed_folder_is_gone_and_may_be_removed_again(
    seal_model: Model, tmp_path: Path
) -> None:
    save(seal_model, tmp_path / "one")
    remove_folder(tmp_path / "one")
    assert not list(tmp_path.iterdir())
    remove_folder(tmp_path / "one")
