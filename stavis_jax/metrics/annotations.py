"""Recorded gaze for scoring: any `AnnotationSource`, or a raw layout."""

from data_pipelines.annotations import AnnotationSource, RawAnnotations
from data_pipelines.raw_layout import RawLayout


def annotations_of(data: RawLayout | AnnotationSource) -> AnnotationSource:
    return RawAnnotations(data) if isinstance(data, RawLayout) else data
