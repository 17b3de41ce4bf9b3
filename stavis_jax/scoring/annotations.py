"""Recorded gaze for scoring: any `AnnotationSource`, or a raw layout."""

from data_pipelines.raw.layout import RawLayout
from data_pipelines.shards.annotations import AnnotationSource, RawAnnotations


def annotations_of(data: RawLayout | AnnotationSource) -> AnnotationSource:
    return RawAnnotations(data) if isinstance(data, RawLayout) else data
