"""A survey as planning sees it. Pure."""

from __future__ import annotations

from engine.planning.values import Dataset, SizeBin
from engine.survey.report import SurveyReport


def dataset_of(report: SurveyReport) -> Dataset:
    """The dataset that a survey found: of a partial one what was found, never more.

    Its bins are by powers of two; of a report of before those were kept, by powers of ten.
    """
    bins = report.fine_bins or tuple(
        SizeBin(each.from_, each.to, each.files, each.bytes)
        for each in report.size_histogram
        if each.files and each.to is not None
    )
    largest = report.largest_bytes or max((each.high - 1 for each in bins), default=0)
    return Dataset(report.files, report.bytes, report.directories + report.symlinks, min(largest, report.bytes), bins)
