"""From an asset's past to the risk and the price of its failures.

Pure: no database, no clock, no framework. Start at `predictors.schema` for the words,
`predictors.features` and `predictors.dataset` for the rows, `predictors.select` for a fitted
forecaster, `predictors.serving` for a forecast and `predictors.registry` to keep one.
"""
