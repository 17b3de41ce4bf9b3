"""Facts are read from HLO text as compilers print it."""

from benchmarks.compile_ahead import hlo

TPU = """HloModule jit_step, is_scheduled=true

%fused_scatter (p.0: f32[8]) -> f32[8] {
  %p.0 = f32[8]{0} parameter(0)
  ROOT %s.1 = f32[8]{0} scatter(%p.0, %p.0, %p.0), to_apply=%add
}

%body.2 (arg: (s32[], f32[8,128])) -> (s32[], f32[8,128]) {
  %inside.1 = f32[8,128]{1,0:T(8,128)} fusion(%x), kind=kLoop, metadata={op_name="jit(step)/scan/mul"}, \
backend_config={"estimated_cycles":"10"}
  %all-reduce.9 = f32[4]{0} all-reduce(%inside.1), replica_groups={}, to_apply=%add
}

ENTRY %main.5 (p: f32[8,128]) -> f32[8,128] {
  %p = f32[8,128]{1,0:T(8,128)} parameter(0)
  %convolution.1 = bf16[2,16,56,56,64]{4,0,3,2,1:T(8,128)(2,1)} convolution(%p, %p), dim_labels=b012f_012io->b012f, \
metadata={op_name="jit(step)/conv_general_dilated"}, backend_config={"estimated_cycles":"700"}
  %cudnn.1 = (bf16[8,4]{1,0}, u8[0]{0}) custom-call(%p), dim_labels=bf012_oi012->bf012, custom_call_target="conv"
  %while.3 = (s32[], f32[8,128]{1,0}) while(%p), condition=%c, body=%body.2, \
backend_config={"known_trip_count":{"n":"3"}}
  %all-reduce-start.1 = (f32[4]{0}, bf16[2]{0}) all-reduce-start(%p, %p), to_apply=%add
  %input_transpose_fusion = bf16[8,128]{0,1} fusion(%p), kind=kInput, calls=%t
  %copy.4 = f32[8,128]{0,1:T(8,128)S(1)} copy(%p), backend_config={"estimated_cycles":"5"}
  ROOT %fusion.7 = (f32[8]{0:T(256)}, /*index=1*/f32[8]{0}) fusion(%p), kind=kLoop, calls=%fused_scatter, \
backend_config={"estimated_cycles":"40"}
}
""".replace("\\\n", "")


def test_cycles_count_every_turn_of_a_loop():
    executed = hlo.operations(TPU)
    assert sum(one.cycles for one in executed) == 700 + 3 * 10 + 5 + 40
    assert max(executed, key=lambda one: one.cycles).source == "jit(step)/conv_general_dilated"
    assert "s.1" not in [one.name for one in executed]  # a part of a fusion


def test_collectives_are_counted_with_their_bytes():
    assert hlo.collectives(hlo.operations(TPU)) == {"all-reduce": (3 + 1, 3 * 16 + 16 + 4)}


def test_transposes_and_copies_are_counted_with_their_bytes():
    assert hlo.transposes(hlo.operations(TPU)) == (2, 8 * 128 * 2 + 8 * 128 * 4)


def test_layouts_of_convolutions_and_library_calls_are_counted():
    assert hlo.convolution_layouts(TPU) == {"b012f_012io->b012f": 1, "bf012_oi012->bf012": 1}


def test_scatters_inside_fusions_count_and_others_do_not():
    assert hlo.scatters(TPU) == 1
    assert hlo.scatters("  %s = f32[8]{0} select-and-scatter(%p, %p), select=%ge, scatter=%add") == 0


def test_sizes_of_arrays_and_tuples():
    assert hlo.bytes_of("bf16[2,3]{1,0}") == 12
    assert hlo.bytes_of("(f32[], pred[7]{0}, s64[2]{0}, f8e4m3fn[4]{0})") == 4 + 7 + 16 + 4
