"""The Merkle tree of the audit log follows RFC 6962."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from postil_consumers.audit.log.merkle import Tree, leaf_hash

# The reference data of the certificate-transparency project: leaves, and the root after each.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_match_the_reference_data() -> None:
    """The roots of 0 to 8 leaves match the reference data of the certificate-transparency project."""
    tree, roots = Tree(), list[str]()
    for leaf in LEAVES:
        tree.extend([leaf_hash(bytes.fromhex(leaf))])
        roots.append(tree.root().hex())

    assert roots == ROOTS
    assert Tree().root() == sha256().digest()


@given(st.lists(st.binary(max_size=3), max_size=70), st.lists(st.integers(0, 70)))
def test_the_root_does_not_depend_on_the_batches(records: list[bytes], cuts: list[int]) -> None:
    """The root of the same leaves is the same in any batches, also when a tree is restored between two batches."""
    leaves = [leaf_hash(record) for record in records]
    whole = Tree()
    whole.extend(leaves)
    pieces, start = Tree(), 0
    for cut in [*sorted(cuts), len(leaves)]:
        pieces.extend(leaves[start:cut])
        pieces = Tree(pieces.size, pieces.frontier)
        start = max(start, min(cut, len(leaves)))

    assert (pieces.size, pieces.root()) == (whole.size, whole.root())
