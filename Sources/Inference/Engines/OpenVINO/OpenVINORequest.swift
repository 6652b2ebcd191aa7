// SPDX-License-Identifier: Apache-2.0
internal import COpenVINO

/// An inference request of OpenVINO: its handle, its tensors and the callback the library keeps.
///
/// ```
///  library --keeps address of--> callback (ov_callback_t) --args--> Completion --calls--> body
///                                 freed after the request            owned here
/// ```
/// - Note: Thread-safety: confined to one user at a time; the completion runs on a thread of the library.
final class OpenVINORequest: RequestDriver, @unchecked Sendable {
    // Unchecked: one user at a time by the contract of `InferRequest`; the library's queue orders that user's writes
    // before the inference, and the inference before `wait`'s return.
    let inputs: [TensorBuffer]
    let outputs: [TensorBuffer]
    private let handle: OpaquePointer
    private let functions: OpenVINOFunctions
    /// Keeps the compiled model while requests of it exist.
    private let model: OpenVINOModel
    /// Keeps the memory behind `inputs` and `outputs`.
    private let tensors: [OpaquePointer]
    /// Outputs of open size, whose memory is this object's: the library's moves with their size.
    private let open: [Int]
    /// The library stores this address, not a copy of what it points to.
    private let callback: UnsafeMutablePointer<ov_callback_t>
    private let completion = Completion()
    /// Started and not yet waited for.
    private var isRunning = false

    /// Who is told; changed only while no inference runs.
    private final class Completion {
        var body: @Sendable () -> Void = {}
    }

    /// Takes over `handle`, and frees it when its tensors cannot be had.
    init(owning handle: OpaquePointer, model: OpenVINOModel) throws(InferenceError) {
        let functions = model.functions
        var tensors: [OpaquePointer] = []
        var opened: [UnsafeMutableRawPointer] = []
        do throws(InferenceError) {
            inputs = try Self.buffers(handle, functions, functions.inputTensor, model.inputs, &tensors, &opened)
            outputs = try Self.buffers(handle, functions, functions.outputTensor, model.outputs, &tensors, &opened)
        } catch {
            for memory in opened { memory.deallocate() }
            for tensor in tensors { functions.tensorFree(tensor) }
            functions.requestFree(handle)
            throw error
        }
        // What nobody writes is zero, not what the memory held before.
        for input in inputs { input.bytes.initializeMemory(as: UInt8.self, repeating: 0) }
        self.handle = handle
        self.functions = functions
        self.model = model
        self.tensors = tensors
        open = model.outputs.indices.filter { model.outputs[$0].openAxis != nil }
        callback = .allocate(capacity: 1)
        callback.initialize(
            to: ov_callback_t(
                callback_func: { context in
                    guard let context else { return }
                    // Unretained: the request owns the completion and waits for the last call before it lets go.
                    Unmanaged<Completion>.fromOpaque(context).takeUnretainedValue().body()
                }, args: Unmanaged.passUnretained(completion).toOpaque()))
    }

    deinit {
        // The library writes outputs and calls the completion until `wait` returns.
        if isRunning { _ = functions.wait(handle) }
        for tensor in tensors { functions.tensorFree(tensor) }
        functions.requestFree(handle)
        for index in open { outputs[index].base.deallocate() }
        callback.deallocate()
    }

    func setCompletion(_ body: @escaping @Sendable () -> Void) throws(InferenceError) {
        completion.body = body
        try functions.check(
            functions.setCallback(handle, callback), "ov_infer_request_set_callback", .inferenceFailed)
    }

    func start() throws(InferenceError) {
        try functions.check(functions.startAsync(handle), "ov_infer_request_start_async", .inferenceFailed)
        isRunning = true
    }

    func wait() throws(InferenceError) {
        guard isRunning else { return }
        isRunning = false
        try functions.check(functions.wait(handle), "ov_infer_request_wait", .inferenceFailed)
        for index in open { try fetch(index) }
    }

    /// Copies what an inference gave of an output of open size.
    private func fetch(_ index: Int) throws(InferenceError) {
        let buffer = outputs[index]
        buffer.openRows?.count = 0
        var found: OpaquePointer?
        try functions.check(
            functions.outputTensor(handle, index, &found), "ov_infer_request_get_output_tensor", .inferenceFailed)
        guard let tensor = found else { return }
        defer { functions.tensorFree(tensor) }
        var shape = ov_shape_t()
        try functions.check(functions.tensorShape(tensor, &shape), "ov_tensor_get_shape", .inferenceFailed)
        defer { _ = functions.shapeFree(&shape) }
        let info = buffer.info
        guard let axis = info.openAxis, Int(shape.rank) == info.shape.count, let rows = shape.dims?[axis] else {
            return
        }
        guard rows > 0 else { return }
        guard rows <= info.shape[axis] else {
            throw InferenceError(
                .inferenceFailed, operation: info.name,
                detail: "gave \(rows) rows, of which \(info.shape[axis]) are taken")
        }
        var base: UnsafeMutableRawPointer?
        try functions.check(functions.tensorData(tensor, &base), "ov_tensor_data", .inferenceFailed)
        guard let base else { return }
        buffer.base.copyMemory(from: base, byteCount: info.byteCount / info.shape[axis] * Int(rows))
        buffer.openRows?.count = Int(rows)
    }

    /// The memory of each tensor, read once: the library never moves that of static shapes.
    ///
    /// Open ones get memory here.
    private static func buffers(
        _ request: OpaquePointer, _ functions: OpenVINOFunctions,
        _ tensorAt: vpipe_ov_infer_request_get_input_tensor_by_index_f, _ infos: [TensorInfo],
        _ tensors: inout [OpaquePointer], _ opened: inout [UnsafeMutableRawPointer]
    ) throws(InferenceError) -> [TensorBuffer] {
        var buffers: [TensorBuffer] = []
        for (index, info) in infos.enumerated() {
            guard info.openAxis == nil else {
                opened.append(.allocate(byteCount: info.byteCount, alignment: 64))
                opened[opened.count - 1].initializeMemory(as: UInt8.self, repeating: 0, count: info.byteCount)
                buffers.append(TensorBuffer(info: info, base: opened[opened.count - 1], openRows: OpenRows()))
                continue
            }
            var tensor: OpaquePointer?
            try functions.check(tensorAt(request, index, &tensor), "ov_infer_request_get_tensor", .inferenceFailed)
            if let tensor { tensors.append(tensor) }
            var base: UnsafeMutableRawPointer?
            var byteCount = 0
            try functions.check(functions.tensorData(tensor, &base), "ov_tensor_data", .inferenceFailed)
            try functions.check(
                functions.tensorByteSize(tensor, &byteCount), "ov_tensor_get_byte_size", .inferenceFailed)
            guard let base, byteCount == info.byteCount else {
                throw InferenceError(
                    .inferenceFailed, operation: info.name,
                    detail: "has \(byteCount) bytes of memory where \(info) needs \(info.byteCount)")
            }
            buffers.append(TensorBuffer(info: info, base: base))
        }
        return buffers
    }
}
