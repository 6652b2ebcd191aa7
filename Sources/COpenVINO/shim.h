// SPDX-License-Identifier: Apache-2.0
// Types and prototypes of OpenVINO's C API. Nothing is linked: Inference opens the library at run time.
#pragma once
#if !__has_include(<openvino/c/openvino.h>)
#error "OpenVINO's headers are missing: run `make deps`"
#else
#include <openvino/c/openvino.h>
#endif

// The type of each function that Inference looks up by name, taken from its prototype: a header that changes an
// argument changes the type, and the call in Swift no longer compiles.
#define VPIPE_FUNCTION_TYPE(name) typedef __typeof__(&name) vpipe_##name##_f

VPIPE_FUNCTION_TYPE(ov_get_openvino_version);
VPIPE_FUNCTION_TYPE(ov_version_free);
VPIPE_FUNCTION_TYPE(ov_get_error_info);
VPIPE_FUNCTION_TYPE(ov_get_last_err_msg);
VPIPE_FUNCTION_TYPE(ov_free);

VPIPE_FUNCTION_TYPE(ov_core_create);
VPIPE_FUNCTION_TYPE(ov_core_free);
VPIPE_FUNCTION_TYPE(ov_core_get_property);
VPIPE_FUNCTION_TYPE(ov_core_import_model);
VPIPE_FUNCTION_TYPE(ov_core_read_model);
VPIPE_FUNCTION_TYPE(ov_core_read_model_from_memory_buffer);
// The forms without C variadics, which Swift cannot call.
VPIPE_FUNCTION_TYPE(ov_core_set_properties);
VPIPE_FUNCTION_TYPE(ov_core_compile_model_props);
VPIPE_FUNCTION_TYPE(ov_model_free);
VPIPE_FUNCTION_TYPE(ov_model_reshape_input_by_name);
VPIPE_FUNCTION_TYPE(ov_partial_shape_create_static);
VPIPE_FUNCTION_TYPE(ov_partial_shape_free);

VPIPE_FUNCTION_TYPE(ov_compiled_model_export_model);
VPIPE_FUNCTION_TYPE(ov_compiled_model_free);
VPIPE_FUNCTION_TYPE(ov_compiled_model_get_property);
VPIPE_FUNCTION_TYPE(ov_compiled_model_inputs_size);
VPIPE_FUNCTION_TYPE(ov_compiled_model_outputs_size);
VPIPE_FUNCTION_TYPE(ov_compiled_model_input_by_index);
VPIPE_FUNCTION_TYPE(ov_compiled_model_output_by_index);
VPIPE_FUNCTION_TYPE(ov_compiled_model_create_infer_request);

VPIPE_FUNCTION_TYPE(ov_output_const_port_free);
VPIPE_FUNCTION_TYPE(ov_port_get_any_name);
VPIPE_FUNCTION_TYPE(ov_port_get_element_type);
VPIPE_FUNCTION_TYPE(ov_const_port_get_shape);
VPIPE_FUNCTION_TYPE(ov_port_get_partial_shape);
VPIPE_FUNCTION_TYPE(ov_shape_free);

VPIPE_FUNCTION_TYPE(ov_infer_request_free);
VPIPE_FUNCTION_TYPE(ov_infer_request_get_input_tensor_by_index);
VPIPE_FUNCTION_TYPE(ov_infer_request_get_output_tensor_by_index);
VPIPE_FUNCTION_TYPE(ov_infer_request_set_callback);
VPIPE_FUNCTION_TYPE(ov_infer_request_start_async);
VPIPE_FUNCTION_TYPE(ov_infer_request_wait);

VPIPE_FUNCTION_TYPE(ov_tensor_free);
VPIPE_FUNCTION_TYPE(ov_tensor_data);
VPIPE_FUNCTION_TYPE(ov_tensor_get_byte_size);
VPIPE_FUNCTION_TYPE(ov_tensor_get_shape);

#undef VPIPE_FUNCTION_TYPE
