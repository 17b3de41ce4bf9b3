"""The protocol buffer of a record, tf.train.Example, as far as reading needs it."""

import contextlib
import functools
import zlib
from collections.abc import Iterator

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format

from data_pipelines.runtime.errors import UserError

# Declared here: tensorflow_datasets has it too, but takes seconds to import, and is not safe to import while other
# threads import something (it replaces the interpreter's import function meanwhile). Numbers and texts are left out.
_DECLARATION = """
    name: "tf_example.proto"  package: "tensorflow"  syntax: "proto3"
    message_type {
      name: "BytesList"
      field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES }
    }
    message_type {
      name: "Feature"
      field { name: "bytes_list" number: 1 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".tensorflow.BytesList" }
    }
    message_type {
      name: "Features"
      field {
        name: "feature" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE
        type_name: ".tensorflow.Features.FeatureEntry"
      }
      nested_type {
        name: "FeatureEntry"
        field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
        field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".tensorflow.Feature" }
        options { map_entry: true }
      }
    }
    message_type {
      name: "Example"
      field { name: "features" number: 1 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".tensorflow.Features" }
    }
"""


def parse(serialized: bytes):
    """Key -> feature, whose `bytes_list.value[0]` is the content of a feature stored as bytes."""
    return _example_type().FromString(serialized).features.feature


@contextlib.contextmanager
def damage_names(source: str) -> Iterator[None]:
    """Makes what goes wrong with a record's content within the block a UserError that names `source`."""
    try:
        yield
    except (message.DecodeError, zlib.error, IndexError, ValueError) as error:
        raise UserError(f"{source}: damaged ({error}). Prepare the shards again.") from None


@functools.cache
def _example_type():
    pool = descriptor_pool.DescriptorPool()  # our own: in the common one, the name is tensorflow's
    pool.Add(text_format.Parse(_DECLARATION, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
