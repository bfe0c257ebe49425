"""Which kind an operation of a compiled program is counted for, and how operations are found in its text."""

import pytest

from benchmarks.step_profile import kind_of, operations

STEP = "jit(local)/while/body/closed_call/cond/branch_0_fun/while/body/closed_call/"


@pytest.mark.parametrize(
    ("opcode", "written", "kind"),
    [
        ("copy", "", "copies"),
        ("fusion", "", "other"),
        ("fusion", STEP + "jvp(Network.fuse)/Network.encode/kspace/Block_1/Dense_0/dot_general", "kspace, products"),
        ("dot", STEP + "transpose(jvp(Network.fuse))/Network.encode/kspace/Dense_7/transpose", "kspace, products"),
        ("fusion", STEP + "jvp(Network.fuse)/Network.encode/kspace_columns/DenseStack_0/add", "kspace_columns, rest"),
        ("fusion", STEP + "jvp(Network.fuse)/Network.encode/reader.hear/scalar/dot_general", "reader, products"),
        (
            "fusion",
            STEP + "jvp(Network.fuse)/Network.encode/kspace/Dropout_0/jit(_uniform)/while/body/add",
            "random bits",
        ),
        ("fusion", STEP + "jit(_where)/select_n", "clipping, AdamW, guard, packing, loss"),
    ],
)
def test_kinds(opcode, written, kind):
    assert kind_of(opcode, written) == kind


def test_operations_of_a_program():
    text = """
%body (a: f32[2]) -> f32[2] {
  %get-tuple-element.1 = f32[2]{0} get-tuple-element(%a), index=0
  %copy.7 = f32[2]{0} copy(%get-tuple-element.1)
  ROOT %add_fusion = (f32[2]{0}, f32[2]{0}) fusion(%copy.7), metadata={op_name="jit(f)/crystal/add"}
}
"""
    found = operations(text)
    assert found["copy.7"] == ("copies", "copy")
    assert found["add_fusion"] == ("crystal, rest", "fusion")
    assert found["get-tuple-element.1"][1] == "get-tuple-element"
