// SPDX-License-Identifier: Apache-2.0
internal import COpenVINO
internal import Glibc

/// The functions of OpenVINO's C API that the engine calls, looked up once in the opened library.
///
/// Their types come from the headers (see `shim.h`), so a call that does not fit its prototype does not compile.
struct OpenVINOFunctions: @unchecked Sendable {
    // Unchecked: addresses of code, never changed and never unloaded.
    let getVersion: vpipe_ov_get_openvino_version_f
    let versionFree: vpipe_ov_version_free_f
    let errorInfo: vpipe_ov_get_error_info_f
    let lastErrorMessage: vpipe_ov_get_last_err_msg_f
    let free: vpipe_ov_free_f

    let coreCreate: vpipe_ov_core_create_f
    let coreFree: vpipe_ov_core_free_f
    let coreGetProperty: vpipe_ov_core_get_property_f
    let readModel: vpipe_ov_core_read_model_from_memory_buffer_f
    let readModelFile: vpipe_ov_core_read_model_f
    let coreSetProperties: vpipe_ov_core_set_properties_f
    let importModel: vpipe_ov_core_import_model_f
    let compileModel: vpipe_ov_core_compile_model_props_f
    let modelFree: vpipe_ov_model_free_f
    let modelReshape: vpipe_ov_model_reshape_input_by_name_f
    let partialShapeCreate: vpipe_ov_partial_shape_create_static_f
    let partialShapeFree: vpipe_ov_partial_shape_free_f

    let exportModel: vpipe_ov_compiled_model_export_model_f
    let compiledFree: vpipe_ov_compiled_model_free_f
    let compiledGetProperty: vpipe_ov_compiled_model_get_property_f
    let inputCount: vpipe_ov_compiled_model_inputs_size_f
    let outputCount: vpipe_ov_compiled_model_outputs_size_f
    let inputPort: vpipe_ov_compiled_model_input_by_index_f
    let outputPort: vpipe_ov_compiled_model_output_by_index_f
    let createRequest: vpipe_ov_compiled_model_create_infer_request_f

    let portFree: vpipe_ov_output_const_port_free_f
    let portName: vpipe_ov_port_get_any_name_f
    let portElement: vpipe_ov_port_get_element_type_f
    let portShape: vpipe_ov_const_port_get_shape_f
    let portPartialShape: vpipe_ov_port_get_partial_shape_f
    let shapeFree: vpipe_ov_shape_free_f

    let requestFree: vpipe_ov_infer_request_free_f
    let inputTensor: vpipe_ov_infer_request_get_input_tensor_by_index_f
    let outputTensor: vpipe_ov_infer_request_get_output_tensor_by_index_f
    let setCallback: vpipe_ov_infer_request_set_callback_f
    let startAsync: vpipe_ov_infer_request_start_async_f
    let wait: vpipe_ov_infer_request_wait_f

    let tensorFree: vpipe_ov_tensor_free_f
    let tensorData: vpipe_ov_tensor_data_f
    let tensorByteSize: vpipe_ov_tensor_get_byte_size_f
    let tensorShape: vpipe_ov_tensor_get_shape_f

