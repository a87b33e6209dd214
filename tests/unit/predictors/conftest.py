import pytest

from predictors.boosting import Boosting
from predictors.dataset import Dataset, FeatureTable, build_table, label
from predictors.schema import AssetHistory, FeatureSet
from predictors.select import Model, fit_best
from tests.unit.predictors.wearing import wearing_fleet


@pytest.fixture(scope="session")
def fleet() -> list[AssetHistory]:
    return wearing_fleet()


@pytest.fixture(scope="session")
def table(fleet: list[AssetHistory]) -> FeatureTable:
    return build_table(fleet, FeatureSet.for_class(fleet, name="pump"), every_days=2)


@pytest.fixture(scope="session")
def seals(table: FeatureTable) -> Dataset:
    return label(table, "seal", horizon_days=30)


@pytest.fixture(scope="session")
def relays(table: FeatureTable) -> Dataset:
    return label(table, "relay", horizon_days=30)


@pytest.fixture(scope="session")
def seal_model(seals: Dataset) -> Model:
    return fit_best(seals, how=Boosting(rounds=40))
