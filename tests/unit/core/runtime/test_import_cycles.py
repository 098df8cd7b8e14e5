"""The modules of Postil import each other in one direction."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp
import pytest


@pytest.mark.parametrize("package", ["postil", "postil_relay", "postil_consumers", "postil_stack"])
def test_no_modules_import_each_other(package: str) -> None:
    """There is no cycle of imports, also not of those that only a type checker sees."""
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError with the modules of a cycle
