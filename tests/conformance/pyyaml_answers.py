"""Answers what PyYAML makes of a text: a text per line in, its `repr` or a refusal per line out, as JSON."""

import json
import resource
import sys

import yaml


class Set(set):
    """A set that is printed in the order of the document, as ours are."""

    def __repr__(self):
        return "{" + ", ".join(map(repr, self.ordered)) + "}" if self else "set()"


class Loader(yaml.SafeLoader):
    def construct_ordered_set(self, node):
        result = Set()
        yield result
        result.ordered = list(self.construct_mapping(node))
        result.update(result.ordered)


Loader.add_constructor("tag:yaml.org,2002:set", Loader.construct_ordered_set)

# Aliases of aliases make an object that no memory holds.
resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
for line in sys.stdin:
    try:
        result = {"object": repr(yaml.load(json.loads(line), Loader))}
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}".encode(errors="replace").decode()}
    print(json.dumps(result))