    /// Looks every function up in `library`, a handle of `dlopen`.
    /// - Throws: `libraryUnsuitable` naming the first function that is not there.
    init(library: UnsafeMutableRawPointer, path: String) throws(InferenceError) {
        func find<Function>(_ name: String, _ type: Function.Type) throws(InferenceError) -> Function {
            guard let address = dlsym(library, name) else {
                throw InferenceError(
                    .libraryUnsuitable, operation: "dlsym",
                    detail: "\(path) has no function \(name): it is another release of OpenVINO than 2026.4; "
                        + "run `make deps`")
            }
            // Both are one code address; the type is that of the prototype with this name.
            return unsafeBitCast(address, to: type)
        }
        getVersion = try find("ov_get_openvino_version", vpipe_ov_get_openvino_version_f.self)
        versionFree = try find("ov_version_free", vpipe_ov_version_free_f.self)
        errorInfo = try find("ov_get_error_info", vpipe_ov_get_error_info_f.self)
        lastErrorMessage = try find("ov_get_last_err_msg", vpipe_ov_get_last_err_msg_f.self)
        free = try find("ov_free", vpipe_ov_free_f.self)

        coreCreate = try find("ov_core_create", vpipe_ov_core_create_f.self)
        coreFree = try find("ov_core_free", vpipe_ov_core_free_f.self)
        coreGetProperty = try find("ov_core_get_property", vpipe_ov_core_get_property_f.self)
        readModel = try find(
            "ov_core_read_model_from_memory_buffer", vpipe_ov_core_read_model_from_memory_buffer_f.self)
        readModelFile = try find("ov_core_read_model", vpipe_ov_core_read_model_f.self)
        coreSetProperties = try find("ov_core_set_properties", vpipe_ov_core_set_properties_f.self)
        importModel = try find("ov_core_import_model", vpipe_ov_core_import_model_f.self)
        compileModel = try find("ov_core_compile_model_props", vpipe_ov_core_compile_model_props_f.self)
        modelFree = try find("ov_model_free", vpipe_ov_model_free_f.self)
        modelReshape = try find("ov_model_reshape_input_by_name", vpipe_ov_model_reshape_input_by_name_f.self)
        partialShapeCreate = try find("ov_partial_shape_create_static", vpipe_ov_partial_shape_create_static_f.self)
        partialShapeFree = try find("ov_partial_shape_free", vpipe_ov_partial_shape_free_f.self)

        exportModel = try find("ov_compiled_model_export_model", vpipe_ov_compiled_model_export_model_f.self)
        compiledFree = try find("ov_compiled_model_free", vpipe_ov_compiled_model_free_f.self)
        compiledGetProperty = try find("ov_compiled_model_get_property", vpipe_ov_compiled_model_get_property_f.self)
        inputCount = try find("ov_compiled_model_inputs_size", vpipe_ov_compiled_model_inputs_size_f.self)
        outputCount = try find("ov_compiled_model_outputs_size", vpipe_ov_compiled_model_outputs_size_f.self)
        inputPort = try find("ov_compiled_model_input_by_index", vpipe_ov_compiled_model_input_by_index_f.self)
        outputPort = try find("ov_compiled_model_output_by_index", vpipe_ov_compiled_model_output_by_index_f.self)
        createRequest = try find(
            "ov_compiled_model_create_infer_request", vpipe_ov_compiled_model_create_infer_request_f.self)

        portFree = try find("ov_output_const_port_free", vpipe_ov_output_const_port_free_f.self)
        portName = try find("ov_port_get_any_name", vpipe_ov_port_get_any_name_f.self)
        portElement = try find("ov_port_get_element_type", vpipe_ov_port_get_element_type_f.self)
        portShape = try find("ov_const_port_get_shape", vpipe_ov_const_port_get_shape_f.self)
        portPartialShape = try find("ov_port_get_partial_shape", vpipe_ov_port_get_partial_shape_f.self)
        shapeFree = try find("ov_shape_free", vpipe_ov_shape_free_f.self)

        requestFree = try find("ov_infer_request_free", vpipe_ov_infer_request_free_f.self)
        inputTensor = try find(
            "ov_infer_request_get_input_tensor_by_index", vpipe_ov_infer_request_get_input_tensor_by_index_f.self)
        outputTensor = try find(
            "ov_infer_request_get_output_tensor_by_index", vpipe_ov_infer_request_get_output_tensor_by_index_f.self)
        setCallback = try find("ov_infer_request_set_callback", vpipe_ov_infer_request_set_callback_f.self)
        startAsync = try find("ov_infer_request_start_async", vpipe_ov_infer_request_start_async_f.self)
        wait = try find("ov_infer_request_wait", vpipe_ov_infer_request_wait_f.self)

        tensorFree = try find("ov_tensor_free", vpipe_ov_tensor_free_f.self)
        tensorData = try find("ov_tensor_data", vpipe_ov_tensor_data_f.self)
        tensorByteSize = try find("ov_tensor_get_byte_size", vpipe_ov_tensor_get_byte_size_f.self)
        tensorShape = try find("ov_tensor_get_shape", vpipe_ov_tensor_get_shape_f.self)
    }
}
