// SPDX-License-Identifier: Apache-2.0

/// A fixed set of requests for one user: acquire, fill, submit; on wake take the completed ones in submission order.
///
/// ```
///  free --acquire--> filling --submit--> in flight --nextCompleted--> reading --release--> free
///    ^                  |--release (unused)--------------------------------------------------^
/// ```
/// - Note: Thread-safety: queue-bound (one caller at a time); `wake` runs on a thread of the engine.
/// - Note: Allocates nothing per inference.
package final class RequestPool {
    /// One request and its number in the pool, for state kept beside it.
    package struct Slot {
        /// Its number in the pool, from 0.
        package let index: Int
        /// The request; in the user's hands until submitted or released.
        package let request: InferRequest
    }

    /// What all requests run.
    package let model: CompiledModel
    /// All requests, by number.
    package let requests: [InferRequest]
    private var order: SubmissionOrder
    private var free: [Int]

    /// Makes `count` requests; nil takes what the engine calls optimal, plus one that is filled meanwhile.
    package init(model: CompiledModel, count: Int? = nil) throws(InferenceError) {
        let count = max(1, count ?? model.settings.optimalRequests + 1)
        var requests: [InferRequest] = []
        for _ in 0..<count { requests.append(try model.makeRequest()) }
        for request in requests { try request.onCompletion {} }
        self.model = model
        self.requests = requests
        self.order = SubmissionOrder(capacity: count)
        self.free = Array((0..<count).reversed())
    }

    deinit {
        // Tensors must not be written after their owner is gone, nor a completion call into a freed object.
        while let slot = order.takeNext(where: { _ in true }) { try? requests[slot].finish() }
    }

    /// Requests submitted and not yet taken back.
    package var inFlight: Int { order.count }
    /// Whether ``acquire()`` would find one.
    package var hasFree: Bool { !free.isEmpty }

    /// Names who is woken, on a thread of the engine, after each completion.
    ///
    /// Call while nothing is in flight.
    package func onCompletion(_ wake: @escaping @Sendable () -> Void) throws(InferenceError) {
        precondition(order.isEmpty, "completion changed while inferences are in flight")
        for request in requests { try request.onCompletion(wake) }
    }

    /// A request nobody uses, or nil when all are busy.
    package func acquire() -> Slot? {
        guard let index = free.popLast() else { return nil }
        return Slot(index: index, request: requests[index])
    }

    /// Starts an acquired request.
    ///
    /// When it throws, the request is free again.
    package func submit(_ slot: Slot) throws(InferenceError) {
        do {
            try slot.request.start()
        } catch {
            free.append(slot.index)
            throw error
        }
        order.submit(slot.index)
    }

    /// The oldest request in flight if it is over; read its outputs, then release it.
    ///
    /// - Returns: nil when none is in flight or the oldest still runs. `failure` is set when the inference failed.
    package func nextCompleted() -> (slot: Slot, failure: InferenceError?)? {
        guard let index = order.takeNext(where: { requests[$0].isDone }) else { return nil }
        return collect(index)
    }

    /// Waits for the oldest request in flight; nil when there is none.
    package func waitForNext() -> (slot: Slot, failure: InferenceError?)? {
        guard let index = order.takeNext(where: { _ in true }) else { return nil }
        return collect(index)
    }

    /// Makes a taken (or acquired and unused) request available again.
    package func release(_ slot: Slot) {
        free.append(slot.index)
    }

    private func collect(_ index: Int) -> (slot: Slot, failure: InferenceError?) {
        let request = requests[index]
        do {
            try request.finish()
            return (Slot(index: index, request: request), nil)
        } catch {
            return (Slot(index: index, request: request), error)
        }
    }
}
